"""What an archive holds: its names and inodes, and how the embedded index writes them.

A page has columns of some thousand names and inodes. A table has all pages of an archive, and makes
each page when somebody needs it. The outline says how large the pages are and what they hold at
most, so it is read before any page. The index is what an archive embeds: the outline, all pages,
and the digests of the archive's blocks. The tree (kheadersfs/tree.py) answers questions by path and
inode from a table, wherever that came from.
"""

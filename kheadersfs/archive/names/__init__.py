"""What an archive holds: its names and inodes, and how the embedded index writes them.

A page has columns of some thousand names and inodes. The table has all pages, and makes each when
somebody needs it. The outline says how large pages are and what is in them at most; it is read
before any page is. The index is what an archive embeds: the outline, all pages, and the digests of
the archive's blocks. The tree, outside of this room, answers questions by path and inode from a
table, and knows nothing of where that came from.
"""

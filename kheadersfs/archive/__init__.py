"""Archives: from compressed bytes to names, inodes and content. Knows nothing of FUSE.

``opening.open_archive`` opens an archive, and ``readers`` finds out what is in it. These use
``source`` (bytes of a file), ``compression`` (framing and decoding), ``blocks`` (parts of an
archive that can be decoded alone), ``onepass`` and ``members`` (reading an archive from front to
back), ``names`` (every name and inode, and the index that lists them) and ``fleet`` (the same for
several kernels). ``tar`` and ``cpio`` are the formats of members.
"""

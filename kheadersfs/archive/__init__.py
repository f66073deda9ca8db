"""Compressed bytes to members. Knows nothing of FUSE.

``opening.open_archive`` is the way in; the other modules are the steps behind it:
``source`` (bytes), ``xz`` and ``zstd`` (framing), ``blocks`` (what can be decoded by itself),
``members`` (libarchive's stream), ``table`` (every name and inode), ``index`` (the same, embedded).
"""

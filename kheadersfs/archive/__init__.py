"""Compressed bytes to members. Knows nothing of FUSE.

``opening.open_archive`` is the way in, and ``readers`` finds out what is in what it opens. The
steps behind them are ``source`` (bytes), ``compression`` (framing and decoding), ``blocks`` (what
can be decoded by itself), ``onepass`` and ``members`` (an archive read from front to back),
``names`` (every name and inode, and the index that lists them) and ``fleet`` (those of several
kernels). ``tar`` and ``cpio`` are the formats that members are written in.
"""

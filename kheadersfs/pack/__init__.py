"""From a kernel tree, or from another archive, to a packed archive.

``packing``, ``repacking`` and ``merging`` are the three ways in, one per command, and ``kbuild``
is what a kernel build calls. The steps: ``trees`` and ``selection`` find the headers,
``comments`` strips them, ``ordering`` says which come first, ``layout`` cuts the sequence into
blocks, ``tar`` and ``newc`` write members, ``writing`` compresses the blocks and adds the
index. The standard library suffices, except for zstd before Python 3.14.
"""

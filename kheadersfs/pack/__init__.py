"""Make a packed archive of a kernel tree, or of other archives.

``packing``, ``repacking`` and ``merging`` are the ways in for the commands, and ``kbuild`` is what
a kernel build calls. ``selection`` finds a tree's headers, ``gathering`` those of several archives.
``comments`` strips them, ``ordering`` says which come first, ``layout`` and ``planning`` cut the
sequence into blocks, and ``writing`` compresses the blocks and adds the index. The standard library
suffices, except for zstd before Python 3.14.
"""

"""From a kernel tree, or from another archive, to a packed archive.

``packing`` and ``repacking``, which also merges, are the ways in for the commands, and ``kbuild``
is what a kernel build calls. The steps: ``trees`` and ``selection`` find the headers, ``comments``
strips them, ``ordering`` says which come first, ``layout`` and ``planning`` cut the sequence into
blocks, ``framing`` makes the members' headers, ``writing`` compresses the blocks and adds the
index. The standard library suffices, except for zstd before Python 3.14.
"""

"""Distributions' packages of kernel headers, .deb and .rpm, read without installing them.

``recognition`` tells a package from an archive. ``package`` opens one; ``deb`` and ``rpm`` parse
the two formats. ``facts`` is what a package says of itself. ``kernels`` finds the packages that
belong to the same kernel, and ``files`` shows the content of these as one file system. ``packing``
makes a packed archive of it. ``clients`` downloads packages by the distribution's own programs.
"""

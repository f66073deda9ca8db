"""Distributions' packages of kernel headers, read as they come: .deb and .rpm.

``recognition`` tells a package from an archive, ``package`` opens one, ``deb`` and ``rpm`` are the
framing of each kind, ``kernels`` finds out which packages belong together, and ``files`` shows the
content of those as one file system, in which kernel trees are found like on this machine.
"""

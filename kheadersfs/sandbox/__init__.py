"""What a process gives up before it looks into an archive.

An archive may come from anywhere, and what reads it is C: libarchive, liblzma, zlib, libzstd. So
whoever reads one first opens and imports all that it will need and then calls
``restrictions.restrict``; from then on it can compute, and use the descriptors that it holds, and
nothing else. ``seccomp`` and ``landlock`` are the kernel's two interfaces for that, ``confined``
runs one function in a child so restricted. Standard library only; knows nothing of archives.
"""

"""Take a process's rights away before it reads an archive.

An archive may come from anywhere, and libraries in C read it: libarchive, liblzma, zlib, libzstd.
So a process that reads one first opens and imports all that it will need. Then it calls
``restrictions.restrict``. From then on it can compute and use the descriptors that it holds, and
nothing else. ``landlock`` and ``seccomp`` are the kernel's two interfaces for that. ``confined``
runs a function in a child process with these restrictions, and ``network`` has the exceptions for a
process that downloads. Nothing here knows of archives.
"""

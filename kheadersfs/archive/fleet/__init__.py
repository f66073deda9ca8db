"""The index of an archive of several kernels: version 4 of the format (tools/docs/fleet-index.md).

Kernels of a series share nearly all names and files, so the index has each of these once for all
kernels. A page lists the names in some directories. Each name has versions: a version is a file, a
directory or a symlink that some kernels have at that name. A set says which kernels have a version;
there are few different sets. So a kernel takes space only for what the others do not have.
"""

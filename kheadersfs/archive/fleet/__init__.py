"""What an archive of several kernels holds, and how its index, version 4, writes it.

Kernels of a series have nearly all names and files in common, so nothing is written once for each
kernel. A page has the names of some directories, whichever kernels have them, and for each name
its versions: the file, directory or symlink that some kernels have there. Which kernels, says a
set, of which there are few. A kernel costs what it has that others have not.
"""

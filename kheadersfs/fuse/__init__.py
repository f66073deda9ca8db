"""The FUSE side: the only importer of pyfuse3.

``operations`` answers requests, ``content`` finds the bytes for them, ``loop`` fetches requests and
keeps slow work off their path, ``mounting`` talks to the kernel about mounts, ``session`` is the
life of one mount, ``serving`` looks at one from outside.
"""

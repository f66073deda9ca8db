"""Kernel headers as a read-only file system, straight from their compressed archive."""

from kheadersfs._version import __version__

__all__ = ["__version__"]

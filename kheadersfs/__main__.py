"""``python -m kheadersfs``."""

from kheadersfs.cli import script

if __name__ == "__main__":
    script()

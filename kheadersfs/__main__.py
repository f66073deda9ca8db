"""``python -m kheadersfs``."""

import sys

from kheadersfs.cli import main

if __name__ == "__main__":
    sys.exit(main())

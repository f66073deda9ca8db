"""``python tools/matrix``; see kernel_matrix/command.py."""

from __future__ import annotations

import sys

from kernel_matrix.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

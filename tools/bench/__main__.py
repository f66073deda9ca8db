"""``python tools/bench``; see benchmark/command.py."""

from __future__ import annotations

import sys

from benchmark.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m kheadersfs``."""

from kheadersfs.interrupts import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()

import os
import sys
from contextlib import suppress

if __name__ == "__main__":
    # The interpreter looks for modules in the working directory first. None of ours is there, and
    # the server of what is mounted there would wait for its own answer.
    with suppress(FileNotFoundError):  # one that has been removed is not looked at
        if sys.path[0] == os.getcwd():
            del sys.path[0]
    from kheadersfs.cli import script

    script()

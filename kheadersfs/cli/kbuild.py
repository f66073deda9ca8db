"""The module that tools/gen_kheaders.sh runs. It is no command of kheadersfs."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from kheadersfs.cli import INTERRUPTED, discard_output, run_script
from kheadersfs.errors import KheadersfsError, escaped, memory_error, output_error
from kheadersfs.pack.kbuild import parse_build, run


def main() -> int:
    """Do what the process's arguments and environment ask for. Returns the exit status."""
    try:
        run(parse_build(sys.argv[1:], os.environ), _say)
    except KheadersfsError as error:
        print(f"gen_kheaders.sh: {escaped(str(error))}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"gen_kheaders.sh: {output_error(error)}", file=sys.stderr)
        discard_output()
        return KheadersfsError.exit_status
    except MemoryError:
        print(f"gen_kheaders.sh: {memory_error()}", file=sys.stderr)
        return KheadersfsError.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def script() -> NoReturn:
    """Run as a process of its own."""
    run_script(main)


def _say(line: str) -> None:
    print(line, flush=True)

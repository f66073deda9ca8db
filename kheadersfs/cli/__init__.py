"""The command line: one module a command, imported only when it is called.

argparse's namespaces stay in these modules; what is below gets named, typed values.
"""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper

from kheadersfs._version import __version__
from kheadersfs.cli.output import report
from kheadersfs.errors import KheadersfsError, UsageError, memory_error, output_error
from kheadersfs.interrupts import end_at_interrupt, keep_ended_children, raise_at_interrupt
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, Protocol

    from kheadersfs.cli.arguments import Parser

    class CommandModule(Protocol):
        """What each module of this package provides."""

        def parser(self) -> Parser:
            """Return the parser of the command's arguments."""

        def run(self, arguments: list[str]) -> int:
            """Run the command. Returns its exit status; raises KheadersfsError."""


INTERRUPTED = 130
"""What a shell reports for a command that ^C ended."""


class Command(Record):
    """A command's module below this package, and what it does in a few words."""

    module: str
    summary: str


COMMANDS = {
    "mount": Command("mount", "mount an archive's headers"),
    "umount": Command("umount", "unmount, and wait until the memory is free"),
    "run": Command("run", "run a command that sees the headers, in a mount of its own"),
    "status": Command("status", "show what is mounted and what it costs"),
    "ls": Command("ls", "list what is in an archive"),
    "cat": Command("cat", "print files of an archive"),
    "info": Command("info", "describe an archive"),
    "verify": Command("verify", "read all of an archive and check it"),
    "pack": Command("pack", "write an archive of a kernel tree's headers"),
    "repack": Command("repack", "write an archive anew, in blocks and with an index"),
    "merge": Command("merge", "write several kernels' archives as one, each header once"),
    "fetch": Command("fetch", "download a kernel's headers, with the machine's package client"),
    "cache": Command("cache", "show or clear what was fetched or packed"),
    "env": Command("env", "print the variables that point tools to headers"),
    "cflags": Command("cflags", "print the compiler flags for headers"),
    "help": Command("help", "explain a command, or what --limit can change"),
    "reference": Command("reference", "print the man pages, or a shell's completion"),
}


def load(name: str) -> CommandModule:
    """Return the module of the command *name*. Raises UsageError for an unknown one."""
    command = COMMANDS.get(name)
    if command is None:
        from kheadersfs.cli.misspelling import unknown_command

        raise unknown_command(name, COMMANDS)
    path = f"kheadersfs.cli.{command.module}"
    # Imports make many objects, and none of them is garbage. To look for garbage among them takes a
    # tenth of the time of mount.
    gc.disable()
    try:
        __import__(path)  # import_module() says it better, and takes 0.4 ms to import
    finally:
        gc.freeze()
        gc.enable()
    module: CommandModule = sys.modules[path]
    return module


def main(arguments: list[str] | None = None) -> int:
    """Run the command that *arguments* (by default the process's) name. Returns its exit status."""
    open_standard_streams()
    try:
        status = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except KheadersfsError as error:
        report(error)
        return error.exit_status
    except BrokenPipeError:
        discard_output()  # the reader, head perhaps, has seen enough
        return 0
    except OSError as error:
        report(output_error(error))
        discard_output()
        return KheadersfsError.exit_status
    except MemoryError:
        report(memory_error())
        return KheadersfsError.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def open_standard_streams() -> None:
    """Open those of the standard streams that are closed, before a file gets one's number.

    What is written to closed standard output is an error; what is written to closed standard error
    nobody wants to read.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free, which is this one
    # Python has no stream for a descriptor that was closed when it started.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    # Names of files are printed byte for byte, whatever PYTHONIOENCODING says, and need be no text;
    # standard error shows such names with backslashes.
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=sys.getfilesystemencoding(), errors=errors)


def discard_output() -> None:
    """Keep what is not written yet from failing again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(arguments: list[str]) -> int:
    """Run the command that *arguments* name. Returns its exit status; raises KheadersfsError."""
    if not arguments:
        from contextlib import redirect_stdout

        with redirect_stdout(sys.stderr):
            load("help").run([])
        return UsageError.exit_status
    name, *rest = arguments
    if name in ("-V", "--version"):
        print(f"kheadersfs {__version__}")
        return 0
    if name in ("-h", "--help"):
        name = "help"
    elif name.startswith("-"):
        from kheadersfs.cli.misspelling import unknown_option

        raise unknown_option(arguments, COMMANDS)
    return load(name).run(rest)


def script() -> NoReturn:
    """Run the command that the process's arguments name, and end the process."""
    run_script(main)


def run_script(run: Callable[[], int]) -> NoReturn:
    """End the process with the status that *run* returns, or as an interrupted one."""
    try:
        raise_at_interrupt()
        keep_ended_children()
        status = run()
        end_at_interrupt()
    except KeyboardInterrupt:  # between two steps of run()
        status = INTERRUPTED
    end(status)


def end(status: int) -> NoReturn:
    """End the process at once, with *status*.

    To take the interpreter apart before takes 3 ms, and frees nothing that the kernel does not.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or KheadersfsError.exit_status
    os._exit(status)

"""Run a function in a child process that can only compute, and use the files that are open.

A KheadersfsError of the function is raised again in the parent. So is one when the child crashes.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from kheadersfs.errors import (
    FAILURES,
    DamagedArchive,
    KheadersfsError,
    RefusedArchive,
    error_of_status,
    output_error,
)
from kheadersfs.forking import fork
from kheadersfs.sandbox.restrictions import restrict

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_REPORT = 1 << 20
"""Most bytes that the parent takes from a child, over which an archive may have got control."""
_LONGEST_MESSAGE = 16 << 10
"""Most bytes of the message of a child's error."""
_STATUSES = frozenset(b"%d" % status for status in FAILURES)
"""The exit statuses of errors, as a child writes them."""
_OF_OTHERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
"""Signals that other processes send. A child that one of these has ended need not have crashed."""


class Confined:
    """A child process that runs *function*. ``result`` waits for it.

    *prepare* runs in the child before it gives up its rights, and imports what the function needs.
    The files that it needs must be open. *address_space* is how many bytes the function may
    allocate. The function may print. *name* is the archive's, for messages.

    The process must have one thread only. Raises KheadersfsError if it cannot be forked.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], None],
        function: Callable[[], bytes],
        address_space: int,
    ) -> None:
        self._name = name
        sys.stdout.flush()
        parent = os.getpid()
        self._report, report = os.pipe()
        self._pid = fork()
        if self._pid == 0:
            os.close(self._report)
            _run(name, prepare, function, address_space, parent, report)
        os.close(report)

    def result(self) -> bytes:
        """Return what the function returned. Raises the KheadersfsError that it raised."""
        descriptor, self._report = self._report, -1
        with os.fdopen(descriptor, "rb") as stream:
            report = stream.read(LARGEST_REPORT + 1)
        # A child that goes on writing is ended by the closed pipe.
        _, wait_status = os.waitpid(self._pid, 0)
        self._pid = 0
        if len(report) > LARGEST_REPORT:
            raise self._nonsense()
        status, separator, outcome = report.partition(b"\n")
        if os.WIFSIGNALED(wait_status):
            number = os.WTERMSIG(wait_status)
            text = f"{self._name}: the process that read it was killed by signal {number}"
            if number in _OF_OTHERS:
                raise KheadersfsError(f"{text}; try again")
            raise DamagedArchive(f"{text}; make or fetch the archive again")
        if wait_status or not separator:
            raise KheadersfsError(f"{self._name}: reading it failed; please report what is above")
        if status == b"0":
            return outcome
        if status not in _STATUSES:
            raise self._nonsense()
        kind = error_of_status(int(status))
        raise kind(outcome[:_LONGEST_MESSAGE].decode(errors="surrogateescape"))

    def end(self) -> None:
        """End the child if its result was not waited for."""
        if self._report >= 0:
            os.close(self._report)
            self._report = -1
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _nonsense(self) -> DamagedArchive:
        """Return what to raise when the child has written what its code never writes."""
        return DamagedArchive(
            f"{self._name}: the process that read it gave an impossible answer; "
            "make or fetch the archive again"
        )


def _run(
    name: str,
    prepare: Callable[[], None],
    function: Callable[[], bytes],
    address_space: int,
    parent: int,
    report: int,
) -> NoReturn:
    """Run *function* without rights, and end this process.

    Writes the outcome to *report*: the status in decimal digits, a newline, and what the function
    has returned or the message of its error.
    """
    import traceback  # only this process may need it, and later it can import nothing

    exit_status = 1
    try:
        try:
            prepare()
            _restrict(address_space, parent)
            status, outcome = 0, function()
            sys.stdout.flush()
        except KheadersfsError as error:
            status = error.exit_status
            outcome = str(error).encode(errors="surrogateescape")
        except MemoryError:
            status = RefusedArchive.exit_status
            outcome = os.fsencode(f"{name}: takes more memory to read than there is for it here")
        except BrokenPipeError:
            status, outcome = 0, b""  # the reader of the output, perhaps head, has ended
        except OSError as error:
            status, outcome = KheadersfsError.exit_status, str(output_error(error)).encode()
        with os.fdopen(report, "wb") as stream:
            stream.write(b"%d\n" % status + outcome)
        exit_status = 0
    except Exception:  # noqa: BLE001 - reported where it can be seen; the parent goes on
        traceback.print_exc()
    finally:
        os._exit(exit_status)


def _restrict(address_space: int, parent: int) -> None:
    """Give up all rights, and print for root which could not be. Ends if *parent* has ended."""
    is_root = os.geteuid() == 0
    restrictions = restrict(address_space, end_with_parent=True)
    if is_root:
        for missing in restrictions.missing:
            os.write(2, f"kheadersfs: reading without a restriction: {missing}\n".encode())
    if os.getppid() != parent:
        os._exit(1)  # it ended before this process could be bound to it

"""Run one function in a child process that can do nothing but compute and write to open files.

What it raises is raised again in the parent, and if it crashes, that is an error like others.
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
"""Bytes that a child may report. What has read an archive may be in the archive's hands."""
_LONGEST_MESSAGE = 16 << 10
_STATUSES = frozenset(b"%d" % status for status in FAILURES)
"""Statuses of failure, as a child writes them."""
_OF_OTHERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
"""Signals that others send: the end of a child by one of these says nothing about its archive."""


class Confined:
    """A child that runs *function*; ``result`` waits for it.

    What the function needs must be open, and *prepare* imports it: it runs in the child too, but
    before that gives up its rights. *address_space* is how many bytes the function means to
    allocate. It may print. *name* is what it reads, for messages.
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
        with os.fdopen(self._report, "rb") as stream:
            report = stream.read(LARGEST_REPORT + 1)
        # A child that goes on writing is ended by the closed pipe.
        _, wait_status = os.waitpid(self._pid, 0)
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

    def _nonsense(self) -> DamagedArchive:
        """Return what to raise when the child says what no child of ours would."""
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
    """Run *function* restricted and report its outcome: a status, a newline, and bytes."""
    import traceback  # only this process may need it, and it cannot import it later

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
            status, outcome = 0, b""  # the reader of our output, head perhaps, has seen enough
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
    """Give up all rights, say to root which could not be, and end if *parent* has."""
    is_root = os.geteuid() == 0
    restrictions = restrict(address_space, end_with_parent=True)
    if is_root:
        for missing in restrictions.missing:
            os.write(2, f"kheadersfs: reading without a restriction: {missing}\n".encode())
    if os.getppid() != parent:
        os._exit(1)  # it ended before this process could be bound to it

"""The process of a command that sees headers mounted: prepared, started, waited for."""

from __future__ import annotations

import errno
import os

from kheadersfs.errors import KheadersfsError, error_of_status, reason
from kheadersfs.forking import fork
from kheadersfs.mount.libc import UnsignedLong, call
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import NoReturn
else:
    import _signal as signal  # the enumerations around it take 4 ms to import

_PR_SET_PDEATHSIG = 1
_IN_NAMESPACE = b"in namespace "
FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a shell returns for a command that does not exist, or cannot be executed."""


class Run(Record):
    """What to run. ``environment`` is called with the mountpoint and returns all variables."""

    command: list[str]
    environment: Callable[[str], dict[str, str]]


class NoNamespace(Exception):
    """This user may not make the namespaces."""


def send_at_end_of_parent(number: int) -> None:
    """Have the kernel send signal *number* to this process when the one that forked it ends."""
    call("prctl", _PR_SET_PDEATHSIG, UnsignedLong(number), 0, 0, 0)


def end_with_parent(parent: int, number: int) -> None:
    """Have the kernel send signal *number* to this process when *parent*, which forked it, ends.

    If *parent* has ended already, this process ends at once.
    """
    send_at_end_of_parent(number)
    if os.getppid() != parent:
        os._exit(1)


class Child:
    """The process. *prepare* runs in it first, and returns the mountpoint.

    ``namespace`` is the number of the mount namespace that the command runs in, once it has
    started; None where there is no /proc to ask.
    """

    def __init__(self, prepare: Callable[[], str], run: Run) -> None:
        """Start it. Raises KheadersfsError when there is no room for a process."""
        self.namespace: int | None = None
        self._parent = os.getpid()
        self._reports, reports = os.pipe()
        try:
            self.pid = fork()
        except KheadersfsError:
            os.close(self._reports)
            os.close(reports)
            raise
        if self.pid == 0:
            self._become_command(prepare, run, reports)
        os.close(reports)

    def _become_command(self, prepare: Callable[[], str], run: Run, reports: int) -> NoReturn:
        """Prepare and execute; what goes wrong is reported through the pipe."""
        try:
            mountpoint = prepare()
            namespace = _namespace_of("self")
            if namespace is not None:
                os.write(reports, b"%s%d\n" % (_IN_NAMESPACE, namespace))
            end_with_parent(self._parent, signal.SIGKILL)
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            environment = run.environment(mountpoint)
            try:
                os.execvpe(run.command[0], run.command, environment)
            except OSError as error:
                is_there = _is_there(run.command[0], environment)
                absent = isinstance(error, FileNotFoundError) or not is_there
                why = reason(error) if is_there else os.strerror(errno.ENOENT)
                text = f"{run.command[0]}: cannot be run: {why}"
                status = NOT_FOUND if absent else NOT_EXECUTABLE
                os.write(reports, f"{status} {text}".encode(errors="surrogateescape"))
        except NoNamespace:
            os.write(reports, b"0 ")
        except KheadersfsError as error:
            os.write(reports, f"{error.exit_status} {error}".encode(errors="surrogateescape"))
        except Exception as error:  # noqa: BLE001 - the caller would take silence for success
            text = f"{run.command[0]}: cannot be run: {error!r}; please report this"
            os.write(reports, f"{KheadersfsError.exit_status} {text}".encode(errors="replace"))
        finally:
            os._exit(1)

    def await_start(self) -> None:
        """Return when the command is running. Raises what its process reported instead."""
        with os.fdopen(self._reports, "rb") as reports:
            report = reports.read()
        if report.startswith(_IN_NAMESPACE):
            number, _, report = report.removeprefix(_IN_NAMESPACE).partition(b"\n")
            self.namespace = int(number)
        if not report:
            return
        os.waitpid(self.pid, 0)
        status, _, text = report.decode(errors="surrogateescape").partition(" ")
        if status == "0":
            raise NoNamespace
        error = error_of_status(int(status))(text)
        error.exit_status = int(status)
        raise error

    def wait(self, await_end: Callable[[int], None] | None = None) -> int:
        """Wait for the command's end, passing on signals. Returns its exit status.

        *await_end*, if there is one, is called first, and returns when the pid has ended.
        """
        descriptor = os.pidfd_open(self.pid)

        def pass_on(number: int, _frame: object) -> None:
            try:
                signal.pidfd_send_signal(descriptor, number)
            except ProcessLookupError:
                pass  # it has just ended

        handlers = {number: signal.signal(number, pass_on) for number in FORWARDED_SIGNALS}
        # The terminal sends these to the command as well; it decides what they mean.
        for number in (signal.SIGINT, signal.SIGQUIT):
            handlers[number] = signal.signal(number, signal.SIG_IGN)
        if await_end is not None:
            await_end(self.pid)
        _, status = os.waitpid(self.pid, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def has_left_processes(self) -> bool:
        """Tell whether anybody is in the command's mount namespace; without /proc, so it is said.

        Of what may not be asked, as it runs for another user, it is said not to be there.
        """
        if self.namespace is None:
            return True
        from kheadersfs.mount.processes import all_processes  # 1 ms, which only this pays

        return any(_namespace_of(process) == self.namespace for process in all_processes())


def _is_there(command: str, environment: dict[str, str]) -> bool:
    """Tell whether there is a file for *command*, which may be a path.

    execvp(3) says that a permission is lacking, also where no directory of PATH has such a file,
    when one may not be searched, or has a directory of that name.
    """
    if "/" in command:
        return os.path.exists(command)
    places = os.get_exec_path(environment)
    return any(os.path.isfile(os.path.join(place, command)) for place in places)


def _namespace_of(process: int | str) -> int | None:
    """Return the number of the mount namespace of *process*, None if it may not be asked."""
    try:
        return os.stat(f"/proc/{process}/ns/mnt").st_ino
    except OSError:
        return None

"""One command in a mount of its own, which vanishes with it.

The command gets a mount namespace, and the mount exists only there. So there is nothing to clean
up: when the last process of the namespace ends, however it ends, the kernel takes the mount away
and the server, which lives outside, sees that and ends too. An ordinary user makes a user namespace
around it; where that is forbidden, fusermount3 mounts in a temporary directory.

Three processes: the caller waits, the server serves, the command runs.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
from contextlib import suppress

from kheadersfs.errors import (
    FuseUnavailable,
    KheadersfsError,
    MountpointError,
    error_of_status,
    reason,
)
from kheadersfs.forking import fork
from kheadersfs.fuse import mounting, starting
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from kheadersfs.archive.opening import Archive

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_PR_SET_PDEATHSIG = 1
PLACES = ("/sys/fs/fuse/connections", "/mnt", "/media", "/srv")
"""Directories that are always there and that nothing inside a private namespace needs."""
FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
SERVER_PATIENCE = 2.0
"""Seconds to wait for the server; it stays longer only if the command left processes behind."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a shell returns for a command that does not exist, or cannot be executed."""


class Run(Record):
    """What to run. ``environment`` is called with the mountpoint and returns all variables."""

    command: list[str]
    environment: Callable[[str], dict[str, str]]


class Ended(Record):
    """How it ended: the command's exit status, 128 + N for signal N, and the server's.

    ``complaints`` are the errors in the server's log, a line each.
    """

    status: int
    server: int
    complaints: str = ""

    @property
    def report(self) -> str:
        """What there is to say of the server, in lines; empty if all is well."""
        if not self.server or self.complaints:
            return self.complaints
        return (
            f"kheadersfs: the server of the headers failed (status {self.server}); its log says "
            "why, which --log FILE puts into a file\n"
        )


class _NoNamespace(Exception):
    """This user may not make the namespaces."""


def run_command(archive: Archive, run: Run, options: starting.ServeOptions) -> Ended:
    """Run a command that sees *archive* mounted. Returns how it ended.

    Raises FuseUnavailable, MountpointError, or KheadersfsError with status 127 or 126 when the
    command cannot be started.
    """
    # The server may outlive this process, and must neither hold its standard error nor wait for it.
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    options = options._replace(complaints=writing)
    try:
        try:
            ended = _run_in_namespace(archive, run, options)
        except _NoNamespace:
            ended = _run_in_temporary_directory(archive, run, options)
        return ended._replace(complaints=_read_available(reading))
    finally:
        os.close(reading)
        os.close(writing)


def _read_available(descriptor: int) -> str:
    """Return what is in the pipe *descriptor*, which does not block."""
    pieces: list[bytes] = []
    with suppress(BlockingIOError):
        while piece := os.read(descriptor, 1 << 16):
            pieces.append(piece)
    return b"".join(pieces).decode(errors="backslashreplace")


def _run_in_namespace(archive: Archive, run: Run, options: starting.ServeOptions) -> Ended:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = starting.fork_server(lambda: _serve_received(archive, ours, theirs, options))
        ours.close()
        command = _Child(lambda: _enter_namespace(theirs, archive.source.name), run)
        theirs.close()
        try:
            command.await_start()
        except BaseException:
            _await_server(server)
            raise
        status = command.wait()
    return Ended(status, _await_server(server))


def _serve_received(
    archive: Archive, ours: socket.socket, theirs: socket.socket, options: starting.ServeOptions
) -> None:
    """Serve the mount whose descriptor the command's process sends. Runs in the server."""
    theirs.close()
    starting.serve(archive, lambda: _receive_descriptor(ours), "", options)


def _receive_descriptor(connection: socket.socket) -> int | None:
    """Return the descriptor that is sent over *connection*, None if its sender gave up."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    connection.close()
    return descriptors[0] if descriptors else None


def _enter_namespace(connection: socket.socket, source: str) -> str:
    """Make the namespace and the mount, send its descriptor. Returns the mountpoint.

    Runs in the process that becomes the command. Raises KheadersfsError, _NoNamespace.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        _enter_user_namespace(libc)
    # Mounts of the host appear in here; the one made in here stays in here.
    if libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None):
        raise _NoNamespace
    place = next((place for place in PLACES if os.path.isdir(place)), None)
    if place is None:
        raise FuseUnavailable(f"none of {', '.join(PLACES)} exists to mount at")
    try:
        device = mounting.mount_directly(mounting.MountRequest(source, place, allow_other=False))
    except mounting.MountNotPermitted as error:
        raise _NoNamespace from error
    socket.send_fds(connection, [b"+"], [device])
    os.close(device)
    return place


def _enter_user_namespace(libc: ctypes.CDLL) -> None:
    """Make a user namespace in which this user stays who he is, and a mount namespace in it."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS):
        raise _NoNamespace
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w") as control:
                control.write(text)
        except OSError as error:
            raise _NoNamespace from error


def _send_at_end_of_parent(number: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def end_with_parent(parent: int, number: int) -> None:
    """Have the kernel send signal *number* to this process when *parent*, which forked it, ends."""
    _send_at_end_of_parent(number)
    if os.getppid() != parent:
        os._exit(1)  # it has ended already


class _Child:
    """The command's process: prepared, started, waited for."""

    def __init__(self, prepare: Callable[[], str], run: Run) -> None:
        self._parent = os.getpid()
        self._reports, reports = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            self._become_command(prepare, run, reports)
        os.close(reports)

    def _become_command(self, prepare: Callable[[], str], run: Run, reports: int) -> NoReturn:
        """Prepare and execute; what goes wrong is reported through the pipe."""
        try:
            mountpoint = prepare()
            end_with_parent(self._parent, signal.SIGKILL)
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            try:
                os.execvpe(run.command[0], run.command, run.environment(mountpoint))
            except OSError as error:
                status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
                text = f"{run.command[0]}: cannot be run: {reason(error)}"
                os.write(reports, f"{status} {text}".encode(errors="surrogateescape"))
        except _NoNamespace:
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
        if not report:
            return
        os.waitpid(self.pid, 0)
        status, _, text = report.decode(errors="surrogateescape").partition(" ")
        if status == "0":
            raise _NoNamespace
        error = error_of_status(int(status))(text)
        error.exit_status = int(status)
        raise error

    def wait(self) -> int:
        """Wait for the command's end, passing on signals. Returns its exit status."""
        descriptor = os.pidfd_open(self.pid)

        def pass_on(number: int, _frame: object) -> None:
            with suppress(ProcessLookupError):  # it has just ended
                signal.pidfd_send_signal(descriptor, number)

        handlers = {number: signal.signal(number, pass_on) for number in FORWARDED_SIGNALS}
        # The terminal sends these to the command as well; it decides what they mean.
        for number in (signal.SIGINT, signal.SIGQUIT):
            handlers[number] = signal.signal(number, signal.SIG_IGN)
        _, status = os.waitpid(self.pid, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def _await_server(pid: int) -> int:
    """Wait for the server to end, as long as that can be expected soon. Returns its exit status."""
    descriptor = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    status = 0
    if poller.poll(SERVER_PATIENCE * 1000):
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(descriptor)
    return status


def _run_in_temporary_directory(
    archive: Archive, run: Run, options: starting.ServeOptions
) -> Ended:
    """Mount through fusermount3 where others can see it too; the server cleans up."""
    import tempfile

    # Of another user's session it is still there after su, and of an old one not any more.
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parent = runtime if os.access(runtime, os.W_OK | os.X_OK) else None
    try:
        mountpoint = tempfile.mkdtemp(prefix="kheadersfs-", dir=parent)
    except OSError as error:
        raise KheadersfsError(
            f"no directory can be made to mount at: {reason(error)}; set TMPDIR to where one can"
        ) from error
    try:
        request = mounting.MountRequest(archive.source.name, mountpoint, allow_other=False)
        device = mounting.mount(request)
    except BaseException:
        os.rmdir(mountpoint)
        raise
    caller = os.getpid()
    try:
        server = starting.fork_server_of(
            mountpoint, lambda: _serve_while_alive(archive, device, mountpoint, options, caller)
        )
    except KheadersfsError:
        os.rmdir(mountpoint)
        raise
    os.close(device)
    try:
        command = _Child(lambda: mountpoint, run)
        command.await_start()
        status = command.wait()
    finally:
        # The command may have unmounted it, and then the server has removed the directory.
        with suppress(MountpointError):
            mounting.unmount(mountpoint, detach=True)
        server_status = _await_server(server)
        with suppress(OSError):
            os.rmdir(mountpoint)
    return Ended(status, server_status)


def _serve_while_alive(
    archive: Archive, device: int, mountpoint: str, options: starting.ServeOptions, caller: int
) -> None:
    """Serve until unmounted, or until the caller is killed; then remove the directory."""
    _send_at_end_of_parent(signal.SIGTERM)
    if os.getppid() != caller:
        mounting.unmount(mountpoint, detach=True)
    starting.serve(archive, lambda: device, mountpoint, options, directories=1)

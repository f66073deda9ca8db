"""One command in a mount of its own, which vanishes with it.

The command gets a mount namespace, and the mount exists only there. So there is nothing to clean
up: when the last process of the namespace ends, however it ends, the kernel takes the mount away
and the server, which lives outside, sees that and ends too. An ordinary user makes a user namespace
around it; where that is forbidden, fusermount3 mounts in a temporary directory.

Three processes: the caller waits, the server serves, the command runs.
"""

from __future__ import annotations

import os

from kheadersfs.archive.opening import is_address
from kheadersfs.errors import FuseUnavailable, KheadersfsError, MountpointError, reason
from kheadersfs.fuse import daemon
from kheadersfs.mount import direct, mounting
from kheadersfs.mount.libc import CLONE_NEWNS, CLONE_NEWUSER, UnsignedLong, call
from kheadersfs.mount.passing import connected_pair, receive_descriptor, send_descriptor
from kheadersfs.mount.request import MountRequest
from kheadersfs.mount.table import find_device
from kheadersfs.records import Record
from kheadersfs.run.child import Child, NoNamespace, Run, send_at_end_of_parent
from kheadersfs.run.lister import Lister
from kheadersfs.run.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from _socket import socket

    from kheadersfs.archive.opening import Archive
    from kheadersfs.fuse.options import ServeOptions
else:
    import _signal as signal  # the enumerations around it take 4 ms to import

_MS_REC, _MS_SLAVE = 0x4000, 0x80000
PLACES = ("/sys/fs/fuse/connections", "/mnt", "/media", "/srv")
"""Directories that are always there and that nothing inside a private namespace needs."""


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


def run_command(archive: Archive, run: Run, options: ServeOptions) -> Ended:
    """Run a command that sees *archive* mounted. Returns how it ended.

    If the server failed before the command could start, the server's status is also the one that
    is returned as the command's. Raises FuseUnavailable, MountpointError, or KheadersfsError with
    status 127 or 126 when the command cannot be started.
    """
    # The server may outlive this process, and must neither hold its standard error nor wait for it.
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    options = options._replace(complaints=writing)
    try:
        try:
            ended = _run_in_namespace(archive, run, options)
        except NoNamespace:
            ended = _run_in_temporary_directory(archive, run, options)
        return ended._replace(complaints=_read_available(reading))
    finally:
        os.close(reading)
        os.close(writing)


def _read_available(descriptor: int) -> str:
    """Return what is in the pipe *descriptor*, which does not block."""
    pieces: list[bytes] = []
    try:
        while piece := os.read(descriptor, 1 << 16):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces).decode(errors="backslashreplace")


def _run_in_namespace(archive: Archive, run: Run, options: ServeOptions) -> Ended:
    """Run the command in namespaces of its own. Raises NoNamespace where none can be made."""
    ours, theirs = connected_pair()
    try:
        server = Server(daemon.fork_server(lambda: _serve_received(archive, ours, theirs, options)))
        ours.close()
        try:
            command = Child(lambda: _enter_namespace(theirs, _source_of(archive)), run)
            command.await_start()
        except BaseException as error:
            theirs.close()  # so that the server waits for nothing any more
            failed = server.await_end(lambda: True)
            if failed and isinstance(error, MountpointError):  # which says only that nobody answers
                return _never_started(failed)
            raise
        place = _place()
        lister = Lister(command.pid, place)

        def await_client(pid: int) -> None:
            server.await_client(pid, theirs.fileno(), place)

        status = command.wait(await_client)
        lister.end(await_client)
    finally:
        ours.close()
        theirs.close()
    return Ended(status, server.await_end(command.has_left_processes))


def _source_of(archive: Archive) -> str:
    """Return what the table of mounts is to have: a path that means the same in any directory."""
    name = archive.source.name
    return name if is_address(name) else os.path.abspath(name)


def _never_started(server: int) -> Ended:
    """Return how it ended when the server failed, with the status *server*, before the command."""
    return Ended(server if server > 0 else KheadersfsError.exit_status, server)


def _serve_received(archive: Archive, ours: socket, theirs: socket, options: ServeOptions) -> None:
    """Serve the mount whose descriptor the command's process sends. Runs in the server."""
    theirs.close()
    # It stays open, so that this process is seen to end; see Server.await_client().
    daemon.serve(archive, lambda: receive_descriptor(ours), "", options)


def _enter_namespace(connection: socket, source: str) -> str:
    """Make the namespace and the mount, send its descriptor. Returns the mountpoint.

    Runs in the process that becomes the command. Raises KheadersfsError, NoNamespace.
    """
    if call("unshare", CLONE_NEWNS):
        _enter_user_namespace()
    # Mounts of the host appear in here; the one made in here stays in here.
    if call("mount", b"none", b"/", None, UnsignedLong(_MS_REC | _MS_SLAVE), None):
        raise NoNamespace
    place = _place()
    try:
        device = direct.mount(MountRequest(source, place, allow_other=False))
    except direct.MountNotPermitted as error:
        raise NoNamespace from error
    try:
        send_descriptor(connection, device)
    except OSError as error:
        raise MountpointError(f"{place}: its server has ended: {reason(error)}") from error
    os.close(device)
    return place


def _place() -> str:
    """Return the directory to mount at. Raises FuseUnavailable."""
    for place in PLACES:
        if os.path.isdir(place):
            return place
    raise FuseUnavailable(f"none of {', '.join(PLACES)} exists to mount at")


def _enter_user_namespace() -> None:
    """Make a user namespace in which this user stays who he is, and a mount namespace in it."""
    uid, gid = os.geteuid(), os.getegid()
    if call("unshare", CLONE_NEWUSER | CLONE_NEWNS):
        raise NoNamespace
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w") as control:
                control.write(text)
        except OSError as error:
            raise NoNamespace from error


def _run_in_temporary_directory(archive: Archive, run: Run, options: ServeOptions) -> Ended:
    """Mount through fusermount3 where others can see it too; the server cleans up."""
    import tempfile  # 6 ms, which only users without namespaces pay

    # After su the variable names another user's directory, and in an old session one that is gone.
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parent = runtime if os.access(runtime, os.W_OK | os.X_OK) else None
    try:
        made = tempfile.mkdtemp(prefix="kheadersfs-", dir=parent)
    except OSError as error:
        raise KheadersfsError(
            f"no directory can be made to mount at: {reason(error)}; set TMPDIR to where one can"
        ) from error
    mountpoint = os.path.realpath(made)  # as the table of mounts has it, in which it is looked for
    try:
        request = MountRequest(_source_of(archive), mountpoint, allow_other=False)
        device = mounting.mount(request)
    except BaseException:
        os.rmdir(mountpoint)
        raise
    caller = os.getpid()
    try:
        server = Server(
            daemon.fork_server_of(
                mountpoint, lambda: _serve_while_alive(archive, device, mountpoint, options, caller)
            )
        )
    except KheadersfsError:
        os.rmdir(mountpoint)
        raise
    finally:
        os.close(device)
    unanswered: MountpointError | None = None
    try:
        command = Child(lambda: mountpoint, run)
        command.await_start()
        status = command.wait()
    except MountpointError as error:
        unanswered = error
    finally:
        # The command may have unmounted it, and then the server has removed the directory.
        try:
            mounting.unmount(mountpoint, detach=True)
        except MountpointError:
            pass
        # Here the command had no mount namespace of its own by which to find what it left behind.
        server_status = server.await_end(lambda: True)
        try:
            os.rmdir(mountpoint)
        except OSError:
            pass
    if unanswered is None:
        return Ended(status, server_status)
    if server_status:
        return _never_started(server_status)
    raise unanswered


def _serve_while_alive(
    archive: Archive, device: int, mountpoint: str, options: ServeOptions, caller: int
) -> None:
    """Serve until unmounted, or until the caller is killed; then remove the directory."""
    send_at_end_of_parent(signal.SIGTERM)
    if os.getppid() != caller:
        mounting.unmount(mountpoint, detach=True)
    number = find_device(mountpoint)
    daemon.serve(archive, lambda: device, mountpoint, options, number, directories=1)

"""What an ordinary user may do, for real: as another user id, without capabilities to mount."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support import golden
from tests.support.mounting import (
    Outcome,
    command_line,
    is_running,
    mounts_below,
    run_command,
    run_words,
    wait_until,
)
from tests.support.processes import processes_mentioning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Mounting

NOBODY = 65534


class User(NamedTuple):
    """Another user: a directory of its own, and a way to run commands."""

    directory: Path

    def run(self, *command: str | Path, within: tuple[str, ...] = ()) -> Outcome:
        """Run *command* as this user, *within* what root's command of that name makes.

        It keeps one capability, to pass through directories: the interpreter and the repository
        may lie below somebody's closed home directory. That lets it neither mount nor write.
        """
        switch = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        keep = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
        return run_words(
            *(*within, *switch, *keep, "--bounding-set=+all", "--", *map(str, command)),
            HOME=str(self.directory),
            TMPDIR=str(self.directory),
        )


@pytest.fixture
def device_for_all(root: None, fuse: None) -> Iterator[None]:
    """Let everybody open /dev/fuse, as udev does where it runs."""
    before = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    os.chmod("/dev/fuse", 0o666)
    yield
    os.chmod("/dev/fuse", before)


@pytest.fixture
def user(root: None) -> Iterator[User]:
    """An ordinary user; nothing of what it mounts or writes survives the test."""
    if missing := [tool for tool in ("setpriv", "fusermount3") if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    # pytest's own directories are closed to others.
    directory = Path(tempfile.mkdtemp(prefix="kheadersfs-user-"))
    os.chown(directory, NOBODY, NOBODY)
    try:
        yield User(directory)
    finally:
        for mountpoint in mounts_below(directory):
            run_command("umount", "--lazy", mountpoint)
        shutil.rmtree(directory)


def make_mountpoint(user: User) -> Path:
    mountpoint = user.directory / "headers"
    mountpoint.mkdir()
    os.chown(mountpoint, NOBODY, NOBODY)
    return mountpoint


def server_of(user: User, mountpoint: Path) -> int:
    pid: int = json.loads(user.run(*command_line("status", "--json", mountpoint)).output)["pid"]
    return pid


def test_an_ordinary_user_mounts_reads_and_unmounts(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    mountpoint = make_mountpoint(user)
    log = user.directory / "log"
    mounted = user.run(*command_line("mount", "--log", log, small_archive, mountpoint))
    assert mounted == Outcome(0, "", "")
    server = server_of(user, mountpoint)
    assert os.stat(f"/proc/{server}").st_uid == NOBODY
    assert user.run("cat", mountpoint / "modes/644") == Outcome(0, "mode\n", "")
    # Only whoever mounted it may look, not even root.
    with pytest.raises(PermissionError):
        os.listdir(mountpoint)
    assert user.run(*command_line("umount", mountpoint)) == Outcome(0, "", "")
    wait_until(lambda: not is_running(server), "the server ended")
    assert not mounts_below(mountpoint)
    assert log.read_text() == ""


def test_an_ordinary_users_mount_may_be_one_without_programs(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    mountpoint = make_mountpoint(user)
    mounted = user.run(*command_line("mount", "-o", "noexec", small_archive, mountpoint))
    assert mounted == Outcome(0, "", "")
    assert "Permission denied" in user.run("env", mountpoint / "modes/755").errors
    assert "noexec" in run_words("findmnt", "--output=OPTIONS", str(mountpoint)).output
    assert user.run(*command_line("umount", mountpoint)) == Outcome(0, "", "")


def test_an_ordinary_users_idle_mount_goes_away(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    mountpoint = make_mountpoint(user)
    mounted = user.run(*command_line("mount", "--idle-timeout=0.3", small_archive, mountpoint))
    assert mounted == Outcome(0, "", "")
    # It may be gone before this process comes to ask for the server.
    named = bytes(mountpoint)
    wait_until(lambda: not processes_mentioning(named), "the server and its guardian ended")
    assert not mounts_below(mountpoint)


def test_an_ordinary_user_cannot_unmount_what_another_mounted(
    mount: Mounting, user: User, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    outcome = user.run(*command_line("umount", mounted.path))
    assert outcome.status in (10, 15)
    assert outcome.errors.count("\n") == 1
    assert mounts_below(mounted.path)


def test_others_may_look_only_when_they_are_let_in(
    mount: Mounting, user: User, small_archive: Path, synthetic_tree: Path
) -> None:
    closed = mount(small_archive)
    opened = mount(small_archive, "-o", "allow_other")
    assert user.run("cat", closed / "modes/644").status == 1
    assert user.run("cat", opened / "modes/644") == Outcome(0, "mode\n", "")
    assert golden.digest_of(closed / "sizes/513") == golden.digest_of(synthetic_tree / "sizes/513")


@pytest.mark.parametrize("command", ["env", "cflags"])
def test_one_who_is_not_let_in_is_told_so(
    mount: Mounting, small_archive: Path, user: User, command: str
) -> None:
    mounted = mount(small_archive)
    outcome = user.run(*command_line(command, mounted.path))
    assert outcome.status == 2
    assert "may not be read by this user: whoever mounted it has to say" in outcome.errors


def test_those_who_are_let_in_may_do_what_the_modes_permit(
    mount: Mounting, user: User, small_archive: Path
) -> None:
    opened = mount(small_archive, "-o", "allow_other")
    # On the way there the capability of User.run is needed, to read it must be gone.
    script = 'cd "$1" && exec setpriv --inh-caps=-all --ambient-caps=-all cat "$2"'
    for name, readable in (("644", True), ("444", True), ("600", False), ("640", False)):
        outcome = user.run("sh", "-c", script, "sh", opened / "modes", name)
        assert (outcome.status == 0) is readable, (name, outcome)


# In a changed root directory the kernel makes no user namespace, as if it were configured so.
WITHOUT_USER_NAMESPACES = (
    *("unshare", "--mount", "--propagation=slave", "sh", "-c"),
    *('mount --rbind / /mnt && exec chroot /mnt "$@"', "sh"),
)
WAYS = {"in a user namespace": (), "through fusermount3": WITHOUT_USER_NAMESPACES}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_ordinary_user_runs_a_command_in_a_mount_of_its_own(
    device_for_all: None, user: User, way: tuple[str, ...], small_archive: Path
) -> None:
    script = 'id -u; cat "$KHEADERS/modes/644"; echo "$KHEADERS"; exit 7'
    run = command_line("run", "--archive", small_archive, "sh", "-c", script)
    outcome = user.run(*run, within=way)
    uid, content, place = outcome.output.splitlines()
    assert (outcome.status, uid, content, outcome.errors) == (7, str(NOBODY), "mode", "")
    # Only where others see the mount it needs a directory of its own.
    assert place.startswith(str(user.directory)) is bool(way)
    assert list(user.directory.iterdir()) == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_to_an_ordinary_user_only_what_can_be_executed_is_said_to_be(
    device_for_all: None, user: User, way: tuple[str, ...], small_archive: Path
) -> None:
    script = 'cd "$KHEADERS/modes" && find . -type f -executable | sort && test -r 600'
    run = command_line("run", "--archive", small_archive, "sh", "-c", script)
    outcome = user.run(*run, within=way)
    assert outcome == Outcome(0, "./700\n./755\n", "")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left_when_an_ordinary_users_run_is_killed(
    device_for_all: None, user: User, way: tuple[str, ...], small_archive: Path
) -> None:
    ready = user.directory / "ready"
    # The command kills its own wrapper, which is its parent.
    script = f'cat "$KHEADERS/modes/644" >"{ready}"; kill -KILL $PPID; exec sleep 600'
    run = command_line("run", "--archive", small_archive, "sh", "-c", script)
    assert user.run(*run, within=way).status == -signal.SIGKILL
    assert ready.read_text() == "mode\n"
    wait_until(lambda: list(user.directory.iterdir()) == [ready], "the directory is gone")
    assert mounts_below(user.directory) == []


def test_nothing_is_left_where_the_temporary_directory_is_a_symbolic_link(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    """Its mount is in the table under the real name of the directory."""
    link = user.directory / "link"
    link.symlink_to(user.directory)
    run = command_line(
        "run", "--archive", small_archive, "sh", "-c", "kill -KILL $PPID; exec sleep 600"
    )
    run = ["env", f"TMPDIR={link}", "XDG_RUNTIME_DIR=", *run]
    assert user.run(*run, within=WITHOUT_USER_NAMESPACES).status == -signal.SIGKILL
    wait_until(lambda: list(user.directory.iterdir()) == [link], "the directory is gone")
    assert mounts_below(user.directory) == []


def test_without_fusermount3_the_message_says_what_to_install(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    mountpoint = make_mountpoint(user)
    outcome = user.run("env", "PATH=/nowhere", *command_line("mount", small_archive, mountpoint))
    assert outcome.status == 15
    assert "fuse3" in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert not mounts_below(mountpoint)


def test_who_gets_no_rights_by_fusermount3_is_told_what_is_missing(
    device_for_all: None, user: User, small_archive: Path
) -> None:
    mountpoint = make_mountpoint(user)
    mounting = command_line("mount", small_archive, mountpoint)
    outcome = user.run("setpriv", "--no-new-privs", *mounting)
    assert outcome.status == 15
    assert "a container needs --cap-add SYS_ADMIN" in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert not mounts_below(mountpoint)


def test_a_directory_that_may_not_be_looked_into_is_no_mountpoint(
    mount: Mounting, user: User, small_archive: Path
) -> None:
    closed = mount(small_archive)
    outcome = user.run(*command_line("mount", small_archive, closed.path))
    assert outcome.status == 10
    assert outcome.errors.endswith(": Permission denied; name a directory of yours\n")


def test_a_closed_device_is_reported(
    root: None, fuse: None, user: User, small_archive: Path
) -> None:
    if stat.S_IMODE(os.stat("/dev/fuse").st_mode) & 0o006:
        pytest.skip("kernel: /dev/fuse is open to everybody here")
    mountpoint = make_mountpoint(user)
    outcome = user.run(*command_line("mount", small_archive, mountpoint))
    assert outcome.status == 15
    assert "/dev/fuse" in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert not mounts_below(mountpoint)

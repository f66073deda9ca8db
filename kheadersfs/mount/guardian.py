"""The process that unmounts for a server that has given up the right to.

It never sees a byte of the archive: it waits on a pipe, for a word from the server or for its end,
so that a server that is killed leaves no dead mount behind. It is a shell, because that takes
0.1 MB of memory, and a fork of this interpreter would take 8.

The shell remembers the device number of the file system, which is unique as long as that exists,
so it never unmounts what somebody else has mounted in the same place since.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

from kheadersfs.errors import KheadersfsError, reason
from kheadersfs.mount.mountpoint import RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "kheadersfs-guardian"
"""What a guardian is called in the list of processes."""
_SHELL = "/bin/sh"
# $1 the mountpoint, $2 the same as mountinfo has it, $3 and $4 the commands that unmount it when
# it is not in use and in any case, $5 how many directories were made for it, and $6 the name of the
# file that says so. umount without -c asks what the root is, for which all of an archive may have
# to be read; busybox knows no -c, and has status 1 then.
_SCRIPT = r"""
cd /
trap '' HUP INT TERM
ulimit -v 65536
at=$2
# In the shell itself: a subshell would keep the pipe open when the shell is killed meanwhile.
find_device() {
    device=
    while read -r _ _ number _ where _; do
        [ "$where" = "$at" ] && device=$number
    done </proc/self/mountinfo
}
# In the shell itself too: no name matches, but all are read.
list() { : "$1"/*."$0"; }
ours() { find_device; [ "$mine" ] && [ "$device" = "$mine" ]; }
undo() { $1 -- "$2" || { [ $? -eq 1 ] && ${1% -c} -- "$2"; }; }
find_device
mine=$device
while read -r word path; do
    case $word in
        list) ours && for directory in $path; do list "$1/$directory"; done ;;
        unmount) ours && undo "$3" "$1" ;;
        detach) ours && undo "$4" "$1" ;;
        gone) mine= && break ;;
    esac
done
# To stat it would not do: the kernel may still know what the dead server said.
ours && ! true <"$1" && undo "$4" "$1"
count=$5
directory=$1
[ "$count" -gt 0 ] && rm -f -- "$1/$6"
while [ "$count" -gt 0 ] && rmdir -- "$directory"; do
    directory=${directory%/*}
    count=$((count - 1))
done
exit 0
"""
_PLAIN = b"/._-+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What no shell finds anything in."""
_FAREWELL = 1.0
"""Seconds that a guardian may take to end."""


class Guardian:
    """The guardian of one mount, seen from its server.

    *escaped* is the mountpoint as /proc/self/mountinfo writes it. *directories* were made for the
    mount, the mountpoint and those above it; they are removed once nothing is mounted there.
    """

    def __init__(self, mountpoint: str, escaped: bytes, directories: int) -> None:
        """Start it. Raises KheadersfsError when that fails."""
        commands = ("umount -c", "umount -l -c")
        if os.geteuid() != 0:
            commands = ("fusermount3 -u", "fusermount3 -u -z")
        reading, self._pipe = os.pipe()
        arguments = (mountpoint, escaped, *commands, str(directories), RECORD)
        try:
            self.pid = os.posix_spawn(
                _SHELL,
                (NAME, "-c", _SCRIPT, NAME, *arguments),
                {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGCHLD),  # servers ignore these
            )
        except OSError as error:
            os.close(self._pipe)
            raise KheadersfsError(
                f"{mountpoint}: {_SHELL}, which is to unmount it, cannot be started: "
                f"{reason(error)}"
            ) from error
        finally:
            os.close(reading)
        self._end = os.pidfd_open(self.pid)
        # A guardian that does not read any more must not stop its server.
        os.set_blocking(self._pipe, False)

    def unmount(self) -> None:
        """Have the mount undone if it is not in use. Raises KheadersfsError."""
        self._say(b"unmount\n")

    def detach(self) -> None:
        """Have the mount undone in any case; what is open stays readable.

        Raises KheadersfsError.
        """
        self._say(b"detach\n")

    def list(self, directories: Iterable[bytes]) -> None:
        """Have *directories* listed, paths below the mountpoint, so that the kernel has the names.

        Left out are those that a shell would not take as they are, and the last ones where they do
        not fit a message. They are told at once, as the guardian looks for its mount each time,
        which takes a system call for each byte of the table of mounts. Raises KheadersfsError.
        """
        line = b"list"
        for path in directories:
            if not path.translate(None, _PLAIN) and len(line) + len(path) < select.PIPE_BUF - 1:
                line += b" " + path
        self._say(line + b"\n")

    def dismiss(self) -> None:
        """Say that there is nothing mounted any more, and wait for the guardian's end."""
        with contextlib.suppress(KheadersfsError):  # it is gone already: all the better
            self._say(b"gone\n")
        poller = select.poll()
        poller.register(self._end, select.POLLIN)
        poller.poll(_FAREWELL * 1000)

    def _say(self, word: bytes) -> None:
        try:
            os.write(self._pipe, word)
        except OSError as error:
            raise KheadersfsError(
                f"the process that unmounts (guardian {self.pid}) does not listen: {reason(error)}"
            ) from error

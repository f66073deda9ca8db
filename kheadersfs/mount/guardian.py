"""The guardian: a process that unmounts for a server, which has given up the right to.

It reads commands from a pipe. At the end of the pipe, when the server has ended without a word, it
unmounts, so that a server that is killed leaves no dead mount behind. It never reads a byte of the
archive. It is a shell, because a shell takes 0.1 MB of memory, and a fork of this interpreter would
take 8 MB.

The guardian is told the device number of the file system. No other file system has the same number
as long as this one exists. So it never unmounts what somebody else has mounted in the same place
since.
"""

from __future__ import annotations

import os
import select

from kheadersfs.bare import suppress
from kheadersfs.errors import KheadersfsError, reason
from kheadersfs.mount.mountpoint import RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
else:
    import _signal as signal  # see forking

NAME = "kheadersfs-guardian"
"""What a guardian is called in the list of processes."""
_SHELL = "/bin/sh"
# The arguments: $1 is the mountpoint, and $2 the same as mountinfo has it. $3 is the device number
# of the file system. $4 is the command that unmounts it if it is not in use, $5 the one that does
# so in any case, and $6 the one that first has all requests fail. $7 is how many directories were
# made for it, and $8 the name of the file in it that says so.
# Without -c, umount asks for the attributes of the root, for which the server may have to read the
# whole archive. busybox's umount has no -c, and ends with status 1 if it is given one.
_SCRIPT = r"""
cd /
trap '' HUP INT TERM
ulimit -v 65536
at=$2
mine=$3
# These functions start no subshell: it would keep the pipe open if the shell were killed meanwhile.
find_device() {
    device=
    while read -r _ _ number _ where _; do
        [ "$where" = "$at" ] && device=$number
    done </proc/self/mountinfo
}
# To match this pattern, which no name does, the shell reads all names of the directory. No symlink
# is followed to look for another name.
ask() { case $1 in */) : "$1"*."$0" ;; *) [ -h "$1" ] ;; esac; }
ours() { find_device; [ "$mine" ] && [ "$device" = "$mine" ]; }
undo() { $1 -- "$2" || { [ $? -eq 1 ] && ${1% -c} -- "$2"; }; }
abort() { echo 1 >"/sys/fs/fuse/connections/${mine#*:}/abort"; }
while read -r word path; do
    case $word in
        ask) ours && for name in $path; do ask "$1/$name"; done ;;
        unmount) ours && undo "$4" "$1" ;;
        detach) ours && undo "$5" "$1" ;;
        gone) mine= && break ;;
    esac
done
# For statfs(2) the kernel always asks the server, and it fails if that is dead. Attributes it may
# have in its cache, and a directory it may open without asking. It waits for an answer if a thread
# of the dead server has to wait for one too, and so keeps the device open; see fuse.descriptors.
ours && ! timeout -s KILL 5 stat -f "$1" && { abort; undo "$6" "$1"; }
count=$7
directory=$1
[ "$count" -gt 0 ] && rm -f -- "$1/$8"
while [ "$count" -gt 0 ] && rmdir -- "$directory"; do
    directory=${directory%/*}
    count=$((count - 1))
done
exit 0
"""
_PLAIN = b"/._-+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Characters that mean nothing special to a shell."""
MOST_MESSAGES = 8
"""How many messages of PIPE_BUF bytes there may be to ask for names. The pipe has to take them all,
and the next command too. They are as large as they can be, because the guardian looks for its mount
at each, which takes a system call for each byte of the table of mounts."""
LONGEST_PATH = 1024
"""Bytes of a path to ask for, so that one fits into a message."""
_FAREWELL = 1.0
"""Seconds for which a server waits for its guardian to end."""


class Guardian:
    """The guardian of one mount, as its server uses it.

    *number* is the device number of its file system, and *escaped* the mountpoint, both as
    /proc/self/mountinfo has them. *directories* is how many directories were made for the mount:
    the mountpoint and its parents. The guardian removes them once nothing is mounted there. Raises
    KheadersfsError if the process cannot be started.
    """

    def __init__(self, mountpoint: str, escaped: bytes, number: bytes, directories: int) -> None:
        commands = ("umount -c", "umount -l -c", "umount -f -l -c")
        if os.geteuid() != 0:
            commands = ("fusermount3 -u", "fusermount3 -u -z", "fusermount3 -u -z")
        reading, self._pipe = os.pipe()
        arguments = (mountpoint, escaped, number, *commands, str(directories), RECORD)
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
        # The server must not block when the guardian does not read any more.
        os.set_blocking(self._pipe, False)

    def unmount(self) -> None:
        """Have the guardian unmount if the mount is not in use. Raises KheadersfsError."""
        self._say(b"unmount\n")

    def detach(self) -> None:
        """Have the guardian detach the mount. What is open stays readable until it is closed.

        Raises KheadersfsError.
        """
        self._say(b"detach\n")

    def ask_for(self, paths: Iterable[bytes]) -> None:
        """Have the guardian ask the server for *paths* below the mountpoint, in their order.

        It lists a directory, whose path ends with a slash, and looks for any other name. A path is
        left out if a shell would take it for something else. What does not fit into MOST_MESSAGES
        is left out too. Raises KheadersfsError.
        """
        line, messages = b"ask", 0
        for path in paths:
            if path.translate(None, _PLAIN) or len(path) > LONGEST_PATH:
                continue
            if len(line) + len(path) + 2 > select.PIPE_BUF:
                self._say(line + b"\n")
                line, messages = b"ask", messages + 1
                if messages == MOST_MESSAGES:
                    return
            line += b" " + path
        self._say(line + b"\n")

    def dismiss(self) -> None:
        """Tell the guardian that nothing is mounted any more, and wait until it has ended.

        Waits for _FAREWELL seconds at most.
        """
        with suppress(KheadersfsError):  # it has ended already
            self._say(b"gone\n")
        poller = select.poll()
        poller.register(self._end, select.POLLIN)
        poller.poll(_FAREWELL * 1000)

    def _say(self, word: bytes) -> None:
        """Send a message to the guardian. Raises KheadersfsError if it cannot be sent."""
        try:
            os.write(self._pipe, word)
        except OSError as error:
            raise KheadersfsError(
                f"the process that unmounts (guardian {self.pid}) does not listen: {reason(error)}"
            ) from error

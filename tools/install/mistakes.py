#!/usr/bin/env python3
"""Make the mistakes that users make, and print what they are told: mistakes.py ARCHIVE.

Runs the kheadersfs that PATH has, in a directory of its own, as whoever calls it. Each mistake has
the status that it must have and a word of the message that helps; all messages are printed, to be
looked at as a user would. Ends with status 1 if one of them is not as it must be, or anything is
left mounted. Needs nothing but Python.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

SETTING_UP = r"""
cp "$1" k.tar.xz
mkdir m 'two words' full "$(printf 'new\nline')" "$(printf 'm\351')"
python3 -c 'import zipfile; zipfile.ZipFile("k.zip", "w").writestr("include/a.h", "")'
head -c 200000 k.tar.xz >cut.tar.xz
: >empty.tar.xz
head -c 5000 /dev/zero >zeros.tar
mkfifo pipe
ln -s nowhere dangling
cp k.tar.xz unreadable; chmod 000 unreadable
"""


class Mistake(NamedTuple):
    """What is typed, the statuses it may end with, and what the message must have in it."""

    line: str
    statuses: tuple[int, ...]
    word: str


MISTAKES = (
    # Wrong order, missing values, one word too many.
    Mistake("kheadersfs mount m k.tar.xz", (11,), "ARCHIVE comes first: is it k.tar.xz"),
    Mistake("kheadersfs mount k.tar.xz", (10, 14), "name a MOUNTPOINT"),
    Mistake("kheadersfs mount k.tar.xz m n", (2,), "n"),
    Mistake("kheadersfs umount", (10, 11), "nothing is mounted"),
    Mistake("kheadersfs umount k.tar.xz", (10,), "k.tar.xz"),
    Mistake("kheadersfs umount m", (10,), "not"),
    Mistake("kheadersfs ls include/linux k.tar.xz", (11,), "k.tar.xz"),
    Mistake("kheadersfs cat k.tar.xz", (2,), "PATH"),
    Mistake("kheadersfs run k.tar.xz -- true", (2, 127), "--archive"),
    Mistake("kheadersfs run --archive k.tar.xz", (2,), "COMMAND"),
    Mistake("kheadersfs run --archive k.tar.xz -- nosuchcommand", (127,), "nosuchcommand"),
    Mistake("kheadersfs run --archive", (2,), "--archive"),
    Mistake("kheadersfs pack -o out.tar.zst", (2, 10, 11, 1), "srctree"),
    Mistake("kheadersfs repack k.tar.xz", (2,), "-o"),
    Mistake("kheadersfs mount -o k.tar.xz m", (2,), "k.tar.xz"),
    Mistake("kheadersfs mount --limit members k.tar.xz m", (2,), "NAME=NUMBER"),
    Mistake("kheadersfs", (2,), "kheadersfs help"),
    # Misspelled.
    Mistake("kheadersfs mout k.tar.xz m", (2,), "mount"),
    Mistake("kheadersfs --verison", (2,), "--version"),
    Mistake("kheadersfs mount --foregroud k.tar.xz m", (2,), "--foreground"),
    Mistake("kheadersfs --json status", (2,), "after the command"),
    Mistake("kheadersfs mount k.tar.xy m", (11,), "k.tar.xy"),
    Mistake("kheadersfs mount k.tar.xz nosuch", (10,), "mkdir"),
    Mistake("kheadersfs cat k.tar.xz include/linux/shed.h", (16,), "kheadersfs ls"),
    Mistake("kheadersfs cat k.tar.xz include/linux", (2,), "is a directory"),
    # What is no archive of headers.
    Mistake("kheadersfs mount k.zip m", (12,), "zip"),
    Mistake("(cat k.tar.xz >pipe &) 2>/dev/null; kheadersfs mount pipe m", (11,), "pipe"),
    Mistake("kheadersfs info - <k.tar.xz", (11,), "standard input"),
    Mistake("kheadersfs mount ftp://host/k.tar.xz m", (11,), "curl"),
    Mistake("kheadersfs mount http://127.0.0.1:9/k.tar.xz m", (1, 2, 11), "127.0.0.1"),
    Mistake("kheadersfs info m", (11,), "is a directory"),
    Mistake("kheadersfs verify cut.tar.xz", (13,), "cut.tar.xz"),
    Mistake("kheadersfs mount empty.tar.xz m", (12,), "empty"),
    Mistake("kheadersfs info zeros.tar", (12, 13), "zeros.tar"),
    Mistake("kheadersfs info /dev/null", (11,), "/dev/null"),
    Mistake("kheadersfs info dangling", (11,), "dangling"),
    Mistake("kheadersfs mount k.tar.xz k.tar.xz", (10,), "not a directory"),
    # What is written, and where.
    Mistake("kheadersfs repack k.tar.xz -o out.tar.foo", (2,), ".tar.zst"),
    Mistake("kheadersfs repack k.tar.xz -o nodir/out.tar.zst", (1, 2), "nodir"),
    Mistake("kheadersfs pack --srctree nodir -o out.tar.zst", (1, 2, 11), "nodir"),
    Mistake("kheadersfs env nodir", (1, 2, 10, 11), "nodir"),
    Mistake("kheadersfs ls k.tar.xz >/dev/full", (1,), "space"),
    Mistake("kheadersfs ls k.tar.xz >&-", (1,), ""),
    Mistake("kheadersfs help >&-", (1,), ""),
    Mistake("kheadersfs cat k.tar.xz include/linux/sched.h >/dev/full", (1,), "space"),
    Mistake(
        "kheadersfs run --record /dev/full --archive k.tar.xz -- "
        "sh -c 'cat $KHEADERS/include/linux/sched.h >/dev/null'",
        (1,),
        "space",
    ),
    # Odd surroundings.
    Mistake("env -u HOME kheadersfs ls k.tar.xz include/linux/kconfig.h", (0,), "kconfig.h"),
    Mistake("env -u HOME kheadersfs run -- true", (0, 1, 11), ""),
    Mistake("HOME=/proc/nowhere kheadersfs run -- true", (0, 1, 11), ""),
    Mistake("LANG=C LC_ALL=C PYTHONUTF8=0 kheadersfs mount k.tar.xz mé", (10,), "mkdir"),
    Mistake("COLUMNS=20 kheadersfs mount", (10, 11), ""),
    Mistake("COLUMNS=20 kheadersfs umount --help", (0,), "umount"),
    Mistake("TERM=dumb kheadersfs status", (0,), ""),
    Mistake('kheadersfs run --archive k.tar.xz -- sh -c "exit 7"', (7,), ""),
    Mistake("cp zeros.tar \"$(printf 'x\\ny')\"; kheadersfs info x*", (12,), "x\\ny"),
    Mistake("kheadersfs mount k.tar.xz \"$(printf 'none\\351')\"", (10,), "mkdir"),
)

WORKS = (
    # What looks like a mistake and is none; each leaves nothing mounted.
    "mount k.tar.xz 'two words' && ls 'two words' && umount 'two words'",
    'd="$(printf "new\\nline")"; mount k.tar.xz "$d" && ls "$d" && umount "$d"',
    'd="$(printf "m\\351")"; mount k.tar.xz "$d" && ls "$d" && umount "$d"',
    "mount k.tar.xz m && kheadersfs status && findmnt -n m && df m && umount m",
    "mount k.tar.xz m && (cd m && ! umount ../m) && umount m",
    "mount k.tar.xz m && ! mount k.tar.xz m && umount m",
    "mount --archive k.tar.xz m && umount m",
    "kheadersfs ls k.tar.xz | head -n 1",
    "kheadersfs cat k.tar.xz include/generated/utsrelease.h",
    # Nothing can be written below this home; what needs no cache works all the same.
    "HOME=/proc/1 kheadersfs cat k.tar.xz include/generated/utsrelease.h",
)
"""For brevity without the word kheadersfs before mount and umount."""

INTERRUPTED = (
    "kheadersfs ls k.tar.xz",
    "kheadersfs mount k.tar.xz m",
    "kheadersfs run --archive k.tar.xz -- sleep 5",
    "kheadersfs repack k.tar.xz -o out.tar.zst",
    "kheadersfs verify k.tar.xz",
)
INTERRUPTED_AFTER = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds."""


class Protocol:
    """Counts what is as it must be, and prints it all."""

    def __init__(self) -> None:
        self.wrong = 0
        self.tried = 0

    def note(self, line: str, status: int, said: str, fault: str) -> None:
        self.tried += 1
        self.wrong += bool(fault)
        print(f"{'FAIL' if fault else 'ok  '} [{status}] $ {line}")
        for told in said.splitlines()[:12]:
            print(f"            {told}")
        if fault:
            print(f"            ^ {fault}")
        sys.stdout.flush()


def run(line: str) -> tuple[int, str]:
    """Return the status of a shell's *line*, and all that it said."""
    done = subprocess.run(
        ["sh", "-c", line],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    return done.returncode, done.stdout.decode(errors="backslashreplace")


def fault_of(mistake: Mistake, status: int, said: str) -> str:
    """Return what is wrong with the answer to *mistake*, nothing if it is as it must be."""
    if status not in mistake.statuses:
        return f"the status must be {' or '.join(map(str, mistake.statuses))}"
    if "Traceback" in said:
        return "no user can read this"
    if mistake.word not in said.replace("\n", " "):
        return f"{mistake.word!r} is not in it"
    return ""


def mounts_below(directory: str) -> list[str]:
    with open("/proc/self/mounts", "rb") as mounts:
        places = [os.fsdecode(line.split(b" ")[1]) for line in mounts]
    return [place for place in places if place.startswith(f"{directory}/")]


def interrupt(line: str, seconds: float) -> tuple[int, str]:
    """Type *line* on a terminal and ^C after *seconds*; return the status and what was said."""
    # It must also end a child that is not yet what it is to become.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", f"exec {line}"])
    signal.signal(signal.SIGINT, before)
    time.sleep(seconds)
    os.write(terminal, b"\x03")
    said = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            said += piece
    except OSError:
        pass  # EIO is how a terminal that nobody has open any more ends
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return (128 - status if status < 0 else status), said.decode(errors="backslashreplace")


def try_interrupts(protocol: Protocol, directory: str) -> None:
    """Interrupt each command at several times. One that was done before has its own status."""
    for line in INTERRUPTED:
        for seconds in INTERRUPTED_AFTER:
            status, said = interrupt(line, seconds)
            if status == 0 and "mount" in line:
                run("kheadersfs umount m")
            errors = [told for told in said.split("\n") if "kheadersfs:" in told]
            fault = ""
            if "Fatal Python error: init_" in said:
                said = "(Python itself was starting, and says what it likes)"
            elif status not in (0, 128 + signal.SIGINT):
                fault = "the status must be 130, or 0 if it was done before"
            elif errors or "Traceback" in said:
                fault = "nothing is to be said"
            elif mounts_below(directory):
                fault = f"left mounted: {mounts_below(directory)}"
            elif left := [name for name in os.listdir() if "partial" in name or ".tmp" in name]:
                fault = f"left: {left}"
            shown = said if fault or said.startswith("(Python") else ""
            protocol.note(f"{line}  (^C after {seconds} s)", status, shown, fault)


def main() -> int:
    archive = os.path.realpath(sys.argv[1])
    # A path of which neither a message nor a terminal makes two lines.
    directory = tempfile.mkdtemp(prefix="mistakes.")
    os.chdir(directory)
    protocol = Protocol()
    try:
        subprocess.run(["sh", "-ec", SETTING_UP, "sh", archive], check=True)
        for mistake in MISTAKES:
            status, said = run(mistake.line)
            protocol.note(mistake.line, status, said, fault_of(mistake, status, said))
        for line in (re.sub(r"\b(u?mount) ", r"kheadersfs \1 ", short) for short in WORKS):
            status, said = run(line)
            protocol.note(line, status, said, "this has to work" if status else "")
        try_interrupts(protocol, directory)
        if os.geteuid() != 0:
            status, said = run("kheadersfs info unreadable")
            fault = fault_of(Mistake("", (11,), "Permission"), status, said)
            protocol.note("kheadersfs info unreadable", status, said, fault)
        if left := mounts_below(directory):
            protocol.note("what is left mounted", 1, "\n".join(left), "nothing may be")
    finally:
        for place in mounts_below(directory):
            subprocess.run(["umount", "--lazy", place], check=False)
        os.chdir("/")
        shutil.rmtree(directory)
    print(f"{protocol.tried - protocol.wrong} passed, {protocol.wrong} failed")
    return 1 if protocol.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Make the mistakes that users make, and print what they are told: mistakes.py ARCHIVE.

Runs the kheadersfs that PATH has, in a directory of its own, as whoever calls it. Each mistake of
typed.py has the status that it must have and a word of the message that helps; all messages are
printed, to be looked at as a user would. Ends with status 1 if one of them is not as it must be, or
anything is left: mounted, or as a file that is not complete. Needs nothing but Python and Debian.
The directories FULL, SMALL and READONLY of typed.py are taken from the environment.
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

import typed

OF_PYTHON = (
    *("Fatal Python error: init_", "line 0, in <module>"),
    *("Failed checking if argv[0]", "_get_module_lock"),
)
"""What the interpreter says when it is interrupted before the first line of a program."""
INTERRUPTED_AFTER = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds."""
HANGS = 1200
"""Seconds after which what does not end is taken to hang, however busy the machine is."""
ODD_PLACES = ("FULL", "SMALL", "READONLY")


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
        timeout=HANGS,
    )
    return done.returncode, done.stdout.decode(errors="backslashreplace")


def fault_of(mistake: typed.Mistake, status: int, said: str) -> str:
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
    for line in typed.INTERRUPTED:
        for seconds in INTERRUPTED_AFTER:
            status, said = interrupt(line, seconds)
            if status == 0 and "mount" in line:
                run("kheadersfs umount m")
            errors = [told for told in said.split("\n") if "kheadersfs:" in told]
            fault = ""
            if any(words in re.sub(r"\x1b\[[\d;]*m", "", said) for words in OF_PYTHON):
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


def try_mistakes(protocol: Protocol, mistakes: tuple[typed.Mistake, ...]) -> None:
    """Make *mistakes*, and see that each leaves no file where there is no room for it."""
    for mistake in mistakes:
        status, said = run(mistake.line)
        fault = fault_of(mistake, status, said)
        if small := os.environ.get("SMALL"):
            left = [name for _, _, names in os.walk(small) for name in names]
            fault = fault or (f"left: {left}" if left else "")
            for name in os.listdir(small):
                run(f"rm -rf {small}/{name}")
        protocol.note(mistake.line, status, said, fault)


def try_what_works(protocol: Protocol, lines: tuple[str, ...]) -> None:
    for line in lines:
        status, said = run(line)
        protocol.note(line, status, said, "this has to work" if status else "")


def try_all(protocol: Protocol, directory: str) -> None:
    is_root = os.geteuid() == 0
    try_mistakes(protocol, typed.MISTAKES)
    try_what_works(protocol, typed.WORKS)
    if all(os.environ.get(name) for name in ODD_PLACES):
        try_mistakes(protocol, typed.WITHOUT_ROOM)
        try_what_works(protocol, typed.WORKS_WITHOUT_ROOM)
        if not is_root:
            try_mistakes(protocol, typed.WITHOUT_ROOM_FOR_USERS)
    if not is_root:
        unreadable = typed.Mistake("kheadersfs info unreadable", (11,), "Permission")
        try_mistakes(protocol, (unreadable,))
    try_interrupts(protocol, directory)


def main() -> int:
    archive = os.path.realpath(sys.argv[1])
    # A path of which neither a message nor a terminal makes two lines.
    directory = tempfile.mkdtemp(prefix="mistakes.")
    os.chdir(directory)
    protocol = Protocol()
    try:
        subprocess.run(["sh", "-ec", typed.SETTING_UP, "sh", archive], check=True)
        try_all(protocol, directory)
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

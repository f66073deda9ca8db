"""Kill what serves and uses a mount while it is mounted, built against, and unmounted.

Whatever was killed: a build that says it succeeded has read right bytes; the next command takes
away what is left; and from then on everything works.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from kheadersfs.bpf.toolchain import cflags
from tests.attacks.damage import digest_of
from tests.attacks.place import Place, processes_of
from tests.torture.pace import Journal, await_that

if TYPE_CHECKING:
    from pathlib import Path

    from tests.torture.pace import Say

SEED = 20_000
PHASES = ("mount", "build", "unmount")
FILES_COMPARED = 20
PROGRAM = "".join(
    f"#include <{header}>\n"
    for header in ("linux/sched.h", "linux/fs.h", "net/sock.h", "linux/skbuff.h")
)
# Python, log, archive, mountpoint, the directory to work in, and the compiler's flags. Without that
# first flag a clang whose compiling process is killed writes a report into TMPDIR.
_ROUND = """
python=$1 log=$2 archive=$3 mountpoint=$4
cd "$5"
shift 5
echo mount
"$python" -m kheadersfs mount --log "$log" "$archive" "$mountpoint"
echo build
clang -fno-crash-diagnostics -E -P "$@" program.c >built && touch complete
echo unmount
"$python" -m kheadersfs umount "$mountpoint"
echo end
"""


def kind_of(process: int, arguments: list[bytes]) -> str:
    """Say what *process* with these *arguments* is to a mount."""
    program = os.path.basename(arguments[0]).decode()
    if b"kheadersfs" not in arguments:
        return program
    with suppress(ProcessLookupError):
        if os.getsid(process) == process:
            return "server"
    return arguments[3].decode()


class Rounds:
    """Mounts, builds and unmounts at *place*, working in *directory*.

    ``killed`` counts what was killed, by kind; ``in_time`` the rounds in which something was.
    """

    def __init__(self, place: Place, directory: Path) -> None:
        """Find out what is right and how long it takes, in rounds that nobody disturbs."""
        self._place = place
        self._built = directory / "built"
        self._complete = directory / "complete"
        (directory / "program.c").write_text(PROGRAM)
        self._directory = directory
        self._flags: list[str] = []
        self._right = b""
        self.killed: Counter[str] = Counter()
        self.in_time = 0
        faults = self._learn()
        if faults:
            raise AssertionError(f"nothing was killed yet, and this is wrong: {faults}")

    def _learn(self) -> list[str]:
        faults = self._place.mount()
        self._flags = cflags(str(self._place.mountpoint))
        faults += self._place.unmount()
        with self._start() as process:
            assert process.stdout is not None
            moments = [time.monotonic() for _ in process.stdout]
        self._durations = [end - start for start, end in pairwise(moments)]
        if not self._complete.exists():
            faults.append("the build failed")
        self._right = digest_of(self._built.read_bytes())
        return faults + self._judge_build()

    def _start(self) -> subprocess.Popen[bytes]:
        place = self._place
        words = (sys.executable, place.log, place.archive, place.mountpoint, self._directory)
        return subprocess.Popen(
            ["sh", "-c", _ROUND, "sh", *map(str, words), *self._flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=place.environment,
        )

    def _judge_build(self) -> list[str]:
        """Compare what the last build has made, if it says that this is complete."""
        complete = self._complete.exists()
        self._complete.unlink(missing_ok=True)
        if complete and digest_of(self._built.read_bytes()) != self._right:
            return ["a build has read wrong bytes and succeeded"]
        return []

    def disturbed(self, number: int) -> list[str]:
        """Make round *number*, kill at a moment that follows from it, and say what is wrong then.

        A third of all moments lies in each phase; half of the rounds lose everything at once, as
        when memory runs out, the others one process.
        """
        generator = random.Random(SEED + number)
        phase = number % len(PHASES)
        with self._start() as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.decode().strip() == PHASES[phase]:
                    break
            time.sleep(generator.random() * self._durations[phase])
            self._kill_some(generator, process.pid)
            faults = self._await_end(process)
        return faults + self._judge_build() + self._recover(generator)

    def _kill_some(self, generator: random.Random, script: int) -> None:
        victims = processes_of(self._place.mountpoint)
        if victims and generator.random() < 0.5:
            single = generator.choice(sorted(victims.keys() - {script}) or [script])
            victims = {single: victims[single]}
        for pid, arguments in victims.items():
            self.killed[kind_of(pid, arguments)] += 1
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.in_time += bool(victims)

    def _await_end(self, process: subprocess.Popen[bytes]) -> list[str]:
        """Wait for the end of a round, of which something was killed.

        A compiler whose shell was killed goes on, and uses the mount until it is done.
        """
        if await_that(lambda: process.poll() is not None and not self._is_compiling()):
            return []
        process.kill()
        return ["build and unmount do not end"]

    def _is_compiling(self) -> bool:
        processes = processes_of(self._place.mountpoint)
        return any(kind_of(*process).startswith("clang") for process in processes.items())

    def _recover(self, generator: random.Random) -> list[str]:
        """Do what a user does next: unmount if it is mounted and answers; mount, read, unmount."""
        place = self._place
        faults: list[str] = []
        if not await_that(lambda: place.answers() or not processes_of(place.mountpoint)):
            faults.append("processes are left, and do not serve")
        if place.answers():
            faults += place.unmount()
        faults += place.mount()
        faults += place.compare(place.choose(generator, FILES_COMPARED))
        faults += place.unmount()
        return faults + place.left_over()


def kill(place: Place, directory: Path, first: int, kills: int, say: Say) -> list[str]:
    """Kill in rounds from number *first* on, until *kills* of them had something to kill.

    Returns what was wrong.
    """
    rounds = Rounds(place, directory)
    journal = Journal(say)
    number = first
    while rounds.in_time < kills:
        journal.note(f"round {number}", rounds.disturbed(number))
        journal.tell(f"round {number}")
        number += 1
    journal.note("logged", place.failures())
    victims = ", ".join(f"{kind} {times}" for kind, times in rounds.killed.most_common())
    say(
        f"kill: {place.archive.name}, {kills} times in rounds {first} to {number - 1} ({victims}): "
        f"{len(journal.faults)} faults"
    )
    return journal.faults

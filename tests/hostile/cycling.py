"""Mount, read, unmount, thousands of times: nothing is left, and nothing grows.

What a server holds is gone with its process, and that no process is left is checked each time. So
what could grow is what the kernel holds for mounts and processes that are gone, and that is what
is measured.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, NamedTuple

from tests.hostile.pace import Journal, growth
from tests.support.mounting import drop_caches

if TYPE_CHECKING:
    from tests.hostile.pace import Say
    from tests.hostile.place import Place

SEED = 20_000
SAMPLES = 40
MEMORY_GROWTH = 4 << 20
FILES_GROWTH = 100
"""What bytes and open files may differ by, however many cycles there are: others use them too."""
_KERNEL_MEMORY = ("SUnreclaim", "KernelStack", "PageTables", "Percpu")


class Held(NamedTuple):
    """What the kernel holds at one time: bytes of memory for itself, and open files of all."""

    memory: int
    files: int


def held() -> Held:
    """Look, after the kernel has dropped what it can."""
    drop_caches()
    with open("/proc/meminfo") as lines:
        figures = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
    with open("/proc/sys/fs/file-nr") as numbers:
        files = int(numbers.read().split()[0])
    return Held(sum(figures[name] for name in _KERNEL_MEMORY), files)


def growth_of(samples: list[Held]) -> Held:
    """Return by how much what is held has grown."""
    return Held(*map(growth, zip(*samples, strict=True)))


def cycle(place: Place, generator: random.Random) -> list[str]:
    """Mount, read one file, unmount."""
    faults = place.mount() + place.compare(place.choose(generator, 1)) + place.unmount()
    return faults + place.left_over()


def cycles(place: Place, count: int, say: Say) -> list[str]:
    """Mount and unmount *count* times. Returns what was wrong."""
    generator = random.Random(SEED)
    journal = Journal(say)
    journal.note("first", cycle(place, generator))  # what is needed once is there now
    descriptors = len(os.listdir("/proc/self/fd"))
    samples = [held()]
    for number in range(1, count + 1):
        journal.note(f"cycle {number}", cycle(place, generator))
        if number % max(1, count // SAMPLES) == 0:
            samples.append(held())
        journal.tell(f"{number} of {count}, grown {growth_of(samples)}")
    grown = growth_of(samples)
    if grown.memory > MEMORY_GROWTH or grown.files > FILES_GROWTH:
        journal.note("all", [f"this has grown: {grown}"])
    if len(os.listdir("/proc/self/fd")) != descriptors:
        journal.note("all", ["descriptors of this process are left open"])
    journal.note("logged", place.messages())
    say(
        f"cycles: {place.archive.name}, {count}: {len(journal.faults)} faults; the kernel's memory "
        f"changed by {grown.memory >> 10} KiB, its open files by {grown.files}"
    )
    return journal.faults

"""Mount, read, unmount, thousands of times: nothing is left, and nothing grows.

What a server holds is gone with its process, and that no process is left is checked each time. So
what could grow is what the kernel holds for mounts and processes that are gone; that is measured.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from tests.support.mounting import drop_caches
from tests.torture.pace import Journal, growth

if TYPE_CHECKING:
    from tests.attacks.place import Place
    from tests.torture.pace import Say

SEED = 20_000
SAMPLES = 40
MEMORY_GROWTH = 4 << 20
"""Bytes that this may differ by, however many cycles there are: others use the kernel too."""
# What belongs to processes (their stacks and page tables) is gone with them.
_KERNEL_MEMORY = ("SUnreclaim", "Percpu")


def kernel_memory() -> int:
    """Return the bytes that the kernel holds for itself after it has dropped what it can."""
    drop_caches()
    with open("/proc/meminfo") as lines:
        figures = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
    return sum(figures[name] for name in _KERNEL_MEMORY)


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
    samples = [kernel_memory()]
    for number in range(1, count + 1):
        journal.note(f"cycle {number}", cycle(place, generator))
        if number % max(1, count // SAMPLES) == 0:
            samples.append(kernel_memory())
        journal.tell(
            f"{number} of {count}, the kernel's memory grown by {growth(samples) >> 10} KiB"
        )
    grown = growth(samples)
    if grown > MEMORY_GROWTH:
        journal.note("all", [f"the kernel's memory has grown by {grown} bytes"])
    if len(os.listdir("/proc/self/fd")) != descriptors:
        journal.note("all", ["descriptors of this process are left open"])
    journal.note("logged", place.messages())
    say(
        f"cycles: {place.archive.name}, {count}: {len(journal.faults)} faults; the kernel's memory "
        f"changed by {grown >> 10} KiB"
    )
    return journal.faults

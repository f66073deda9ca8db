"""The long runs: python -m tests.torture PART --archive FILE [OPTIONS]

A sample of each part is among the tests. Every part says once a minute how it gets on and at the
end how much it did; status 1 if anything was not as it should be. A run may be stopped and
continued, as a whole, without effect on its outcome.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.attacks.damage import Examiner, all_cuts, alterations, examine_in_processes
from tests.attacks.place import Place
from tests.torture.cycling import cycles
from tests.torture.killing import kill
from tests.torture.soaking import SERVER_INTERVAL, soak


def say(text: str) -> None:
    print(text, flush=True)


def damage(archive: Path, first: int, count: int, processes: int) -> bool:
    """Alter one byte *count* times; cut at every KiB too unless earlier pieces of the run did."""
    good = archive.read_bytes()
    cuts = [] if first else all_cuts(len(good))
    cases = cuts + alterations(first, count)
    tally = examine_in_processes(Examiner(good), cases, processes, say)
    say(f"damage: {archive.name}, {len(cuts)} cuts and {count} altered bytes from {first}: {tally}")
    return bool(tally.faults)


def main() -> int:
    """Run the part that the arguments name."""
    parser = argparse.ArgumentParser(prog="tools/torture", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for part, count in (("damage", 20_000), ("kill", 200), ("cycles", 2000)):
        parts.add_parser(part).add_argument("--count", type=int, default=count)
    parts.add_parser("soak").add_argument("--seconds", type=float, default=3600.0)
    for part in ("damage", "kill"):
        parts.choices[part].add_argument("--start", type=int, default=0)
    parts.choices["damage"].add_argument("--jobs", type=int, default=os.cpu_count())
    for chosen in parts.choices.values():
        chosen.add_argument("--archive", type=Path, required=True)
    values = parser.parse_args()
    if values.part == "damage":
        return damage(values.archive, values.start, values.count, values.jobs)
    with tempfile.TemporaryDirectory(prefix="kheadersfs-torture-") as name:
        directory = Path(name)
        place = Place(values.archive, directory)
        try:
            if values.part == "kill":
                faults = kill(place, directory, values.start, values.count, say)
            elif values.part == "cycles":
                faults = cycles(place, values.count, say)
            else:
                faults = soak(place, values.seconds, SERVER_INTERVAL, say)
        finally:
            place.clean_up()
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())

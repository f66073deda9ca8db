"""Replay a build: ``python -IS player.py SCORE OUTPUT HEADERS``; see benchmark/replay.py.

Does what the score says in the directory HEADERS, computing in between, and writes into OUTPUT what
became of all of it, so that it can be compared.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import zlib
from time import perf_counter, process_time


def play(score: list[tuple[str, str, int, float]], headers: str, began: float) -> str:
    """Play *score*; its first pause counts from *began*, a time of perf_counter().

    Returns what was found: of each step a sign, and a checksum of all that was read.
    """
    found = []
    checksum = 0
    opened: dict[str, int] = {}
    moment = began
    for what, name, size, pause in score:
        path = f"{headers}/{name}"
        moment += pause
        while perf_counter() < moment:
            pass
        moment = perf_counter()
        try:
            if what == "stat":
                os.stat(path)
            elif what == "access":
                os.access(path, os.F_OK)
            elif what == "open":
                opened[name] = os.open(path, os.O_RDONLY)
                os.fstat(opened[name])
            else:
                checksum = zlib.crc32(os.pread(opened[name], size, 0), checksum)
                os.close(opened.pop(name))
            found.append("+")
        except OSError as error:
            found.append(f"({error.errno})")
        moment = perf_counter()
    for descriptor in opened.values():
        os.close(descriptor)
    return f"{''.join(found)} {checksum:08x}\n"


def main(score: str, output: str, headers: str) -> None:
    """Play the file *score* in the directory *headers*, and write *output*."""
    # The first pause is the compiler's own start. This program's has taken some of it already.
    began = perf_counter() - process_time()
    gc.disable()
    with open(score) as steps:
        notes = json.load(steps)
    found = play(notes, headers, began)
    with open(output, "w") as report:
        report.write(found)


if __name__ == "__main__":
    main(*sys.argv[1:])

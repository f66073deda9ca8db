"""Whether a processor is idle, told from what the kernel says of the whole machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from kheadersfs.fuse.processors import Processors
from tests.support.mounting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY = [sys.executable, "-c", "while True: pass"]


def holds_in_time(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.001)
    return False


def test_there_is_an_idle_processor_when_the_caller_runs_alone() -> None:
    if len(os.sched_getaffinity(0)) < (os.cpu_count() or 1):
        pytest.skip("kernel: gives this process only some of the processors")
    has_one = holds_in_time(Processors().has_idle)
    if not has_one and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("kernel: others keep all processors busy")
    assert has_one


def test_there_is_none_while_as_many_others_run_as_there_are() -> None:
    processors = Processors()
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = stack.enter_context(subprocess.Popen(BUSY))
            stack.callback(process.kill)
        assert holds_in_time(lambda: not any(processors.has_idle() for _ in range(100)))


def test_one_who_may_use_only_some_knows_of_none() -> None:
    available = os.sched_getaffinity(0)
    if len(available) < 2:
        pytest.skip("kernel: gives this process a single processor")
    answers: list[bool] = []

    def ask() -> None:
        os.sched_setaffinity(0, {min(available)})
        processors = Processors()
        answers.extend(processors.has_idle() for _ in range(100))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert not any(answers)

"""The threads behind the loop: what is needed comes first."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from typing import Any

from kheadersfs.fuse.workers import Job, Workers
from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS, wait_until


def threads() -> int:
    """Count the threads of this process, also those that the module threading knows nothing of."""
    return len(os.listdir("/proc/self/task"))


class Recorder:
    """Runs jobs in one thread and notes the order in which they are done."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.finished = threading.Semaphore(0)
        self._gate = threading.Event()
        self.workers = Workers(1, lambda _: self.finished.release())

    def hold(self) -> None:
        """Keep the one thread busy until ``go``."""
        self.workers.submit(Job(lambda: self._gate.wait(HANGS)))

    def submit(self, name: str, ahead: bool = False) -> Job[None]:
        job = Job(lambda: self.order.append(name))
        self.workers.submit(job, ahead)
        return job

    def go(self, count: int) -> list[str]:
        """Let the thread work until *count* jobs besides the one that held it are done."""
        self._gate.set()
        for _ in range(count + 1):
            assert self.finished.acquire(timeout=HANGS)
        return self.order


def test_what_is_needed_comes_before_what_is_done_ahead() -> None:
    recorder = Recorder()
    recorder.hold()
    recorder.submit("ahead 1", ahead=True)
    recorder.submit("ahead 2", ahead=True)
    recorder.submit("needed 1")
    recorder.submit("needed 2")
    assert recorder.go(4) == ["needed 1", "needed 2", "ahead 1", "ahead 2"]


def test_what_turns_out_to_be_needed_is_hurried() -> None:
    recorder = Recorder()
    recorder.hold()
    recorder.submit("ahead 1", ahead=True)
    hurried = recorder.submit("ahead 2", ahead=True)
    recorder.workers.hurry(hurried)
    assert recorder.go(2) == ["ahead 2", "ahead 1"]
    recorder.workers.hurry(hurried)  # done already: nothing happens
    recorder.submit("needed")
    assert recorder.finished.acquire(timeout=HANGS)
    assert recorder.order.count("ahead 2") == 1


def test_no_more_threads_are_started_than_there_is_work_for() -> None:
    recorder = Recorder()
    before = threads()
    workers = Workers(4, lambda _: recorder.finished.release())
    for _ in range(20):
        workers.submit(Job(lambda: None))
        assert recorder.finished.acquire(timeout=HANGS)
    assert threads() - before <= 2


def test_jobs_that_come_together_run_together_though_a_thread_was_idle() -> None:
    """They can only meet in as many threads as there are jobs."""
    handed_back = threading.Semaphore(0)
    workers = Workers(4, lambda _: handed_back.release())
    workers.submit(Job(lambda: None))
    assert handed_back.acquire(timeout=HANGS)
    wait_until(lambda: workers._idle == 1, "the thread is idle")
    meeting = threading.Barrier(4)
    jobs = [Job(partial(meeting.wait, HANGS / 4)) for _ in range(4)]
    for job in jobs:
        workers.submit(job)
    for _ in jobs:
        assert handed_back.acquire(timeout=HANGS)
    assert not meeting.broken


def test_a_thread_survives_whatever_a_job_raises() -> None:
    recorder = Recorder()
    for error in (SystemExit, KeyboardInterrupt, MemoryError, ValueError):
        recorder.workers.submit(Job(partial(_raise, error)))
        assert recorder.finished.acquire(timeout=HANGS)
    recorder.submit("after")
    assert recorder.finished.acquire(timeout=HANGS)
    assert recorder.order == ["after"]


def _raise(error: type[BaseException]) -> None:
    raise error


def test_a_job_is_handed_back_though_memory_is_wanting_at_that_moment() -> None:
    finished: list[Job[Any]] = []
    handed_back = threading.Event()
    runs: list[None] = []

    def hand_back(job: Job[Any]) -> None:
        finished.append(job)
        if len(finished) < 3:
            raise MemoryError
        handed_back.set()

    job = Job(lambda: runs.append(None))
    Workers(1, hand_back).submit(job)
    assert handed_back.wait(HANGS)
    assert finished == [job] * 3
    assert runs == [None], "it was run again"


def test_without_room_for_a_thread_the_caller_works() -> None:
    """A stack larger than the address space is one that no thread can have."""
    script = (
        "import os, resource, threading\n"
        "from kheadersfs.fuse.workers import Job, Workers\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "threading.stack_size(2 << 30)\n"
        "finished = []\n"
        "workers = Workers(2, finished.append)\n"
        "jobs = [Job(threading.get_ident) for _ in range(3)]\n"
        "for job in jobs:\n"
        "    workers.submit(job)\n"
        "assert finished == jobs and all(job.has_run for job in jobs)\n"
        "threading.stack_size(1 << 20)\n"
        "started = threading.Event()\n"
        "workers.submit(Job(started.set))\n"
        f"assert started.wait({HANGS})\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=REPOSITORY, capture_output=True
    )
    assert done.stdout == b"2\n"

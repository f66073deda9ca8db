"""The threads behind the loop: what is needed comes first."""

from __future__ import annotations

import threading

from kheadersfs.fuse.workers import Job, Workers
from tests.support.mounting import PATIENCE


class Recorder:
    """Runs jobs in one thread and notes the order in which they are done."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.finished = threading.Semaphore(0)
        self._gate = threading.Event()
        self.workers = Workers(1, lambda _: self.finished.release())

    def hold(self) -> None:
        """Keep the one thread busy until ``go``."""
        self.workers.submit(Job(lambda: self._gate.wait(PATIENCE)))

    def submit(self, name: str, ahead: bool = False) -> Job[None]:
        job = Job(lambda: self.order.append(name))
        self.workers.submit(job, ahead)
        return job

    def go(self, count: int) -> list[str]:
        """Let the thread work until *count* jobs besides the one that held it are done."""
        self._gate.set()
        for _ in range(count + 1):
            assert self.finished.acquire(timeout=PATIENCE)
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
    assert recorder.finished.acquire(timeout=PATIENCE)
    assert recorder.order.count("ahead 2") == 1


def test_no_more_threads_are_started_than_there_is_work_for() -> None:
    recorder = Recorder()
    before = threading.active_count()
    workers = Workers(4, lambda _: recorder.finished.release())
    for _ in range(20):
        workers.submit(Job(lambda: None))
        assert recorder.finished.acquire(timeout=PATIENCE)
    assert threading.active_count() - before <= 2

"""The loop that fetches requests, without FUSE: a socket in place of /dev/fuse."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kheadersfs.fuse.loop import Loop
from kheadersfs.fuse.standin import TrioStandIn
from kheadersfs.fuse.workers import Job
from tests.support.mounting import HANGS, wait_until

if TYPE_CHECKING:
    from kheadersfs.fuse.workers import Task

THREADS = 2


class CountingLoop(Loop):
    """Counts its turns, of which one that never sleeps makes very many."""

    turns = 0

    def _turn(self) -> None:
        self.turns += 1
        super()._turn()


class Server:
    """Does with a loop what pyfuse3 does: each worker waits, reads one request, answers it.

    A request is a word. ``slow NAME`` is answered when the event NAME is set, by way of a thread;
    ``fail``, ``broken``, ``aborted`` and ``shortage`` raise what threads, the device and the
    allocator raise; all else comes back as it is.
    """

    def __init__(self, housekeeping: Callable[[], float | None], workers: int) -> None:
        self.loop = CountingLoop(THREADS, housekeeping)
        self._trio = TrioStandIn(self.loop)
        self.client, self._connection = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.client.settimeout(HANGS)
        self._connection.setblocking(False)
        self.loop.watch(self._connection.fileno())
        self._workers = workers
        self._over = threading.Event()
        self.events: dict[str, threading.Event] = {}
        self.jobs: dict[str, Job[None]] = {}
        self.failure: BaseException | None = None

    async def main(self) -> None:
        async with self._trio.open_nursery() as nursery:
            for _ in range(self._workers):
                nursery.start_soon(self._worker, name="worker")

    async def _worker(self) -> None:
        while not self._over.is_set():
            await self._trio.lowlevel.wait_readable(self._connection.fileno())
            if self._over.is_set():
                return
            request = self._connection.recv(100)
            self._connection.send(await self._answer(request.decode()))

    async def _answer(self, request: str) -> bytes:
        word, _, name = request.partition(" ")
        if word in ("slow", "same"):
            if word == "slow" or name not in self.jobs:
                self.jobs[name] = self.loop.run_in_thread(lambda: self._wait(name))
            await self.jobs[name]
        elif word == "fail":
            try:
                await self.loop.run_in_thread(self._fail)
            except ZeroDivisionError as error:
                return str(error).encode()
        elif word == "broken":
            raise OSError(errno.ENODEV, "broken")
        elif word == "aborted":
            raise OSError(errno.ECONNABORTED, "aborted")
        elif word == "shortage":
            raise MemoryError
        elif word == "end":
            self._over.set()
        return request.encode()

    def _wait(self, name: str) -> None:
        assert self.events[name].wait(HANGS)

    def _fail(self) -> None:
        _ = 1 / 0

    def run(self) -> None:
        try:
            self.loop.run(self.main())
        except OSError as error:
            self.failure = error

    def ask(self, request: str) -> None:
        self.client.send(request.encode())

    def answer(self) -> str:
        return self.client.recv(100).decode()

    def close(self) -> None:
        self.client.close()
        self._connection.close()


@contextmanager
def serving(
    housekeeping: Callable[[], float | None] = lambda: None, workers: int = 8
) -> Iterator[Server]:
    server = Server(housekeeping, workers)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        for event in server.events.values():
            event.set()
        if thread.is_alive():
            # Every worker that waits for a request must see that it is over.
            for _ in range(workers):
                server.ask("end")
            server.client.shutdown(socket.SHUT_WR)
        thread.join(HANGS)
        server.close()
        assert not thread.is_alive()


def test_requests_are_answered_in_order() -> None:
    with serving() as server:
        for number in range(200):
            server.ask(f"request {number}")
            assert server.answer() == f"request {number}"


def test_requests_that_are_there_at_once_are_all_answered() -> None:
    with serving() as server:
        for number in range(100):
            server.ask(f"request {number}")
        assert [server.answer() for _ in range(100)] == [f"request {n}" for n in range(100)]


def test_a_slow_request_holds_up_no_other() -> None:
    with serving() as server:
        server.events["a"] = threading.Event()
        server.ask("slow a")
        for number in range(50):
            server.ask(f"fast {number}")
            assert server.answer() == f"fast {number}"
        server.events["a"].set()
        assert server.answer() == "slow a"


def test_slow_requests_are_answered_as_they_finish() -> None:
    with serving() as server:
        server.events = {"a": threading.Event(), "b": threading.Event()}
        server.ask("slow a")
        server.ask("slow b")
        server.events["b"].set()
        assert server.answer() == "slow b"
        server.events["a"].set()
        assert server.answer() == "slow a"


def test_requests_beyond_the_number_of_tasks_wait_their_turn() -> None:
    with serving(workers=2) as server:
        server.events = {"a": threading.Event(), "b": threading.Event()}
        for request in ("slow a", "slow b", "fast 1", "fast 2"):
            server.ask(request)
        server.events["a"].set()
        assert server.answer() == "slow a"
        assert server.answer() == "fast 1"
        server.events["b"].set()
        assert {server.answer(), server.answer()} == {"fast 2", "slow b"}


def test_many_may_wait_for_one_job() -> None:
    with serving(workers=20) as server:
        server.events["a"] = threading.Event()
        for _ in range(15):
            server.ask("same a")
        server.events["a"].set()
        assert [server.answer() for _ in range(15)] == ["same a"] * 15
        assert len(server.jobs) == 1
        # One who comes when it is done does not wait at all.
        server.ask("same a")
        assert server.answer() == "same a"


def test_what_a_job_raises_is_raised_where_it_is_awaited() -> None:
    with serving() as server:
        for _ in range(3):
            server.ask("fail")
            assert server.answer() == "division by zero"
        server.ask("fast")
        assert server.answer() == "fast"


def test_a_wake_up_that_comes_after_its_job_was_seen_is_no_reason_to_stay_awake() -> None:
    """The loop sees a job as soon as it is there, and may do so before the thread wakes it."""
    quiet = threading.Event()

    def housekeeping() -> None:
        quiet.set()

    with serving(housekeeping) as server:
        server.loop.waiting.wake()
        assert quiet.wait(HANGS)


def test_any_other_error_of_the_device_ends_the_loop() -> None:
    with serving() as server:
        server.ask("broken")
        deadline = time.monotonic() + HANGS
        while server.failure is None and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert isinstance(server.failure, OSError)
        assert server.failure.errno == errno.ENODEV


def test_a_request_that_is_aborted_while_it_is_received_does_not_end_the_loop() -> None:
    """The next read says whether the file system is gone; here it is not."""
    with serving() as server:
        server.ask("aborted")
        server.ask("next")
        assert server.answer() == "next"
        assert server.failure is None


def test_memory_is_set_aside_again_after_a_shortage() -> None:
    with serving() as server:
        for _ in range(2):
            server.ask("shortage")
            server.ask("next")
            assert server.answer() == "next"
            wait_until(lambda: server.loop.reserve.is_there, "the reserve was taken again")


def test_housekeeping_is_called_when_it_wants_to_be() -> None:
    calls: list[float] = []
    enough = threading.Event()

    def housekeeping() -> float | None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            enough.set()
            return None
        return 0.02

    with serving(housekeeping) as server:
        assert enough.wait(HANGS)
        assert calls[4] - calls[0] >= 0.08
        server.ask("fast")
        assert server.answer() == "fast"


def test_housekeeping_may_ask_for_a_longer_sleep_than_the_kernel_knows() -> None:
    """An idle timeout may be a month; poll(2) takes 24 days."""

    def housekeeping() -> float:
        loop.waiting.wake()  # so that it is no month
        return 30 * 86_400.0

    loop = Loop(1, housekeeping)
    loop.waiting.for_job()


def test_the_loop_sleeps_while_every_task_waits_for_a_thread() -> None:
    """A request that nobody can take yet must not keep it awake."""
    calls: list[None] = []
    with serving(lambda: calls.append(None), workers=1) as server:
        server.events["a"] = threading.Event()
        server.ask("slow a")
        server.ask("fast")
        threading.Event().wait(0.3)
        assert server.loop.turns < 100
        assert len(calls) < 20
        server.events["a"].set()
        assert [server.answer(), server.answer()] == ["slow a", "fast"]


def test_an_error_that_no_handler_knows_ends_the_loop() -> None:
    loop = Loop(1, lambda: None)

    async def broken() -> None:
        raise LookupError

    task: Task = broken()
    with pytest.raises(LookupError):
        loop.run(task)

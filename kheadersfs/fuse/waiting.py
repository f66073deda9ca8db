"""Wait for a request or a finished job: first by polling, then asleep.

While requests come, idle processors are kept from halting, and an alarm interrupts system calls.
After QUIET seconds without a request both end, and housekeeping is done.
"""

from __future__ import annotations

import os
import select
from time import monotonic

from kheadersfs.bare import suppress
from kheadersfs.fuse.latency import WakeLatency
from kheadersfs.fuse.processors import Processors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from kheadersfs.fuse.signals import Alarm

QUIET = 0.25
"""Seconds without a request or a finished job after which housekeeping is done, and processors may
halt again."""

LONGEST_SLEEP = 86_400.0
"""Seconds after which housekeeping is done if it asks for a longer sleep. poll(2) takes 24 days at
most, and an idle timeout may be longer."""

AWAKE = 0.0002
"""Seconds for which the next request is polled for before the thread sleeps.

To wake a processor that has halted takes longer than to answer a request, above all on a virtual
machine. A cold stat(2) takes 61 us with a thread that sleeps at once, and 23 us with this one.
"""


class Waiting:
    """Waits for requests on one descriptor, and for jobs, which threads put into *finished*.

    *quiet* is called after QUIET seconds in which nothing has happened. It returns the seconds
    after which it is to be called again if nothing happens until then, or None. While requests
    come, *alarm* interrupts system calls, so that no read waits for ever for a request that the
    kernel has withdrawn.

    ``wake`` may be called in any thread, all else in the loop's only. A thread that adds to
    *finished* calls ``wake`` after that.
    """

    __slots__ = (
        *("_alarm", "_anything", "_busy", "_descriptor", "_finished", "_jobs", "_latency"),
        *("_processors", "_quiet", "_wake_up"),
    )

    def __init__(
        self, finished: Sized, quiet: Callable[[], float | None], alarm: Alarm | None
    ) -> None:
        self._finished = finished
        self._quiet = quiet
        self._alarm = alarm
        self._processors = Processors()
        self._latency = WakeLatency()
        self._busy = False
        self._wake_up = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._jobs = select.poll()
        self._anything = select.poll()
        for poller in (self._jobs, self._anything):
            poller.register(self._wake_up, select.POLLIN)
        self._descriptor = -1

    @property
    def keeps_processors_awake(self) -> bool:
        """Whether this process may keep processors from halting."""
        return self._latency.is_available

    @property
    def descriptors(self) -> tuple[int, int]:
        """What it waits on: the descriptor of requests, and the one that ``wake`` writes to."""
        return self._descriptor, self._wake_up

    def watch(self, descriptor: int) -> None:
        """Wait for requests on *descriptor* from now on."""
        self._descriptor = descriptor
        self._anything.register(descriptor, select.POLLIN)

    def wake(self) -> None:
        """Have the loop's thread look at *finished*. May be called in any thread."""
        os.eventfd_write(self._wake_up, 1)

    def take_wake_up(self) -> None:
        """Clear what ``wake`` has set, if it has."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake_up)

    def for_request(self, awake: bool) -> bool:
        """Wait until there is a request or a finished job. Returns whether there is a request.

        With *awake* it polls before it sleeps. It should not while a worker thread runs, because
        each poll would take the interpreter's lock from that.
        """
        if awake and self._poll_for_a_while():
            self._become_busy()
            return True
        return self._sleep(self._anything)

    def for_job(self) -> None:
        """Wait until there is a finished job."""
        self._sleep(self._jobs)

    def become_idle(self) -> None:
        """Let processors halt, and stop the alarm."""
        if self._busy:
            self._busy = False
            self._latency.release()
            if self._alarm is not None:
                self._alarm.stop()

    def _become_busy(self) -> None:
        """Keep processors from halting, and start the alarm."""
        if not self._busy:
            self._busy = True
            self._latency.hold()
            if self._alarm is not None:
                self._alarm.start()

    def _sleep(self, poller: select.poll) -> bool:
        """Sleep until *poller* has an event or a job has finished.

        Returns whether there is a request.
        """
        timeout: float | None = QUIET
        while not self._finished:
            longest = None if timeout is None else min(timeout, LONGEST_SLEEP) * 1000
            events = poller.poll(longest)
            if events:
                self._become_busy()
                return any(descriptor == self._descriptor for descriptor, _ in events)
            self.become_idle()
            timeout = self._quiet()
        return False

    def _poll_for_a_while(self) -> bool:
        """Poll for AWAKE seconds. Returns whether there is a request.

        Stops early when a job has finished, or when another process needs the processor.
        """
        end = monotonic() + AWAKE
        while not (events := self._anything.poll(0)):
            if self._finished or monotonic() > end or not self._processors.has_idle():
                break
        return any(descriptor == self._descriptor for descriptor, _ in events)

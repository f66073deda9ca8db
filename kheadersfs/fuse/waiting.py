"""How a server waits: for a request or a finished job, awake at first, and asleep after that.

While requests come, processors are kept from halting and an alarm goes off. When none has come for
a while, all that is let go, and there is time for housekeeping.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from kheadersfs.fuse.latency import WakeLatency
from kheadersfs.fuse.processors import Processors

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from kheadersfs.fuse.signals import Alarm

QUIET = 0.25
"""Seconds without a request or a finished job after which there is time for housekeeping, and
processors may halt again."""

AWAKE = 0.0005
"""Seconds for which the next request is awaited awake, if there is an idle processor for that.

To wake a sleeping one, a virtual one above all, takes longer than to answer: a cold stat takes
61 us with a reader that sleeps at once, 23 us with one that stays awake.
"""


class Waiting:
    """Waits for requests on one descriptor, and for jobs, which threads put into *finished*.

    *quiet* is called when nothing has happened for a while. It returns the seconds after which it
    wants to be called again if nothing happens until then, or None. While requests come *alarm*
    goes off, so that none that was withdrawn is awaited for ever.
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
        """Whether processors can be kept from halting."""
        return self._latency.is_available

    def watch(self, descriptor: int) -> None:
        """Take requests from *descriptor*."""
        self._descriptor = descriptor
        self._anything.register(descriptor, select.POLLIN)

    def wake(self) -> None:
        """End the waiting. May be called in any thread."""
        os.eventfd_write(self._wake_up, 1)

    def take_wake_up(self) -> None:
        """Take note that the waiting was ended; what it was for may have been seen before."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake_up)

    def for_request(self, awake: bool) -> bool:
        """Wait until there is a request, and return True, or a finished job, and return False.

        *awake* tells that there is no thread from which one who looks again and again would take
        the interpreter's lock each time.
        """
        if awake and self._look_again_and_again():
            self._stir()
            return True
        return self._sleep(self._anything)

    def for_job(self) -> None:
        """Wait until there is a finished job."""
        self._sleep(self._jobs)

    def settle(self) -> None:
        """Let go of what holds while requests come."""
        if self._busy:
            self._busy = False
            self._latency.release()
            if self._alarm is not None:
                self._alarm.stop()

    def _stir(self) -> None:
        """Make sure of what holds while requests come."""
        if not self._busy:
            self._busy = True
            self._latency.hold()
            if self._alarm is not None:
                self._alarm.start()

    def _sleep(self, poller: select.poll) -> bool:
        """Wait for an event of *poller*, asleep. Returns whether it is a request."""
        timeout: float | None = QUIET
        while not self._finished:
            events = poller.poll(None if timeout is None else timeout * 1000)
            if events:
                self._stir()
                return any(descriptor == self._descriptor for descriptor, _ in events)
            self.settle()
            timeout = self._quiet()
        return False

    def _look_again_and_again(self) -> bool:
        """Wait without sleeping, for a while; return whether there is a request."""
        end = monotonic() + AWAKE
        while not (events := self._anything.poll(0)):
            if self._finished or monotonic() > end or not self._processors.has_idle():
                break
        return any(descriptor == self._descriptor for descriptor, _ in events)

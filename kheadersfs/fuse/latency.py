"""How long a processor may take to wake while requests come.

Whoever sends a request sleeps until it is answered. On a virtual machine, a processor with nothing
to do halts and so goes back to the host, and to get it again takes longer than to answer. The
kernel can be asked to keep idle processors looking for work instead. The module haltpoll does that
by itself where it is set up for it. What was asked for ends with the process that asked.

Source: Documentation/power/pm_qos_interface.rst, "Using /dev/cpu_dma_latency", and
Documentation/virt/guest-halt-polling.rst.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress

DEVICE = "/dev/cpu_dma_latency"
DRIVER = "/sys/devices/system/cpu/cpuidle/current_driver"
GUEST_DRIVER = b"haltpoll"
"""The idle driver of virtual machines that has a state of looking for work (cpuidle-haltpoll)."""

_MICROSECONDS = struct.Struct("=i")
_AT_ONCE, _WHENEVER = _MICROSECONDS.pack(0), _MICROSECONDS.pack(-1)


class WakeLatency:
    """Asks for processors that wake at once, on virtual machines, if the caller may ask.

    Elsewhere it does nothing: a real processor that never rests makes the others slower.
    The device stays open, for a process that cannot open it later.
    """

    __slots__ = ("_device", "_held")

    def __init__(self) -> None:
        self._device = -1
        self._held = False
        with suppress(OSError), open(DRIVER, "rb") as driver:
            if driver.read().strip() == GUEST_DRIVER:
                self._device = os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC)

    @property
    def is_available(self) -> bool:
        """Whether there is anything to ask for, and the right to."""
        return self._device >= 0

    def hold(self) -> None:
        """Have processors wake at once, until ``release`` or the end of this process."""
        if not self._held and self.is_available:
            os.write(self._device, _AT_ONCE)
            self._held = True

    def release(self) -> None:
        """Let processors halt again."""
        if self._held:
            os.write(self._device, _WHENEVER)
            self._held = False

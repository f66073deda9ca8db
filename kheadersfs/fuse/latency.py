"""Keep the processors of a virtual machine from halting while requests come.

A process that sends a request sleeps until it is answered. A virtual processor with nothing to do
halts, and the host then uses the real one for something else. To get it back takes longer than to
answer a request. The kernel can be asked to have idle processors poll for work instead. It stops
when the process that has asked ends.

Source: Documentation/power/pm_qos_interface.rst, "Using /dev/cpu_dma_latency", and
Documentation/virt/guest-halt-polling.rst.
"""

from __future__ import annotations

import os
import struct

from kheadersfs.bare import suppress

DEVICE = "/dev/cpu_dma_latency"
DRIVER = "/sys/devices/system/cpu/cpuidle/current_driver"
GUEST_DRIVER = b"haltpoll"
"""The idle driver of virtual machines in which a processor can poll for work (cpuidle-haltpoll)."""

_MICROSECONDS = struct.Struct("=i")
_AT_ONCE, _WHENEVER = _MICROSECONDS.pack(0), _MICROSECONDS.pack(-1)


class WakeLatency:
    """Asks the kernel for processors that wake at once, if this process may.

    It does nothing where GUEST_DRIVER is not in use: a real processor that never rests slows the
    others down. The device is opened at once, because a server can open nothing once it has given
    up its rights.
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
        """Whether this process can ask the kernel for that, and to any effect."""
        return self._device >= 0

    def hold(self) -> None:
        """Keep processors from halting until ``release`` or the end of this process."""
        if not self._held and self.is_available:
            os.write(self._device, _AT_ONCE)
            self._held = True

    def release(self) -> None:
        """Let processors halt again."""
        if self._held:
            os.write(self._device, _WHENEVER)
            self._held = False

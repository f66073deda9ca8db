"""What a reader of figures should know about the machine that they come from."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

_UNKNOWN = "unknown"


class Host(NamedTuple):
    """A machine and its state.

    ``idle_driver`` decides what it costs to wake a processor, and so what a request costs: haltpoll
    can be asked to stay awake, "none" cannot. ``liblzma`` is the system's, which decides how long
    one block of xz takes. ``load`` is the average of a minute before measuring; ``when`` is UTC.
    """

    processor: str
    processors: int
    machine: str
    kernel: str
    idle_driver: str
    python: str
    liblzma: str
    load: float
    when: str

    @property
    def title(self) -> str:
        """What it is called in tables. Hosts of the same title are taken for one."""
        return (
            f"{self.processors} x {self.processor}, Linux {self.kernel_series}, "
            f"idle driver {self.idle_driver}"
        )

    @property
    def kernel_series(self) -> str:
        """The first two numbers of the kernel's release."""
        return ".".join(self.kernel.split(".")[:2])


def describe_host() -> Host:
    """Return what this machine is."""
    with open("/proc/loadavg") as load:
        load_average = float(load.read().split()[0])
    return Host(
        _processor(),
        len(os.sched_getaffinity(0)),
        platform.machine(),
        platform.release(),
        _idle_driver(),
        platform.python_version(),
        _liblzma(),
        load_average,
        time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    )


def host_of(document: dict[str, Any]) -> Host:
    """Return the host that a document of report.write_json() is of."""
    return Host(**document["host"])


def _processor() -> str:
    with open("/proc/cpuinfo") as processors:
        for line in processors:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return _UNKNOWN


def _idle_driver() -> str:
    try:
        with open("/sys/devices/system/cpu/cpuidle/current_driver") as driver:
            return driver.read().strip()
    except OSError:
        return _UNKNOWN


def _liblzma() -> str:
    """Return the version that xz was linked with at run time, which is the system's."""
    try:
        printed = subprocess.run(["xz", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return _UNKNOWN
    return printed.stdout.split()[-1]

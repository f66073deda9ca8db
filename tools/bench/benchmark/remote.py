"""A packed archive at an address: the first build from it, with nothing in the cache and with all.

nginx serves it, behind a relay that delays what it passes on (delaying.py). A local file is
measured in the same rounds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.delaying import Relay
from benchmark.figures import Summary, summarise
from benchmark.processes import find_program
from benchmark.report import print_table, show, show_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.implementations import Implementation
    from benchmark.inputs import Inputs
    from benchmark.workload import Workload

DELAYS = (0, 10, 20)
"""Milliseconds that bytes take longer each way; a round trip takes twice as long."""
_PORT = 8080
_NGINX = """
daemon off; master_process off; pid {place}/pid; error_log {place}/errors;
events {{ worker_connections 64; }}
http {{
    log_format sent '$body_bytes_sent'; access_log {place}/sent sent;
    client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
    uwsgi_temp_path {place}/4; scgi_temp_path {place}/5;
    server {{
        listen 127.0.0.1:{port}; root {place};
        location /fresh/ {{ alias {place}/; expires 1h; }}
    }}
}}
"""
WAYS = ("file", "address", "address, again", "fresh address, again")


class Row(NamedTuple):
    """Seconds for mount, first build and unmount, by way; bytes that were fetched first."""

    delay: int
    seconds: dict[str, Summary]
    fetched: int


class Remote:
    """Measures *implementation* with *workload*."""

    def __init__(self, implementation: Implementation, inputs: Inputs, workload: Workload) -> None:
        """Starts nginx. Raises Unavailable."""
        self._command = [implementation.executable]
        self._workload = workload
        self._place = os.path.join(inputs.memory, "remote")
        self._headers = os.path.join(self._place, "headers")
        self._cache = os.path.join(self._place, "cache")
        os.makedirs(self._headers)
        self.archive = os.path.join(self._place, "packed.tar.xz")
        shutil.copyfile(inputs.packed(implementation, "xz"), self.archive)
        configuration = os.path.join(self._place, "nginx.conf")
        with open(configuration, "w") as file:
            file.write(_NGINX.format(place=self._place, port=_PORT))
        errors = os.path.join(self._place, "errors")
        self._server = subprocess.Popen([find_program("nginx"), "-c", configuration, "-e", errors])

    def close(self) -> None:
        """End nginx."""
        self._server.kill()
        self._server.wait()

    def measure(self, delay: int, rounds: int) -> Row:
        """Measure each way *rounds* times, in turn, with *delay* milliseconds each way."""
        with Relay(_PORT, delay / 1000) as port:
            return self._measure(f"http://127.0.0.1:{port}", delay, rounds)

    def _measure(self, server: str, delay: int, rounds: int) -> Row:
        address, fresh = (f"{server}{place}packed.tar.xz" for place in ("/", "/fresh/"))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            shutil.rmtree(self._cache, ignore_errors=True)
            seconds["file"].append(self._build(self.archive))
            before = self._sent()
            seconds["address"].append(self._build(address))
            fetched = self._sent() - before
            seconds["address, again"].append(self._build(address))
            self._build(fresh)
            seconds["fresh address, again"].append(self._build(fresh))
        return Row(delay, {way: summarise(taken) for way, taken in seconds.items()}, fetched)

    def _build(self, archive: str) -> float:
        environment = {**os.environ, "KHEADERSFS_CACHE": self._cache}
        began = time.perf_counter()
        subprocess.run(
            [*self._command, "mount", archive, self._headers], check=True, env=environment
        )
        self._workload.build(self._headers, os.path.join(self._place, "program.o"))
        subprocess.run([*self._command, "umount", self._headers], check=True)
        return time.perf_counter() - began

    def _sent(self) -> int:
        with open(os.path.join(self._place, "sent")) as file:
            return sum(map(int, file))


def measure_remote(
    implementation: Implementation, inputs: Inputs, workload: Workload, rounds: int
) -> list[dict[str, Any]]:
    """Measure, print the table, and return its figures. Raises Unavailable."""
    remote = Remote(implementation, inputs, workload)
    try:
        rows = [remote.measure(delay, rounds) for delay in DELAYS]
    finally:
        remote.close()
    print_rows(rows, os.path.getsize(remote.archive))
    return [
        {
            "delay_ms": row.delay,
            "fetched": row.fetched,
            "archive": os.path.getsize(remote.archive),
            "seconds": {way: taken._asdict() for way, taken in row.seconds.items()},
        }
        for row in rows
    ]


def print_rows(rows: Sequence[Row], size: int) -> None:
    """Print *rows*; *size* is the archive's, in bytes."""
    columns = ("delay, way", "seconds", "quartiles", "over a file", "fetched")
    lines: list[list[str]] = []
    for row in rows:
        for way, taken in row.seconds.items():
            ratio = taken.median / row.seconds["file"].median
            fetched = f"{row.fetched / size:.1%}" if way == "address" else ""
            name = f"{row.delay} ms, {way}"
            spread = show_spread(taken, ".2f")
            lines.append([name, show(taken, ".2f"), spread, f"{ratio:.2f}", fetched])
    print_table("mount, first build and unmount, by an address", columns, lines)

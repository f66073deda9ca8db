"""``kheadersfs status --watch``: a live screen of one mount; the only importer of rich."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

try:
    from rich.bar import Bar
    from rich.console import Console, Group
    from rich.live import Live
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text
except ImportError as error:
    from kheadersfs.errors import KheadersfsError

    raise KheadersfsError(
        "status --watch needs the package rich: pip install rich (Debian: apt install python3-rich)"
    ) from error

from kheadersfs.cli.output import printable, size
from kheadersfs.errors import MountpointError, UsageError
from kheadersfs.mount import servers

if TYPE_CHECKING:
    from typing import Any

    from rich.console import RenderableType

_INTERVAL = 1.0
"""Seconds from one look to the next; each is a request to the server."""
_BAR = 40
"""Columns of a bar."""


def watch(mountpoint: str) -> None:
    """Show the mount at *mountpoint* until it is gone, or the user has seen enough.

    Raises UsageError without a terminal, MountpointError when its server does not answer at first.
    """
    console = Console()
    if not console.is_terminal:
        raise UsageError("status --watch needs a terminal; status --json is for programs")
    before = status = servers.read_status(mountpoint)
    try:
        with Live(screen(status, before), console=console, auto_refresh=False) as live:
            while True:
                live.update(screen(status, before), refresh=True)
                time.sleep(_INTERVAL)
                before, status = status, servers.read_status(mountpoint)
    except (KeyboardInterrupt, MountpointError):
        return  # what was seen last stays on the terminal


def screen(status: dict[str, Any], before: dict[str, Any]) -> RenderableType:
    """Return *status* as a panel, with what has changed since *before*, of the same mount."""
    kernel = f"{status['release']} {status['arch']}" if status["release"] else "not read yet"
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "archive", Text(f"{printable(status['archive'])} ({size(status['archive_size'])})")
    )
    facts.add_row("kernel", kernel)
    facts.add_row("memory", _memory(status))
    facts.add_row("blocks", _blocks(status))
    facts.add_row("files", f"{_open_files(status)}, up for {status['uptime']:.0f} s")
    parts: list[RenderableType] = [facts, "", _requests(status, before)]
    files = status.get("last_opened", [])  # a server of an older version does not say
    if files:
        parts += ["", "opened last", *(Text(f"  {printable(path)}") for path in files)]
    return Panel(Group(*parts), title=Text(printable(status["mountpoint"])), expand=False)


def _memory(status: dict[str, Any]) -> str:
    held = size(status["held_decoded"] + status["held_compressed"])
    return f"{size(status['resident'])}, of which content {held}"


def _open_files(status: dict[str, Any]) -> str:
    count = status["open_files"]
    return "opened without asking" if count is None else f"{count} open"


def _blocks(status: dict[str, Any]) -> RenderableType:
    """Return the blocks decoded so far; one may be decoded again once it was let go."""
    count, decoded = status["blocks"], status["blocks_decoded"]
    line = Table.grid(padding=(0, 1))
    bar = Bar(max(count, 1), 0, min(decoded, count), width=_BAR, color="dark_orange")
    line.add_row(bar, f"{decoded} decoded of {count}")
    return line


def _requests(status: dict[str, Any], before: dict[str, Any]) -> Table:
    table = Table("requests", "", box=None, padding=(0, 2, 0, 0))
    for heading in ("in all", "a second"):
        table.add_column(heading, justify="right")
    elapsed = status["uptime"] - before["uptime"]
    most = max(*status["requests"].values(), 1)
    for kind, count in status["requests"].items():
        rate = (count - before["requests"].get(kind, 0)) / elapsed if elapsed > 0 else 0
        bar = Bar(most, 0, count, width=_BAR, color="dodger_blue1")
        table.add_row(kind, bar, str(count), f"{rate:.0f}")
    return table

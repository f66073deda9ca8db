"""``kheadersfs status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kheadersfs.cli.arguments import Parser
from kheadersfs.cli.output import printable
from kheadersfs.errors import MountpointError
from kheadersfs.mount import servers, table

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser("status", "Show what is mounted at MOUNTPOINT, or everywhere.")
    arguments.add_argument("--json", action="store_true", help="print it as JSON")
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT", nargs="?")
    return arguments


def run(arguments: list[str]) -> int:
    """Print the status of one mount, or of all."""
    values = parser().parse_args(arguments)
    if values.mountpoint is not None:
        mountpoint = table.require_mount(table.real_path(values.mountpoint))
        status = servers.read_status(mountpoint)
        print(json.dumps(status, indent=2) if values.json else describe(status))
        return 0
    statuses = [_status_or_error(mountpoint) for mountpoint in table.list_mounts()]
    if values.json:
        print(json.dumps(statuses, indent=2))
    elif not statuses:
        raise MountpointError("no headers are mounted; kheadersfs mount ARCHIVE MOUNTPOINT")
    else:
        print("\n\n".join(map(describe, statuses)))
    told = [status for status in statuses if "error" not in status]
    return 0 if told or not statuses else MountpointError.exit_status


def _status_or_error(mountpoint: str) -> dict[str, Any]:
    """Return what the server of *mountpoint* says, or why it does not.

    It may be dead, or another user's, and that is no reason to hide the others.
    """
    try:
        return servers.read_status(mountpoint)
    except MountpointError as error:
        return {"mountpoint": mountpoint, "error": str(error)}


def size(count: int) -> str:
    """Return *count* bytes for people."""
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / (1 << 10):.1f} KiB"


def describe(status: dict[str, Any]) -> str:
    """Return *status* as lines for people."""
    if "error" in status:
        return f"{printable(status['mountpoint'])}\n  unknown    {printable(status['error'])}"
    damage = status.get("damage", "")  # a server of an older version does not say
    lines = [
        printable(status["mountpoint"]),
        f"  archive    {printable(status['archive'])} ({size(status['archive_size'])}, "
        f"{status['compression']})",
    ]
    if status["release"]:
        lines.append(f"  kernel     {status['release']} {status['arch']}")
    if status["loaded"]:
        kind = "its index" if status["indexed"] else "one pass"
        lines.append(f"  members    {status['members']}, from {kind}")
        lines.append(f"  blocks     {status['blocks_decoded']} decoded of {status['blocks']}")
    elif not damage:
        lines.append("  members    not read yet: nobody has looked")
    if status["refused"]:
        lines.append(f"  refused    {status['refused']} members, which the log names")
    if damage:
        lines.append(f"  unreadable {printable(damage)}")
    if status["blocks_damaged"]:
        lines.append(
            f"  damaged    {status['blocks_damaged']} blocks; files in them are I/O errors"
        )
    lines.append(
        f"  memory     {size(status['resident'])} resident, of which decoded content "
        f"{size(status['held_decoded'])}, compressed {size(status['held_compressed'])}"
    )
    requests = ", ".join(f"{count} {name}" for name, count in status["requests"].items())
    lines.append(f"  requests   {requests}")
    lines.append(f"  open files {status['open_files']}")
    lines.append(f"  uptime     {status['uptime']:.1f} s, process {status['pid']}")
    if status["keeps_processors_awake"]:
        lines.append("  processors do not halt while requests come")
    given_up = (f"{subject} ({words})" for subject, words in status["restrictions"].items())
    lines.append(f"  restricted {', '.join(given_up)}")
    lines += (f"  missing    {missing}" for missing in status["restrictions_missing"])
    return "\n".join(lines)

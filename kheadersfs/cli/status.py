"""``kheadersfs status``."""

from __future__ import annotations

from kheadersfs.cli.output import printable, size
from kheadersfs.cli.words import plain_words
from kheadersfs.errors import MountpointError, UsageError
from kheadersfs.mount import servers, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kheadersfs.cli.arguments import Parser


def parser() -> Parser:
    """See CommandModule.parser."""
    from kheadersfs.cli.arguments import Parser, add_json  # 12 ms, which only options pay

    arguments = Parser(
        "status",
        "Show what is mounted at MOUNTPOINT, or everywhere, and what it costs.",
        ("kheadersfs status ~/headers", "one mount"),
        ("kheadersfs status --json | jq -r '.[].mountpoint'", "where headers are mounted"),
    )
    add_json(arguments)
    arguments.add_argument(
        "--watch",
        action="store_true",
        help="show one mount live, until it is unmounted or you press ^C; without MOUNTPOINT, the "
        "only one there is. This needs the package rich",
    )
    arguments.add_argument(
        "mountpoint", metavar="MOUNTPOINT", nargs="?", help="where headers are mounted"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Print the status of one mount, or of all."""
    words = plain_words(arguments, 1)
    if words is not None:
        place, as_json, watched = (words[0] if words else None), False, False
    else:
        values = parser().parse(arguments)
        place, as_json, watched = values.mountpoint, values.json, values.watch
    if watched:
        from kheadersfs.cli.watch import watch  # 100 ms, which only --watch pays

        watch(table.require_mount(table.real_path(place)) if place is not None else _only_mount())
        return 0
    if place is not None:
        mountpoint = table.require_mount(table.real_path(place))
        status = servers.read_status(mountpoint)
        print(_to_json(status) if as_json else describe(status))
        return 0
    statuses = [_status_or_error(mountpoint) for mountpoint in table.list_mounts()]
    if as_json:
        print(_to_json(statuses))
    elif not statuses:
        print("no headers are mounted; kheadersfs mount ARCHIVE MOUNTPOINT mounts some")
    else:
        print("\n\n".join(map(describe, statuses)))
    told = [status for status in statuses if "error" not in status]
    return 0 if told or not statuses else MountpointError.exit_status


def _only_mount() -> str:
    """Return where headers are mounted. Raises UsageError unless it is one place."""
    mountpoints = table.list_mounts()
    if len(mountpoints) != 1:
        raise UsageError(
            f"headers are mounted in {len(mountpoints)} places; name one: "
            "kheadersfs status --watch MOUNTPOINT"
        )
    return mountpoints[0]


def _to_json(what: object) -> str:
    import json  # 7 ms, which only --json pays

    return json.dumps(what, indent=2)


def _status_or_error(mountpoint: str) -> dict[str, Any]:
    """Return what the server of *mountpoint* says, or why it does not.

    It may be dead, or another user's, and that is no reason to hide the others.
    """
    try:
        return servers.read_status(mountpoint)
    except MountpointError as error:
        return {"mountpoint": mountpoint, "error": str(error)}


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
    if status["open_files"] is None:
        lines.append("  open files not known: the kernel opens and closes them without asking")
    else:
        lines.append(f"  open files {status['open_files']}")
    lines.append(f"  uptime     {status['uptime']:.1f} s, process {status['pid']}")
    if status["keeps_processors_awake"]:
        lines.append("  processors do not halt while requests come")
    given_up = (f"{subject} ({words})" for subject, words in status["restrictions"].items())
    lines.append(f"  restricted {', '.join(given_up)}")
    lines += (f"  missing    {missing}" for missing in status["restrictions_missing"])
    return "\n".join(lines)

"""The comma-separated list behind ``-o``, as mount(8) and fstab write it."""

from __future__ import annotations

from kheadersfs.errors import UsageError
from kheadersfs.limits import DEFAULT_BUDGET, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

RUNNING_KERNELS = "none"
"""The ARCHIVE that stands for none: in fstab the first field cannot be left out."""
# mount(8), systemd and fstab pass these along. What they ask for holds here anyway.
_WITHOUT_EFFECT = frozenset(
    (
        *("ro", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group"),
        *("nofail", "_netdev", "nosuid", "nodev", "dev", "suid"),
        *("atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime"),
        *("diratime", "nodiratime", "lazytime", "nolazytime", "async", "sync", "dirsync"),
        *("iversion", "noiversion", "mand", "nomand", "silent", "loud"),
    )
)
_COMMENTS = ("x-", "X-", "comment")
_LARGEST_SIZE = 1 << 60
_SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class MountOptions(Record):
    """What ``-o`` can say. Some options of the mount command say the same.

    ``uid`` and ``gid`` own everything; ``cache`` is in bytes, ``idle_timeout`` in seconds, None for
    never. ``log``, ``btf`` and ``verify_key`` are paths. ``release`` is the one of several kernels
    to show. ``any_release`` allows headers of another than the running kernel in the default place,
    ``noexec`` lets no program in it be started. ``limit`` is what parse_limits() takes.
    """

    allow_other: bool = False
    nonempty: bool = False
    uid: int = 0
    gid: int = 0
    cache: int = DEFAULT_BUDGET
    idle_timeout: float | None = None
    prefetch: bool = False
    strict: bool = False
    any_release: bool = False
    noexec: bool = False
    log: str | None = None
    btf: str | None = None
    release: str | None = None
    digest: str | None = None
    verify_key: str | None = None
    limit: tuple[str, ...] = ()


def parse_mount_options(lists: list[str]) -> MountOptions:
    """Return what all the ``-o`` *lists* say together; the last word counts.

    Raises UsageError for an option that is unknown or has a wrong value.
    """
    settings: dict[str, Any] = {}
    limits: list[str] = []
    for option in ",".join(lists).split(","):
        name, separator, value = option.partition("=")
        if name in _VALUES:
            settings[name] = _VALUES[name](f"-o {option}", value)
        elif name == "limit":
            limits.append(value)
        elif name in _FLAGS and not separator:
            settings[name] = True
        elif name == "exec" and not separator:
            settings["noexec"] = False
        elif name == "rw":
            raise UsageError("-o rw: headers are mounted read-only; leave it out")
        elif option and name not in _WITHOUT_EFFECT and not name.startswith(_COMMENTS):
            raise _no_such(f"-o {option}", "option", name, (*_VALUES, *_FLAGS, "limit"))
    return MountOptions(**settings, limit=tuple(limits))


def _no_such(shown: str, what: str, name: str, known: Iterable[str]) -> UsageError:
    """Return what to raise of *name*, which is none of the *known* and was *shown* like that."""
    from kheadersfs.cli.misspelling import suggestion  # 12 ms, which only mistakes pay

    where = "kheadersfs help limits" if what == "limit" else "kheadersfs mount --help"
    return UsageError(
        f"{shown}: no such {what}{suggestion(name, known) or f'; {where} lists them'}"
    )


def _number(option: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) >= 1 << 32:
        raise UsageError(f"{option}: give a number, as in uid=1000")
    return int(value)


def _seconds(option: str, value: str) -> float:
    from kheadersfs.cli.arguments import seconds  # 12 ms, which only this option pays

    try:
        return seconds(value)
    except ValueError:
        raise UsageError(f"{option}: give seconds, as in idle_timeout=60") from None


def _text(option: str, value: str) -> str:
    if not value:
        raise UsageError(f"{option}: give a value")
    return value


def parse_size(option: str, value: str) -> int:
    """Return *value*, a number of bytes perhaps with K, M or G, as an integer.

    Raises UsageError naming *option*.
    """
    factor = _SUFFIXES.get(value[-1:].lower(), 1)
    digits = value if factor == 1 else value[:-1]
    if not digits.isascii() or not digits.isdigit() or int(digits) * factor > _LARGEST_SIZE:
        raise UsageError(f"{option}: give a size, as in 64M")
    return int(digits) * factor


_FLAGS = frozenset(("allow_other", "nonempty", "noexec", "prefetch", "strict", "any_release"))
_VALUES: dict[str, Callable[[str, str], object]] = {
    "uid": _number,
    "gid": _number,
    "cache": parse_size,
    "idle_timeout": _seconds,
    "log": _text,
    "btf": _text,
    "release": _text,
    "digest": _text,
    "verify_key": _text,
}


def parse_limits(settings: Iterable[str]) -> Limits:
    """Return the limits with those changed that *settings* name, each as NAME=NUMBER.

    Raises UsageError.
    """
    limits = Limits()
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise UsageError(
                f"--limit {setting}: give NAME=NUMBER, as in members={limits.members}; "
                "kheadersfs help limits has the names"
            )
        if name not in limits._fields:
            raise _no_such(f"--limit {setting}", "limit", name, limits._fields)
        try:
            number = parse_size(setting, value)
        except UsageError:
            raise UsageError(
                f"--limit {setting}: give a whole number, perhaps with K, M or G"
            ) from None
        limits = limits._replace(**{name: number})
    return limits

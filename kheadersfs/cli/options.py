"""The comma-separated list behind ``-o``, as mount(8) and fstab write it."""

from __future__ import annotations

from typing import NamedTuple

from kheadersfs.errors import UsageError
from kheadersfs.store import DEFAULT_BUDGET

# What mount(8), systemd and fstab pass along and what holds here anyway.
_WITHOUT_EFFECT = frozenset(
    (
        *("ro", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group"),
        *("nofail", "_netdev", "nosuid", "nodev", "dev", "suid", "exec", "noexec"),
        *("atime", "noatime", "relatime", "async", "sync"),
    )
)
_SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class MountOptions(NamedTuple):
    """What ``-o`` can say. ``uid`` and ``gid`` own everything; ``cache`` is in bytes."""

    allow_other: bool = False
    nonempty: bool = False
    uid: int = 0
    gid: int = 0
    cache: int = DEFAULT_BUDGET


def parse_mount_options(lists: list[str]) -> MountOptions:
    """Return what all the ``-o`` *lists* say together; the last word counts.

    Raises UsageError for an option that is unknown or has a wrong value.
    """
    options = MountOptions()
    for option in ",".join(lists).split(","):
        name, _, value = option.partition("=")
        if name == "allow_other":
            options = options._replace(allow_other=True)
        elif name == "nonempty":
            options = options._replace(nonempty=True)
        elif name == "uid":
            options = options._replace(uid=_number(option, value))
        elif name == "gid":
            options = options._replace(gid=_number(option, value))
        elif name == "cache":
            options = options._replace(cache=parse_size(f"-o {option}", value))
        elif name == "rw":
            raise UsageError("-o rw: headers are mounted read-only; leave it out")
        elif option and name not in _WITHOUT_EFFECT and not name.startswith(("x-", "comment")):
            raise UsageError(f"-o {option}: no such option; kheadersfs mount --help lists them")
    return options


def _number(option: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) >= 1 << 32:
        raise UsageError(f"-o {option}: give a number, as in uid=1000")
    return int(value)


def parse_size(option: str, value: str) -> int:
    """Return *value*, a number of bytes perhaps with K, M or G, as an integer.

    Raises UsageError naming *option*.
    """
    factor = _SUFFIXES.get(value[-1:].lower(), 1)
    digits = value if factor == 1 else value[:-1]
    if not digits.isascii() or not digits.isdigit():
        raise UsageError(f"{option}: give a size, as in 64M")
    return int(digits) * factor

"""Name the kernels of ``run --each``, and make a directory for the output of each."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, UsageError, reason
from kheadersfs.records import Record

RECORD = ".kheadersfs-archive"
"""The file in a directory that says with which archive's headers the objects in there were made."""
_CONTAINERS = (".tar", ".cpio")
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
_LONGEST = 200
_DEEPEST = 64
"""Directories above a file that can be part of its name."""


class Target(Record):
    """What a command is run for: an archive, or one of several kernels in it.

    ``name`` is what it is called. ``kernel`` is the number of the kernel, None for all there is.
    ``label`` names it to people: the archive, and the kernel if it is one of several.
    """

    archive: str
    name: str
    kernel: int | None
    label: str


def name_of(archive: str) -> str:
    """Return what the kernel of *archive* is called: its file's name, without ``.tar.xz``."""
    return safe_name(_stem(os.path.basename(archive)))


def names_of(archives: list[str]) -> list[str]:
    """Return a name for each of *archives*: different ones as far as their paths differ.

    Where the files' names do not tell them apart, their directories' are put before.
    """
    paths = [os.path.abspath(archive).split("/") for archive in archives]
    for depth in range(1, _DEEPEST):
        parts = [path[-depth:] for path in paths]
        for names in (
            [safe_name("-".join([*part[:-1], _stem(part[-1])])) for part in parts],
            [safe_name("-".join(part)) for part in parts],
        ):
            if len(set(names)) == len({*map(tuple, paths)}):
                return names
    return [name_of(archive) for archive in archives]


def _stem(name: str) -> str:
    """Return *name* without what tells the format: a container and, behind it, a compression."""
    for container in _CONTAINERS:
        stem, found, compression = name.rpartition(container)
        if found and stem and (not compression or compression[0] == "."):
            return stem
    return name


def safe_name(name: str) -> str:
    """Return *name* without what a shell, make or a terminal takes for something else."""
    word = "".join(character if character in _SAFE else "_" for character in name[-_LONGEST:])
    return "_" + word[1:] if word[:1] in ("", ".", "-") else word


def make_places(parent: str, targets: list[Target]) -> list[str]:
    """Return a directory below *parent* for each of *targets*, made if need be.

    What is in it may only have been made with that archive: the times of headers say nothing about
    which kernel an object is of. Raises UsageError, KheadersfsError, ArchiveUnavailable.
    """
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        twice = next(target.label for target in targets if names.count(target.name) > 1)
        raise UsageError(
            f"{twice}: is there twice, or two archives have one name; --output needs different ones"
        )
    places = [os.path.join(os.path.abspath(parent), name) for name in names]
    for target, place in zip(targets, places, strict=True):
        _make_place(target.archive, place)
    return places


def _make_place(archive: str, place: str) -> None:
    """Make the directory *place* for what is built with *archive*. Raises KheadersfsError."""
    try:
        os.makedirs(place, exist_ok=True)
        digest = _digest(archive)
        if not digest:
            return  # that it cannot be read is said when its turn comes
        record = os.path.join(place, RECORD)
        if _read_record(record) == digest:
            return
        if set(os.listdir(place)) - {RECORD}:
            raise KheadersfsError(
                f"{place}: what is in there was not made with {archive} as it is now, and make "
                "would take it for that: remove it, or name another directory with --output"
            )
        with open(record, "w", encoding="ascii") as file:
            file.write(digest)
    except OSError as error:
        raise KheadersfsError(
            f"{place}: cannot be written to: {reason(error)}; name another directory with --output"
        ) from error


def _read_record(record: str) -> str:
    """Return what is in the file *record*, nothing if there is none. Raises OSError."""
    try:
        with open(record, encoding="ascii", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _digest(archive: str) -> str:
    """Return a line with the SHA-256 of the file *archive*, nothing if it cannot be read."""
    import hashlib  # 3 ms, which only --output pays

    try:
        with open(archive, "rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError:
        return ""
    return f"sha256:{digest.hexdigest()}\n"

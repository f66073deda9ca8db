"""``kheadersfs info``."""

from __future__ import annotations

import json
import stat
from collections import Counter

from kheadersfs.archive.names.page import ROOT
from kheadersfs.archive.source import digest_of
from kheadersfs.cli.archive_map import draw, write_map
from kheadersfs.cli.arguments import ARCHIVE, Parser, add_json, add_limits, add_release
from kheadersfs.cli.kernels import kernels_of
from kheadersfs.cli.opening import open_kernel
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.output import printable
from kheadersfs.cli.progress import Progress, progress_line
from kheadersfs.cli.reading import ask_confined, read_confined
from kheadersfs.errors import UsageError
from kheadersfs.pack.packing import read_profile
from kheadersfs.reader import HeaderArchive

_TYPES = {"files": stat.S_IFREG, "directories": stat.S_IFDIR, "symlinks": stat.S_IFLNK}


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "info",
        "Describe ARCHIVE: its kernel, compression, content and digest.",
        ("kheadersfs info --json kheaders.tar.xz | jq -r .release", "one fact, for a script"),
        ("kheadersfs info --map map.svg --profile read.txt kheaders.tar.zst", "what a build reads"),
    )
    add_json(arguments)
    arguments.add_argument(
        "--map",
        metavar="OUT.svg",
        help="write a picture of the archive too: its blocks from hot to cold, and each header's "
        "place in them; a browser shows its name",
    )
    arguments.add_argument(
        "--profile",
        metavar="FILE",
        help="show in the picture which headers a build has read, as run --record lists them",
    )
    add_release(arguments)
    add_limits(arguments)
    arguments.add_archive_option()
    arguments.add_argument("archive", metavar="ARCHIVE", help=ARCHIVE)
    return arguments


def run(arguments: list[str]) -> int:
    """Print what the archive is and holds."""
    values = parser().parse(arguments)
    if values.profile is not None and values.map is None:
        raise UsageError("--profile is shown in a picture; name it with --map OUT.svg")
    profile = set(read_profile(values.profile)) if values.profile is not None else None
    limits = parse_limits(values.limits)
    with (
        progress_line("info", "B") as progress,
        open_kernel(values.archive, limits, values.further, values.release, progress) as archive,
    ):
        if values.map is not None:
            picture = ask_confined([archive], lambda: draw(archive, profile))
            write_map(values.map, picture)
        read_confined([archive], lambda: _tell(archive, values.json, progress))
    return 0


def _tell(archive: HeaderArchive, as_json: bool, progress: Progress) -> None:
    """Print the facts. Raises DamagedArchive afterwards if there may be more of them."""
    facts = describe(archive)
    progress.erase()
    _print(facts, as_json)
    archive.require_complete()


def _print(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        width = max(map(len, facts))
        for name, fact in facts.items():
            told = fact if isinstance(fact, list) else [fact]
            for line in told:
                print(f"{name.replace('_', ' '):{width}}  {_in_words(line)}")
                name = ""


def _in_words(fact: object) -> str:
    if isinstance(fact, dict):
        return printable(" ".join("-" if value is None else value for value in fact.values()))
    return "-" if fact is None else printable(str(fact))


def _count_names(archive: HeaderArchive) -> dict[str, int]:
    """Count what is shown of *archive*: of several kernels all, or the one that is alone."""
    if archive.kernel is None:
        counts = {kind: archive.content.table.count(kind) for kind in _TYPES.values()}
        size = archive.tree.content_size()
    else:
        inodes = [ROOT, *(inode for _, inode in archive.tree.walk())]
        shown = [archive.tree.attributes(inode) for inode in inodes]
        counts = Counter(stat.S_IFMT(attributes.mode) for attributes in shown)
        size = sum(attributes.size for attributes in shown if stat.S_ISREG(attributes.mode))
    return {name: counts[kind] for name, kind in _TYPES.items()} | {"content_size": size}


def describe(archive: HeaderArchive) -> dict[str, object]:
    """Return the facts about *archive*, as ``info --json`` prints them."""
    container, content = archive.archive, archive.content
    blocks = container.blocks
    return {
        "archive": container.source.name,
        "size": container.source.size,
        "digest": f"sha256:{digest_of(container.source, container.source.size).hex()}",
        "format": archive.format,
        "compression": container.compression,
        "checksums": container.checked,
        "release": archive.release,
        "arch": archive.arch,
        "kernels": [
            {"name": known.name, "release": known.release or None, "arch": known.arch or None}
            for known in kernels_of(content)
            if known.number is not None and archive.kernel in (None, known.number)
        ],
        "indexed": content.indexed,
        "blocks": len(blocks) if blocks is not None else 1,
        "hot_blocks": content.hot_blocks,
        **_count_names(archive),
        "refused": len(content.refusals),
        "notes": "; ".join(content.notes) or None,
        "damage": content.damage or None,
    }

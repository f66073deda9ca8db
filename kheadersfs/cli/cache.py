"""``kheadersfs cache``."""

from __future__ import annotations

import json
import os

from kheadersfs.cli.arguments import Parser, add_json
from kheadersfs.cli.output import printable, size
from kheadersfs.errors import KheadersfsError, reason
from kheadersfs.kernel import keeping
from kheadersfs.kernel.cache import default_cache_directory
from kheadersfs.remote import settings
from kheadersfs.remote.cache import Cache


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "cache",
        "Show what is kept of archives at addresses, so that it need not be fetched again, and "
        "what was packed from packages and header trees. Everything is below /var/cache/kheadersfs "
        "for root and ~/.cache/kheadersfs for others. $KHEADERSFS_CACHE names another place for "
        "what is fetched. $KHEADERSFS_CACHE_SIZE is how many bytes each of the two may take, by "
        "default 1 GiB.",
        ("kheadersfs cache", "what is kept, and how much it takes"),
        ("kheadersfs cache --clear", "remove all of it"),
    )
    arguments.add_argument(
        "--clear",
        action="store_true",
        help="remove everything; mounts fetch again what they need, and packages are packed again",
    )
    add_json(arguments)
    return arguments


def run(arguments: list[str]) -> int:
    """Print what is kept, after removing it if that is asked for."""
    values = parser().parse(arguments)
    cache = Cache(settings.cache_directory(), settings.cache_size())
    packed = default_cache_directory(os.environ)
    if values.clear:
        try:
            cache.clear()
        except OSError as error:
            raise KheadersfsError(
                f"{cache.directory}: cannot be cleared: {reason(error)}; remove it by hand"
            ) from error
        keeping.clear(packed)
    count, total, notes = cache.everything()
    archives = keeping.kept_archives(packed)
    if values.json:
        addresses = [
            {"address": known.address, "size": known.size, "whole": bool(known.whole)}
            for known in notes
        ]
        facts = {
            "directory": cache.directory,
            "limit": settings.cache_size(),
            "pieces": count,
            "size": total,
            "addresses": addresses,
            "packed": {
                "directory": packed,
                "size": sum(kept.size for kept in archives),
                "archives": [
                    {"name": os.path.basename(kept.path), "size": kept.size} for kept in archives
                ],
            },
        }
        print(json.dumps(facts, indent=2))
        return 0
    limit = size(settings.cache_size())
    print(f"{printable(cache.directory)}: {count} pieces, {size(total)} of at most {limit}")
    for known in notes:
        print(f"  {printable(known.address)} ({size(known.size)})")
    held = size(sum(kept.size for kept in archives))
    print(f"{printable(packed)}: {len(archives)} packed, {held} of at most {limit}")
    for kept in archives:
        print(f"  {printable(os.path.basename(kept.path))} ({size(kept.size)})")
    return 0

"""``kheadersfs cache``."""

from __future__ import annotations

import json

from kheadersfs.cli.arguments import Parser, add_json
from kheadersfs.cli.output import printable, size
from kheadersfs.errors import KheadersfsError, reason
from kheadersfs.remote import settings
from kheadersfs.remote.cache import Cache


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "cache",
        "Show what is kept of archives at addresses, so that it need not be fetched again. "
        "$KHEADERSFS_CACHE says where, by default below /var/cache/kheadersfs for root and "
        "~/.cache/kheadersfs for others; $KHEADERSFS_CACHE_SIZE how many bytes at most, 1 GiB.",
        ("kheadersfs cache", "how much there is, and from where"),
        ("kheadersfs cache --clear", "remove all of it"),
    )
    arguments.add_argument(
        "--clear",
        action="store_true",
        help="remove everything; what is mounted fetches again what it needs",
    )
    add_json(arguments)
    return arguments


def run(arguments: list[str]) -> int:
    """Print what is kept, after removing it if that is asked for."""
    values = parser().parse(arguments)
    cache = Cache(settings.cache_directory(), settings.cache_size())
    if values.clear:
        try:
            cache.clear()
        except OSError as error:
            raise KheadersfsError(
                f"{cache.directory}: cannot be cleared: {reason(error)}; remove it by hand"
            ) from error
    count, total, notes = cache.everything()
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
        }
        print(json.dumps(facts, indent=2))
        return 0
    limit = size(settings.cache_size())
    print(f"{printable(cache.directory)}: {count} pieces, {size(total)} of at most {limit}")
    for known in notes:
        print(f"  {printable(known.address)} ({size(known.size)})")
    return 0

"""Refuse with ``--strict`` an archive of which members are left out or given other names."""

from __future__ import annotations

from kheadersfs.errors import RefusedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.content import Content
    from kheadersfs.archive.opening import Archive


def require_safe(content: Content) -> None:
    """Raise RefusedArchive if members of *content* were left out, or lost a leading slash."""
    if content.refusals:
        raise RefusedArchive(f"{content.blocks.name}: {content.refusals[0]}; refused (--strict)")
    if content.absolute:
        raise RefusedArchive(
            f"{content.blocks.name}: {content.absolute} absolute names; refused (--strict)"
        )


def check_safety(archive: Archive, budget: int) -> None:
    """Read all of *archive* in a process without rights, which may use *budget* bytes of memory.

    Raises what require_safe() and reading an archive raise.
    """
    from kheadersfs.archive.readers import WholeReader  # 20 ms, which only --strict pays
    from kheadersfs.sandbox.confined import Confined  # 21 ms, which only --strict pays

    reader = WholeReader(archive)

    def check() -> bytes:
        require_safe(reader.load())
        return b""

    Confined(archive.source.name, reader.prepare, check, budget).result()

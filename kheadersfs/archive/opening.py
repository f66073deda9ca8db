"""Open an archive: find out how the file is compressed, and what its framing says."""

from __future__ import annotations

from kheadersfs.archive.compression.kinds import PLAIN
from kheadersfs.archive.sniffing import check_end, sniff
from kheadersfs.archive.source import open_source
from kheadersfs.limits import DEFAULT_LIMITS, Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.source import Source


_ADDRESSES = ("http://", "https://", "s3://", "oci://")


class Archive:
    """An open archive. See readers.py for who reads what is in it.

    ``blocks`` are those of the file itself when they can be decoded one by one, else None.
    ``checked`` is False when nothing would show damage.
    """

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """Look at the file's framing, without decompressing anything.

        Raises UnsupportedArchive, RefusedArchive, or DamagedArchive when the file does not look
        complete.
        """
        self.source = source
        self.limits = limits
        self.kind = sniff(source, limits)
        self.blocks, self.checked = self.kind.frame(source, limits)
        if self.is_plain:
            check_end(source)

    @property
    def compression(self) -> str:
        """What the compression is called; "none" when there is none."""
        return self.kind.name

    @property
    def is_plain(self) -> bool:
        """Whether the file is not compressed."""
        return self.kind is PLAIN

    def close(self) -> None:
        """Close the file. What one pass has read stays usable until it is released."""
        self.source.close()


def is_address(name: str) -> bool:
    """Tell whether *name* is an address of which bytes can be fetched, and no file's name."""
    return name.lower().startswith(_ADDRESSES)


def open_place(place: str | bytes) -> Source:
    """Open the file at the path or address *place* for positional reads.

    Raises ArchiveUnavailable, UnsupportedArchive when it is empty, UsageError for an address that
    is none.
    """
    if isinstance(place, str) and is_address(place):
        # It takes 25 ms, which only addresses pay.
        from kheadersfs.archive.addressed import AddressedSource

        return AddressedSource(place)
    return open_source(place)


def open_archive(path: str | bytes, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Open the archive at *path*, which may be an address.

    Raises ArchiveUnavailable, UnsupportedArchive, RefusedArchive when it is beyond *limits*, or
    DamagedArchive when it looks incomplete.
    """
    return archive_in(open_place(path), limits)


def archive_in(source: Source, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Return the archive in *source*, which is its own then; *source* is closed if it is none.

    Raises what Archive raises.
    """
    try:
        return Archive(source, limits)
    except BaseException:
        source.close()
        raise

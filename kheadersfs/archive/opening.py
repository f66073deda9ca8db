"""Opens archives: finds out how the file is compressed, and reads its framing."""

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
    """An open archive, whose ``source`` it owns. readers.py reads what is in it.

    ``blocks`` are the file's own blocks if they can be decoded one by one, else None.
    """

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read the file's framing, without decompressing anything.

        Raises UnsupportedArchive, RefusedArchive when it is beyond *limits*, and DamagedArchive
        when the file does not look complete.
        """
        self.source = source
        self.limits = limits
        self.kind = sniff(source, limits)
        self.blocks, self._is_checked = self.kind.frame(source, limits)
        if self.is_plain:
            check_end(source)

    @property
    def checked(self) -> bool:
        """Whether anything would show damage. Raises DamagedArchive."""
        return self._is_checked()

    @property
    def compression(self) -> str:
        """The name of the compression; "none" if the file is not compressed."""
        return self.kind.name

    @property
    def is_plain(self) -> bool:
        """Whether the file is not compressed."""
        return self.kind is PLAIN

    def close(self) -> None:
        """Close the file. Content that was read as a whole stays usable until it is released."""
        self.source.close()


def is_address(name: str) -> bool:
    """Tell whether *name* is an address of a kind that can be fetched, not a file name."""
    return name.lower().startswith(_ADDRESSES)


def open_place(place: str | bytes) -> Source:
    """Open the file at the path or address *place* for positional reads.

    Raises ArchiveUnavailable, UnsupportedArchive when it is empty, UsageError for a malformed
    address.
    """
    if isinstance(place, str) and is_address(place):
        # This import takes 25 ms, which only addresses need.
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
    """Return the archive in *source*, which it then owns. *source* is closed if this fails.

    Raises what Archive raises.
    """
    try:
        return Archive(source, limits)
    except BaseException:
        source.close()
        raise

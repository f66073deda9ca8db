"""Open an archive: the one place that knows which kind of file is read in which way."""

from __future__ import annotations

from _thread import allocate_lock

from kheadersfs.archive.blocks.table import BlockTable, XzBlocks, ZstdBlocks
from kheadersfs.archive.compression import xz, zstd
from kheadersfs.archive.sniffing import check_end, is_cpio, sniff
from kheadersfs.archive.source import digest_of, open_source
from kheadersfs.errors import DamagedArchive, UnreadableArchive
from kheadersfs.limits import DEFAULT_LIMITS, HARMLESS, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.names.building import Refusal
    from kheadersfs.archive.names.index import Index
    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.source import Source


class Content(Record):
    """What is in an archive: every name and inode, and the blocks their extents refer to.

    ``indexed`` tells that it came from the embedded index, so that nothing but that was
    decoded; ``digests`` and what follows are only known then. ``refusals`` are members left out.
    ``index_digest`` is the SHA-256 of the index, empty without one. ``warning`` says why an index
    that is there was not used. ``format`` is "tar" or "cpio", empty while no member was looked at.
    ``damage`` says why members may be missing, empty if none.
    ``absolute`` counts names, and targets of hard links, that are served without a leading slash;
    ``ending`` says what is odd about how the archive ends, empty if nothing. ``extent`` is how many
    bytes of the file, from the first on, were read for all that; 0 if only the index was.
    """

    table: Table
    blocks: BlockTable
    indexed: bool
    release: str
    arch: str
    hot_blocks: int
    index_digest: bytes
    refusals: list[Refusal]
    warning: str
    format: str
    damage: str
    absolute: int
    ending: str
    extent: int

    @property
    def notes(self) -> list[str]:
        """What those who take the archive for good should know of it all the same."""
        notes = [self.ending] if self.ending else []
        if self.absolute:
            notes.append(f"leading / removed from {self.absolute} member names or targets")
        return notes


class Archive:
    """An open archive whose content is read when ``load`` is first called.

    ``compression`` is as sniff() returns it. ``blocks`` are those of the file itself when they
    can be decoded one by one. ``checked`` is False when nothing would show damage.
    """

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """Look at the file's framing, without decompressing anything.

        Raises UnsupportedArchive, RefusedArchive, or DamagedArchive when the file does not look
        complete.
        """
        self.source = source
        self.limits = limits
        self.compression = sniff(source, limits)
        self.blocks: BlockTable | None = None
        self.checked = True
        if self.compression == "xz":
            blocks = xz.read_blocks(source, limits)
            self.blocks = XzBlocks(source, blocks, limits)
            self.checked = all(block.check for block in blocks)
        elif self.compression == "zstd":
            frames = zstd.read_frames(source, limits)
            self.checked = all(frame.checked for frame in frames)
            if all(frame.decoded_size != zstd.UNKNOWN for frame in frames):
                self.blocks = ZstdBlocks(source, frames, limits)
        elif self.compression == "lz4":
            from kheadersfs.archive.compression import lz4  # few archives are compressed with it

            self.checked = lz4.all_checked(source, limits)
        elif self.compression == "none":
            self.checked = False
            check_end(source)
        self._lock = allocate_lock()  # threading itself is not needed to mount
        self._content: Content | None = None
        self.is_indexed = False
        """Whether there is an index to read, as ``prepare`` found; it may still prove a lie."""
        self._without_library = False

    def prepare(self, for_all: bool = True) -> None:
        """Import whatever ``load`` needs, because importing will not be possible any more.

        When there is an index, only one who reads *for_all* that there is also gets libarchive,
        which takes 25 ms and 10 MB. What an attacker put into the index is not looked at here.
        """
        self.is_indexed = self._prepare_index()
        if self.compression == "zstd":
            zstd.import_library()
        elif self.compression == "xz":
            from kheadersfs.archive.compression import xz_coding  # noqa: F401 - imported again when used
        self._without_library = self.is_indexed and not for_all
        if not self._without_library:
            from kheadersfs.archive import members, onepass  # noqa: F401 - with hashlib
            from kheadersfs.archive.compression import decoding

            decoding.prepare(self.compression)
            members.import_library()
            zstd.import_library()

    def _prepare_index(self) -> bool:
        """Tell whether there is an index, and import what reads it if so."""
        if self.blocks is None or len(self.blocks) == 1:
            return False
        import hashlib  # noqa: F401

        from kheadersfs.archive.names import index  # noqa: F401

        try:
            return bool(_find_index(self.blocks))
        except ValueError:
            return False  # load() will find the same, and say so

    def load(self) -> Content:
        """Return the content; the first call reads the index, or everything without one.

        May be called from any thread. Raises DamagedArchive, UnsupportedArchive.
        """
        with self._lock:
            if self._content is None:
                self._content = self._read()
            return self._content

    @property
    def format(self) -> str:
        """What the members are written as: "tar" or "cpio". Decodes the first block."""
        content = self.load()
        if content.format:
            return content.format
        return "cpio" if is_cpio(content.blocks.decode(0)) else "tar"

    def digest(self) -> bytes:
        """Return a SHA-256 that is the same for the same file, and reads no more of it than load().

        It is of the index, which has a digest of each block; without one, of the file, as far as
        it was read: behind a tar's end marker may lie anything. Raises DamagedArchive.
        """
        content = self.load()
        return content.index_digest or digest_of(self.source, content.extent)

    def close(self) -> None:
        """Close the file. What one pass has read stays usable until it is released."""
        self.source.close()

    def _read(self) -> Content:
        index, warning = self._try_index()
        if index is not None and self.blocks is not None:
            from kheadersfs.archive.blocks.indexed import IndexedBlocks

            return Content(
                table=index.table,
                blocks=IndexedBlocks(self.blocks, index),
                indexed=True,
                release=index.release,
                arch=index.arch,
                hot_blocks=index.hot_blocks,
                index_digest=index.digest,
                refusals=[],
                warning="",
                format="",
                damage="",
                absolute=0,
                ending="",
                extent=0,
            )
        if self._without_library:
            raise DamagedArchive(
                warning
                or f"{self.source.name}: was changed after it was opened, its index is gone; "
                "open it anew"
            )
        return self._read_everything(warning)

    def _try_index(self) -> tuple[Index | None, str]:
        """Return the index, None if there is none that can be used; and then, why not.

        Who can read the archive without it has all of it checked. Others look at a leaf when they
        need it, and tell who asked for what is in it.
        """
        if self.blocks is None:
            return None, ""
        try:
            index = _read_index(self.blocks, self.limits, not self._without_library)
        except ValueError as error:
            from kheadersfs.archive.names.table import unusable

            return None, unusable(self.source.name, error)
        except UnreadableArchive:
            raise
        except DamagedArchive as error:
            return None, str(error)
        return index, ""

    def _read_everything(self, warning: str) -> Content:
        from kheadersfs.archive.onepass import read_in_one_pass  # loads libarchive: 25 ms

        result = read_in_one_pass(self.source, self.compression, self.blocks, self.limits)
        return Content(
            table=result.table,
            blocks=result.blocks,
            indexed=False,
            release="",
            arch="",
            hot_blocks=0,
            index_digest=b"",
            refusals=result.refusals,
            warning=warning,
            format=result.format,
            damage=result.damage,
            absolute=result.absolute,
            ending=result.ending,
            extent=result.extent if self.compression == "none" else self.source.size,
        )


def open_archive(path: str | bytes, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Open the archive at *path*.

    Raises ArchiveUnavailable, UnsupportedArchive, RefusedArchive when it is beyond *limits*, or
    DamagedArchive when it looks incomplete.
    """
    source = open_source(path)
    try:
        return Archive(source, limits)
    except BaseException:
        source.close()
        raise


def _find_index(blocks: BlockTable) -> bytes:
    """Return the index in the last of *blocks*, as index.decode() takes it; empty without one.

    Raises ValueError when it is damaged: one pass will find out what else is.
    """
    last = len(blocks) - 1
    if last < 1:
        return b""
    from kheadersfs.archive.names import index as embedded  # not needed before the first lookup

    if blocks.largest(range(last, last + 1)) > embedded.LARGEST:
        return b""
    try:
        return embedded.find(blocks.plain(last) or b"")
    except UnreadableArchive:
        raise
    except DamagedArchive as error:
        raise ValueError(str(error)) from error


def _read_index(blocks: BlockTable, limits: Limits, completely: bool) -> Index | None:
    """Return the index in the last of *blocks*, checked *completely* or not; None if there is none.

    Raises ValueError or DamagedArchive when it cannot be used, RefusedArchive when what it lists is
    beyond *limits*.
    """
    body = _find_index(blocks)
    if not body:
        return None
    from kheadersfs.archive.names import index as embedded

    last = len(blocks) - 1
    index = embedded.decode(body, blocks.starts[: last + 1], blocks.name, limits, completely)
    limits.check(blocks.name, "block", blocks.largest(range(last)))
    if blocks.starts[last] > HARMLESS:
        limits.check(blocks.name, "ratio", blocks.starts[last] / max(1, blocks.stored_total(last)))
    return index

"""Find out what is in an archive, by its index or by reading everything.

A reader is made of an opened archive, for one process that may lose the right to open and import
anything before it reads. ``WholeReader`` reads all there is, with libarchive where no index helps.
``IndexReader`` does without that, and knows what the index says.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading itself is not needed to mount

from kheadersfs.archive.blocks.indexed import IndexedBlocks
from kheadersfs.archive.cpio import fields as cpio
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.making import unusable
from kheadersfs.archive.names.paths import Lookup
from kheadersfs.archive.source import digest_of
from kheadersfs.errors import DamagedArchive, UnreadableArchive
from kheadersfs.limits import HARMLESS
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.compression.decoding import DecodedStream
    from kheadersfs.archive.fleet.kernels import FleetKernel
    from kheadersfs.archive.fleet.table import FleetTable
    from kheadersfs.archive.names.building import Refusal
    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.opening import Archive


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

    table: Table | FleetTable
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
    def kernels(self) -> Sequence[FleetKernel]:
        """The kernels that the index lists by name: several, or none of an archive of one."""
        return self.table.kernels

    @property
    def notes(self) -> list[str]:
        """What those who take the archive for good should know of it all the same."""
        notes = [self.ending] if self.ending else []
        if self.absolute:
            notes.append(f"leading / removed from {self.absolute} member names or targets")
        return notes


class Reader:
    """One way to know an archive. ``load`` may be called from any thread."""

    is_indexed = False
    """Whether there is an index to read; it may still prove a lie."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._lock = allocate_lock()
        self._content: Content | None = None

    def prepare(self) -> None:
        """Import whatever ``load`` needs, because importing will not be possible any more.

        Raises KheadersfsError when a library is not installed.
        """
        self.archive.kind.prepare_blocks()

    def load(self) -> Content:
        """Return the content, which the first call reads.

        Raises DamagedArchive, UnsupportedArchive, RefusedArchive.
        """
        with self._lock:
            if self._content is None:
                self._content = self._read()
            return self._content

    def _read(self) -> Content:
        raise NotImplementedError

    @property
    def format(self) -> str:
        """What the members are written as: "tar" or "cpio". Decodes the first block."""
        content = self.load()
        if content.format:
            return content.format
        return "cpio" if cpio.is_header(content.blocks.decode(0)) else "tar"

    def digest(self) -> bytes:
        """Return a SHA-256 that is the same for the same file, and reads no more of it than load().

        It is of the index, which has a digest of each block; without one, of the file, as far as
        it was read: behind a tar's end marker may lie anything. Raises DamagedArchive.
        """
        content = self.load()
        return content.index_digest or digest_of(self.archive.source, content.extent)


class IndexReader(Reader):
    """Knows what the index says, of which it looks at a part when somebody needs that."""

    is_indexed = True

    def _read(self) -> Content:
        archive = self.archive
        try:
            found = _read_index(archive, completely=False)
        except ValueError as error:
            raise DamagedArchive(unusable(archive.source.name, error)) from error
        if found is None:
            raise DamagedArchive(
                f"{archive.source.name}: was changed after it was opened, its index is gone; "
                "open it anew"
            )
        return found


class WholeReader(Reader):
    """Reads everything, or the index if it is right in all it says.

    *ahead* is what the archive decodes to, if somebody decodes it already.
    """

    def __init__(self, archive: Archive, ahead: DecodedStream | None = None) -> None:
        super().__init__(archive)
        self._ahead = ahead

    def prepare(self) -> None:
        """See Reader.prepare."""
        from kheadersfs.archive import library, onepass  # noqa: F401 - the latter when used
        from kheadersfs.archive.compression import zstd_coding
        from kheadersfs.archive.fleet import index, lookup  # noqa: F401 - for archives of several

        super().prepare()
        self.archive.kind.prepare_stream()
        library.import_library()
        zstd_coding.import_library()

    def _read(self) -> Content:
        try:
            found = _read_index(self.archive, completely=True)
            warning = ""
        except ValueError as error:
            found, warning = None, unusable(self.archive.source.name, error)
        except UnreadableArchive:
            raise
        except DamagedArchive as error:
            found, warning = None, str(error)
        return found or self._read_everything(warning)

    def _read_everything(self, warning: str) -> Content:
        """Read all members; *warning* says why the index that there is was not used."""
        from kheadersfs.archive.onepass import read_in_one_pass  # loads libarchive: 25 ms

        archive = self.archive
        archive.source.keep_all()
        ahead, self._ahead = self._ahead, None
        result = read_in_one_pass(archive, ahead)
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
            extent=result.extent if archive.is_plain else archive.source.size,
        )


def prepare_to_serve(archive: Archive, ahead: DecodedStream | None = None) -> Reader:
    """Return who reads *archive* for a mount, with all imported that it needs.

    *ahead* is what it decodes to, if somebody decodes it already, as nothing without an index is.
    Only what has no index needs libarchive, which takes 25 ms and 10 MB. What an attacker put into
    the index is not looked at here.
    """
    version = _index_version(archive)
    reader = IndexReader(archive) if version else WholeReader(archive, ahead)
    if version == embedded.FLEET_VERSION:
        # 5 ms, which an archive of one kernel does not pay.
        from kheadersfs.archive.fleet import index, lookup  # noqa: F401
    reader.prepare()
    return reader


def lists_kernels(archive: Archive) -> bool:
    """Tell whether *archive* has an index of several kernels, which may still prove a lie."""
    return _index_version(archive) == embedded.FLEET_VERSION


def _index_version(archive: Archive) -> int:
    """Return the version of the index that there is; 0 for none that can be used."""
    try:
        return _find_index(archive.blocks)[0] if archive.blocks is not None else 0
    except ValueError:
        return 0  # load() will find the same, and say so


def _find_index(blocks: BlockTable) -> tuple[int, bytes]:
    """Return version and bytes of the index in the last of *blocks*; 0 and nothing without one.

    Raises ValueError when it is damaged: one pass will find out what else is.
    """
    last = len(blocks) - 1
    if last < 1 or blocks.largest(range(last, last + 1)) > embedded.LARGEST:
        return 0, b""
    try:
        content = blocks.plain(last) or b""
    except UnreadableArchive:
        raise
    except DamagedArchive as error:
        raise ValueError(str(error)) from error
    return embedded.version_of(content), embedded.find(content)


def _read_index(archive: Archive, completely: bool) -> Content | None:
    """Return what the index of *archive* says, checked *completely* or not; None without one.

    Raises ValueError or DamagedArchive when it cannot be used, RefusedArchive when what it lists is
    beyond a limit.
    """
    blocks, limits = archive.blocks, archive.limits
    version, body = _find_index(blocks) if blocks is not None else (0, b"")
    if blocks is None or not body:
        return None
    last = len(blocks) - 1
    described = (body, blocks.starts[: last + 1], blocks.name, limits, completely)
    release = arch = ""
    if version == embedded.FLEET_VERSION:
        from kheadersfs.archive.fleet import index as fleet
        from kheadersfs.archive.fleet.lookup import FleetLookup

        index: embedded.Index | fleet.FleetIndex
        index = read = fleet.decode(*described)
        indexed = IndexedBlocks(blocks, read, lambda: FleetLookup(read.table))
    else:
        index = one = embedded.decode(*described)
        release, arch = one.release, one.arch
        indexed = IndexedBlocks(blocks, one, lambda: Lookup(one.table))
    limits.check(blocks.name, "block", blocks.largest(range(last)))
    if blocks.starts[last] > HARMLESS:
        limits.check(blocks.name, "ratio", blocks.starts[last] / max(1, blocks.stored_total(last)))
    if archive.source.is_far:
        archive.source.learn(
            (*blocks.stored_at(number), digest) for number, digest in enumerate(index.digests)
        )
    return Content(
        table=index.table,
        blocks=indexed,
        indexed=True,
        release=release,
        arch=arch,
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

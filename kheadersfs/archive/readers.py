"""Readers find out what is in an open archive, from its index or by reading all of it.

``IndexReader`` uses the index only. ``WholeReader`` checks all of the index, and reads the whole
archive if there is none that can be used; that may need libarchive. A reader can be prepared, so
that it still works when its process has lost the right to open files and to import.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading itself is not needed to mount

from kheadersfs.archive.blocks.indexed import IndexedBlocks
from kheadersfs.archive.content import Content
from kheadersfs.archive.cpio import fields as cpio
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.making import unusable
from kheadersfs.archive.names.paths import Lookup
from kheadersfs.archive.source import digest_of
from kheadersfs.errors import DamagedArchive, UnreadableArchive
from kheadersfs.limits import HARMLESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.compression.decoding import DecodedStream
    from kheadersfs.archive.opening import Archive


class Reader:
    """Finds out what is in *archive*, once. ``load`` may be called from any thread."""

    is_indexed = False
    """Whether the archive has an index, which may still turn out to be wrong."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._lock = allocate_lock()
        self._content: Content | None = None

    def prepare(self) -> None:
        """Import whatever ``load`` needs, before the process loses the right to import.

        Raises KheadersfsError when a library is not installed.
        """
        self.archive.kind.prepare_blocks()

    def load(self) -> Content:
        """Return what is in the archive. The first call reads it, further calls wait for that.

        Raises DamagedArchive, UnsupportedArchive, RefusedArchive.
        """
        with self._lock:
            if self._content is None:
                self._content = self._read()
            return self._content

    def _read(self) -> Content:
        """Find out what is in the archive. Raises what load() raises."""
        raise NotImplementedError

    @property
    def format(self) -> str:
        """The format of the members: "tar" or "cpio". May decode the first block to find out."""
        content = self.load()
        if content.format:
            return content.format
        return "cpio" if cpio.is_header(content.blocks.decode(0)) else "tar"

    def digest(self) -> bytes:
        """Return a SHA-256 by which to tell this archive from others.

        With an index it is the index's own, which contains the digest of each block. Without one it
        is that of the file as far as load() read it, as anything may lie behind a tar's end marker.
        Raises what load() and reading raise.
        """
        content = self.load()
        return content.index_digest or digest_of(self.archive.source, content.extent)


class IndexReader(Reader):
    """Reads the index only. Each page of it is checked when it is first needed."""

    is_indexed = True

    def _read(self) -> Content:
        archive = self.archive
        try:
            found = _read_index(archive, completely=False)
        except ValueError as error:
            raise DamagedArchive(unusable(archive.source.name, error)) from error
        if found is None:
            raise DamagedArchive(
                f"{archive.source.name}: was changed after it was opened: its index is gone; "
                "open it again"
            )
        return found


class WholeReader(Reader):
    """Reads the index and checks all of it, or else reads the whole archive.

    *ahead* is what the archive decodes to, if another process decodes it already.
    """

    def __init__(self, archive: Archive, ahead: DecodedStream | None = None) -> None:
        super().__init__(archive)
        self._ahead = ahead

    def prepare(self) -> None:
        """See Reader.prepare."""
        from kheadersfs.archive import library, onepass  # noqa: F401 - loaded for load()
        from kheadersfs.archive.compression import zstd_coding
        from kheadersfs.archive.fleet import index, lookup  # noqa: F401 - loaded for load()

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
        """Read all members. *warning* says why an index was not used, empty if there is none."""
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
    """Return a prepared reader of *archive* for a mount. Raises KheadersfsError.

    *ahead* is what the archive decodes to, if another process decodes it already.
    Only an archive without an index needs libarchive, which takes 25 ms and 10 MB. The content of
    the index is not parsed here, because this process still has its rights.
    """
    version = _index_version(archive)
    reader = IndexReader(archive) if version else WholeReader(archive, ahead)
    if version == embedded.FLEET_VERSION:
        # This import takes 5 ms, which an archive of one kernel does not need.
        from kheadersfs.archive.fleet import index, lookup  # noqa: F401
    reader.prepare()
    return reader


def lists_kernels(archive: Archive) -> bool:
    """Tell whether *archive* has an index of several kernels, which may turn out to be wrong."""
    return _index_version(archive) == embedded.FLEET_VERSION


def _index_version(archive: Archive) -> int:
    """Return the version of the index of *archive*; 0 if it has none, or a damaged one."""
    try:
        return _find_index(archive.blocks)[0] if archive.blocks is not None else 0
    except ValueError:
        return 0  # load() will find the same, and report it


def _find_index(blocks: BlockTable) -> tuple[int, bytes]:
    """Return version and bytes of the index in the last of *blocks*; 0 and b"" without one.

    Raises ValueError when the index is damaged. Whoever needs the members may then read the whole
    archive.
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
    """Return what the index of *archive* says, None if it has none.

    Unless it is checked *completely*, its pages are checked when they are first needed. Raises
    ValueError or DamagedArchive when it cannot be used, RefusedArchive when it is beyond a limit.
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

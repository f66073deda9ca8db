"""What a reader finds in an archive."""

from __future__ import annotations

from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.fleet.kernels import FleetKernel
    from kheadersfs.archive.fleet.table import FleetTable
    from kheadersfs.archive.names.building import Refusal
    from kheadersfs.archive.names.table import Table


class Content(Record):
    """What is in an archive: every name and inode, and the blocks their extents refer to.

    ``indexed`` tells that this came from the embedded index, so that nothing else was decoded. Only
    then are known: ``release`` and ``arch`` of the kernel, empty if the index lists several or does
    not say; ``hot_blocks``, the number of blocks at the start that most builds read; and
    ``index_digest``, the SHA-256 of the index.

    The others describe an archive that was read as a whole, and are empty or 0 if only the index
    was read. ``refusals`` are members that were left out. ``warning`` says why its index was not
    used, empty if it has none. ``format`` is "tar" or "cpio". ``damage`` says why members may be
    missing, empty if none are. ``absolute`` is the number of names and targets of hard links that
    are served without their leading slash. ``ending`` is a note on an odd end of the archive, or
    empty. ``extent`` is the number of bytes of the file, from the first on, that were read.
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
        """The kernels that an index of several lists; empty for an archive of one kernel."""
        return self.table.kernels

    @property
    def notes(self) -> list[str]:
        """What a user should know of the archive although it can be served."""
        notes = [self.ending] if self.ending else []
        if self.absolute:
            notes.append(f"leading / removed from {self.absolute} member names or targets")
        return notes

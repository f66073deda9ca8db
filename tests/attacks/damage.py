"""Cut archives off and alter their bytes: what can be read then is right, or it is an error.

An altered archive is read as the server reads it. If its index was accepted and lists just what
the undamaged one lists, then a file can only be wrong if a block is, and only a block whose stored
bytes are others can be; so just these are decoded. In any other case everything is compared.
"""

from __future__ import annotations

import hashlib
import random
import stat
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import KheadersfsError
from kheadersfs.store import Store
from kheadersfs.tree import Tree, tree_of
from tests.support.seen import one_kernels
from tests.torture.pace import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.content import Content
    from kheadersfs.archive.names.page import Page
    from tests.torture.pace import Say

SEED = 20_000
CUT_STEP = 1024
LONGEST = 10.0
"""Seconds of processor time that reading a damaged archive may take."""
_CASES_AT_ONCE = 20


class Case(Protocol):
    """Something that is done to an archive. It says what it is when it is printed."""

    def apply(self, content: bytes, /) -> bytes:
        """Return *content* with the damage done."""


class Cut(NamedTuple):
    """The archive's first ``length`` bytes and no more."""

    length: int

    def apply(self, content: bytes, /) -> bytes:
        """See Case.apply."""
        return content[: self.length]


class Alteration(NamedTuple):
    """One byte replaced by another; which and by what follows from ``number`` alone."""

    number: int

    def apply(self, content: bytes, /) -> bytes:
        """See Case.apply."""
        generator = random.Random(SEED + self.number)
        altered = bytearray(content)
        altered[generator.randrange(len(content))] ^= generator.randrange(1, 256)
        return bytes(altered)


class Tally(NamedTuple):
    """What became of some cases: ``errors`` gave an error somewhere, ``right`` none anywhere.

    ``unopened`` of the errors were noticed before anything could be read. ``faults`` has a line
    for each case that was neither; ``longest`` is in seconds of processor time.
    """

    errors: int = 0
    unopened: int = 0
    right: int = 0
    faults: tuple[str, ...] = ()
    longest: float = 0.0

    def plus(self, other: Tally) -> Tally:
        return Tally(
            self.errors + other.errors,
            self.unopened + other.unopened,
            self.right + other.right,
            self.faults + other.faults,
            max(self.longest, other.longest),
        )

    def __str__(self) -> str:
        return (
            f"{self.errors} errors ({self.unopened} before anything could be read), "
            f"{self.right} right, {len(self.faults)} faults, longest {self.longest:.2f} s"
        )


class Listing(NamedTuple):
    """All that an archive says of itself before a file's content is decoded."""

    table: Page
    starts: list[int]
    release: str
    arch: str


class Attributes(NamedTuple):
    """One name, as it must be whatever else is damaged."""

    mode: int
    mtime: int
    target: bytes


class Counts(NamedTuple):
    """What a name is like if no other is missing: ``size`` counts a directory's entries."""

    links: int
    size: int


class Wrong(Exception):
    """Something else than what the undamaged archive holds, without an error."""


class Examiner:
    """Knows what an undamaged archive holds, and finds out what a damaged one yields."""

    def __init__(self, good: bytes) -> None:
        archive = Archive(BytesSource(good))
        content = WholeReader(archive).load()
        tree, store = tree_of(content.table), Store(content.blocks)
        blocks = archive.blocks
        self.good = good
        self._listing = _listing(content)
        self._stored = [blocks.stored(n) for n in range(len(blocks))] if blocks else []
        self._decoded = [digest_of(content.blocks.decode(n)) for n in range(len(content.blocks))]
        self._attributes = {path: _attributes(tree, inode) for path, inode in tree.walk()}
        self._counts = {path: _counts(tree, inode) for path, inode in tree.walk()}
        self._digests = {path: _digest(tree, store, inode) for path, inode in tree.walk()}

    def examine_all(self, cases: Sequence[Case]) -> Tally:
        """Return what becomes of *cases*."""
        tally = Tally()
        for case in cases:
            before = time.process_time()
            outcome = self.examine(case)
            took = time.process_time() - before
            tally = tally.plus(outcome._replace(longest=took))
            if took > LONGEST:
                tally = tally.plus(Tally(faults=(f"{case}: took {took:.0f} s",)))
        return tally

    def examine(self, case: Case) -> Tally:
        """Return what becomes of one case."""
        altered = case.apply(self.good)
        try:
            archive = Archive(BytesSource(altered))
            content = WholeReader(archive).load()
        except KheadersfsError:
            return Tally(errors=1, unopened=1)
        try:
            if content.indexed and archive.blocks and _listing(content) == self._listing:
                error = self._compare_blocks(archive.blocks, content.blocks)
            else:
                error = self._compare_names(content)
        except Wrong as wrong:
            return Tally(faults=(f"{case}: {wrong}",))
        return Tally(errors=int(error), right=int(not error))

    def _compare_blocks(self, stored: BlockTable, blocks: BlockTable) -> bool:
        """Compare those that may differ; return whether one is an error. Raises Wrong."""
        error = False
        for number, digest in enumerate(self._decoded):
            if stored.stored(number) == self._stored[number]:
                continue
            try:
                content = blocks.decode(number)
            except KheadersfsError:
                error = True
                continue
            if digest_of(content) != digest:
                raise Wrong(f"block {number} decodes to something else")
        return error

    def _compare_names(self, content: Content) -> bool:
        """Compare everything; return whether something is an error. Raises Wrong."""
        error = bool(content.damage)
        tree, store = tree_of(content.table), Store(content.blocks)
        found = dict(tree.walk())
        for path, inode in found.items():
            if _attributes(tree, inode) != self._attributes.get(path):
                raise Wrong(f"{path!r} has other attributes, or should not be there")
            try:
                digest = _digest(tree, store, inode)
            except KheadersfsError:
                error = True
                continue
            if digest != self._digests[path]:
                raise Wrong(f"{path!r} has other content")
        if not content.damage:
            self._compare_counts({path: _counts(tree, inode) for path, inode in found.items()})
        return error

    def _compare_counts(self, counts: dict[bytes, Counts]) -> None:
        if counts != self._counts:
            other = sorted(counts.items() ^ self._counts.items())
            raise Wrong(f"without an error these are missing or counted otherwise: {other[:5]}")


def _listing(content: Content) -> Listing:
    return Listing(
        one_kernels(content.table).whole(),
        list(content.blocks.starts),
        content.release,
        content.arch,
    )


def _attributes(tree: Tree, inode: int) -> Attributes:
    attributes = tree.attributes(inode)
    target = tree.target(inode) if stat.S_ISLNK(attributes.mode) else b""
    return Attributes(attributes.mode, attributes.mtime, target)


def _counts(tree: Tree, inode: int) -> Counts:
    attributes = tree.attributes(inode)
    return Counts(attributes.links, attributes.size)


def _digest(tree: Tree, store: Store, inode: int) -> bytes:
    """Return the digest of a file, empty for what is none. Raises DamagedArchive."""
    if not stat.S_ISREG(tree.attributes(inode).mode):
        return b""
    return digest_of(store.read(*tree.extent(inode)))


def digest_of(content: bytes) -> bytes:
    """Return the SHA-256 of *content*."""
    return hashlib.sha256(content).digest()


def all_cuts(size: int) -> list[Case]:
    """Return the cuts of an archive of *size* bytes at every KiB."""
    return [Cut(length) for length in range(0, size, CUT_STEP)]


def alterations(first: int, count: int) -> list[Case]:
    """Return *count* alterations from number *first* on."""
    return [Alteration(number) for number in range(first, first + count)]


def examine_in_processes(
    examiner: Examiner, cases: Sequence[Case], processes: int, say: Say
) -> Tally:
    """Return what becomes of *cases*, examined by so many *processes*, and *say* how it goes.

    An exception that is none of ours is a fault, and so is a process that dies.
    """
    journal = Journal(say)
    tally, done = Tally(), 0
    with ProcessPoolExecutor(processes) as pool:
        pieces = {
            pool.submit(examiner.examine_all, cases[first : first + _CASES_AT_ONCE]): first
            for first in range(0, len(cases), _CASES_AT_ONCE)
        }
        for future in as_completed(pieces):
            piece = cases[pieces[future] :][:_CASES_AT_ONCE]
            error = future.exception()
            if error is None:
                outcome = future.result()
            else:
                outcome = Tally(faults=(f"{piece[0]} to {piece[-1]}: {error!r}",))
            journal.note("damage", outcome.faults)
            tally = tally.plus(outcome)
            done += len(piece)
            journal.tell(f"{done} of {len(cases)}, {tally.errors} errors, {tally.right} right")
    return tally

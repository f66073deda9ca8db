"""Several kernels as one archive, in which each costs what it has that the others have not.

Paths are ordered by reach, whichever kernels have them, and all versions of a header lie side by
side. Behind all content come the further names: a hard link of tar for each file of a kernel that
another one has brought. They are grouped by path, some hundred at a time, and in a group by kernel.
So each header is like one that lies a few hundred before it, but for the kernel's name.
"""

from __future__ import annotations

import stat
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Self

from kheadersfs.archive.fleet import index as embedded
from kheadersfs.archive.fleet.building import Version, unite
from kheadersfs.archive.fleet.kernels import Directory, FleetKernel
from kheadersfs.archive.member import Member
from kheadersfs.archive.names.index import find
from kheadersfs.archive.tar import writing as tar
from kheadersfs.archive.tar.fields import BLOCK
from kheadersfs.pack.layout import HOT_SIZE, WARM_SIZE, Packed, Portion, count_of, portions_of_heat
from kheadersfs.pack.ordering import by_reach
from kheadersfs.pack.planning import NEW_ARCHIVE, Block, cut, tar_frame
from kheadersfs.pack.writing import write_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from kheadersfs.archive.fleet.building import Union
    from kheadersfs.limits import Limits
    from kheadersfs.pack.gathering import Found, Gathering
    from kheadersfs.pack.planning import PlannedBlock
    from kheadersfs.pack.writing import Form

_ROOT_MODE = stat.S_IFDIR | 0o755
_COLD_BLOCK = 4 << 20
"""Bytes of what builds hardly read: to compress as much takes 45 MB, and two are under way."""
_NAMES_A_BLOCK = _COLD_BLOCK // BLOCK
"""Headers of further names."""


def write_fleet(
    gathering: Gathering,
    file: BinaryIO,
    form: Form,
    progress: Callable[[int, int], None],
    limits: Limits,
) -> None:
    """Write what was gathered to *file* in *form*, which is of tar. Raises KheadersfsError."""
    plan = _FleetPlan(gathering)

    def encode_index(digests: list[bytes]) -> bytes:
        starts = [block.start for block in plan.blocks]
        body = embedded.encode(plan.union(starts), digests, plan.hot_blocks, plan.size)
        # What would not be read is not written.
        embedded.decode(find(body), [*starts, plan.size], NEW_ARCHIVE, limits, completely=True)
        return body

    write_blocks(file, plan.blocks, plan.size, form, encode_index, progress, limits=limits)


class _FleetPlan:
    """Where everything will be: ``hot_blocks`` of ``blocks`` are hot, ``size`` is of the stream."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._kernels = gathering.kernels
        self.root = Directory(_ROOT_MODE, self._kernels[0].root.mtime)
        self._written: set[tuple[int, bytes | None]] = set()
        """The directories that have a place: kernel and path; the archive's root has None."""
        self._found: dict[bytes, Found] = {}
        """What has content of its own, by name."""
        self.blocks: list[PlannedBlock] = []
        self.hot_blocks = 0
        self.size = 0
        for portion in self._portions():
            self._add_contents(portion)
            self.hot_blocks = self.hot_blocks or len(self.blocks)
        self._add_names()
        end = tar.end_marker(self.size)
        self.blocks[-1] = self.blocks[-1].ending(end)
        self.size += len(end)

    def _portions(self) -> list[Portion]:
        """Return all files and symlinks in portions; the first one is hot."""
        gathering = self._gathering
        order = by_reach(gathering.included, self._kernels[0].arch)
        paths = dict.fromkeys(chain(order, sorted(gathering.versions)))
        # A build reads one of each, whatever their number.
        sized = [
            (path, gathering.versions[path][0].size)
            for path in paths
            if any(stat.S_ISREG(found.mode) for found in gathering.versions[path])
        ]
        sizes = [size for _, size in sized]
        hot, warm = count_of(sizes, HOT_SIZE), count_of(sizes, WARM_SIZE)
        early = [[path for path, _ in sized[span]] for span in (slice(hot), slice(hot, warm))]
        rest = sorted(paths.keys() - set(chain(*early)))
        hottest, warmer, cold = (list(self._contents(part)) for part in (*early, rest))
        return portions_of_heat(hottest, warmer, cold, _COLD_BLOCK)

    def _contents(self, paths: list[bytes]) -> Iterator[Packed]:
        """Yield what has content of its own at *paths*, with the directories that it is in."""
        gathering = self._gathering
        for path in paths:
            for found in gathering.versions[path]:
                if stat.S_ISDIR(found.mode):
                    continue
                kernel = found.first
                for parent in self._missing_parents(kernel, path):
                    yield Packed(parent, bytes)
                name = self._kernels[kernel].name + b"/" + path
                target = found.target if stat.S_ISLNK(found.mode) else None
                size = 0 if target else found.size
                self._found[name] = found
                member = Member(name, found.mode, found.mtime, size, target)
                yield Packed(member, gathering.read(found))

    def _missing_parents(self, kernel: int, path: bytes) -> Iterator[Member]:
        """Yield the directories of *kernel* above *path* that have no place yet, from the top."""
        if not self._written:
            self._written.add((kernel, None))
            yield Member(b"", *self.root, 0)
        missing: list[Member] = []
        while path:
            path = path.rpartition(b"/")[0]
            if (kernel, path) in self._written:
                break
            self._written.add((kernel, path))
            missing.append(self._directory(kernel, path))
        yield from reversed(missing)

    def _directory(self, kernel: int, path: bytes) -> Member:
        name = self._kernels[kernel].name
        if not path:
            return Member(name, *self._kernels[kernel].root, 0)
        versions = self._gathering.versions[path]
        found = next(found for found in versions if found.members >> kernel & 1)
        return Member(name + b"/" + path, found.mode, found.mtime, 0)

    def _add_contents(self, portion: Portion) -> None:
        for group in cut(portion, _path_of_versions):
            start = self.size
            frames = []
            for packed in sorted(group, key=_place_in_block):
                frame = tar_frame(packed)
                found = self._found.get(packed.member.name)
                if found is not None and frame.read is not None:
                    found.start = self.size + len(frame.header)
                self.size += frame.size
                frames.append(frame)
            self.blocks.append(Block(start, self.size - start, frames, b""))

    def _add_names(self) -> None:
        """Add the names that have no place yet."""
        paths = [b"", *sorted(self._gathering.versions)]
        step = max(1, _NAMES_A_BLOCK // len(self._kernels))
        for first in range(0, len(paths), step):
            headers = partial(self._headers, paths[first : first + step])
            size = sum(map(len, headers()))
            if size:
                self.blocks.append(NamesBlock(self.size, size, headers))
                self.size += size

    def _headers(self, paths: list[bytes]) -> Iterator[bytes]:
        """Yield the headers of what kernels have at *paths* and that has no place yet."""
        if not self._written and b"" in paths:
            yield tar.header(Member(b"", *self.root, 0))
        versions = [(path, self._gathering.versions.get(path, ())) for path in paths]
        heaviest = max(sum(kernel.name) for kernel in self._kernels)
        for kernel, known in enumerate(self._kernels):
            for path, there in versions:
                for found in there:
                    if found.members >> kernel & 1 and stat.S_ISREG(found.mode):
                        if found.first != kernel:
                            original = self._kernels[found.first].name
                            yield tar.link_header(
                                known.name, original, path, found.mode, found.mtime, heaviest
                            )
                        break
                else:
                    is_directory = not path or any(
                        found.members >> kernel & 1 and stat.S_ISDIR(found.mode) for found in there
                    )
                    if is_directory and (kernel, path) not in self._written:
                        yield tar.header(self._directory(kernel, path))

    def union(self, starts: list[int]) -> Union:
        """Return what the index says of it; *starts* are those of blocks."""
        return unite(
            self.root,
            [FleetKernel(*kernel[:4]) for kernel in self._kernels],
            {
                path: [
                    Version(f.members, f.mode, f.mtime, f.size, f.start, f.target) for f in there
                ]
                for path, there in self._gathering.versions.items()
            },
            starts,
        )


def _path_of_versions(packed: Packed) -> bytes | None:
    """Return the path in a kernel of what has versions; a directory goes with what is in it.

    Versions of a header differ in a line or two: in a block of its own each would cost all of it.
    """
    if stat.S_ISDIR(packed.member.mode):
        return None
    return packed.member.name.partition(b"/")[2]


def _place_in_block(packed: Packed) -> tuple[int, list[bytes], bytes]:
    """Return what orders members as the index numbers them: by their path in a kernel.

    So versions of a header follow each other. The archive's root and kernels' come first.
    """
    kernel, _, path = packed.member.name.partition(b"/")
    components = path.split(b"/") if path else []
    return len(components), components, kernel


class NamesBlock(NamedTuple):
    """A block of nothing but the headers that *headers* yields, made when they are written."""

    start: int
    size: int
    headers: Callable[[], Iterable[bytes]]
    end: bytes = b""

    def content(self) -> bytes:
        """Return the bytes."""
        return b"".join([*self.headers(), self.end])

    def ending(self, end: bytes) -> Self:
        """Return the block with the archive's *end* marker behind it."""
        return self._replace(size=self.size + len(end), end=end)

"""The content of one file on a server: what is held of it, and what has to be fetched.

Runs on trio, in the process that fetches. Blocks that the archive's index lists are checked against
their digests before they are kept or passed on. The beginning and the end of the file, where the
framing is, have no digest. They are of the version that was found when the file was opened.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from kheadersfs.errors import DamagedArchive, KheadersfsError, RefusedArchive, damaged
from kheadersfs.remote.adopting import Adopted, adopt, is_fresh
from kheadersfs.remote.answers import Answer, Unreachable, Version
from kheadersfs.remote.cache import Cache, Known, Piece
from kheadersfs.remote.http import Client, Unchanged
from kheadersfs.remote.origins import Origin
from kheadersfs.remote.protocol import ANY
from kheadersfs.remote.settings import LARGEST_WHOLE
from kheadersfs.remote.spans import Cutter, Extent, spans_of
from kheadersfs.remote.underway import UnderWay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kheadersfs.remote.http import Tell
    from kheadersfs.remote.underway import Events

HEAD, TAIL = 512, 64 << 10
"""Bytes of the beginning and the end, which are fetched first. The index of a kernel takes 58 KiB
with what is around it."""
_AT_ONCE = 6
_LARGEST_SPAN = 512 << 10
"""Bytes of blocks side by side that are fetched ahead with one request. The hot blocks of a kernel
are two such spans, for the connections that brought beginning and end."""
_LARGEST_AHEAD = 32 << 20
"""Bytes fetched in advance that memory may hold, when the cache could not keep them on disk."""


class RemoteContent:
    """The file at *place*, which messages call *name*. Call open() or take_over() first."""

    def __init__(self, place: str, name: str, origin: Origin, cache: Cache, client: Client) -> None:
        self.note = ""
        """A message for the user, that the cache is used without its server; empty if none."""
        self._place = place
        self._name = name
        self._origin = origin
        self._cache = cache
        self._client = client
        self._version = Version(0, "", "")
        self._fresh_until = 0.0
        self._pieces: dict[Piece, bytes] = {}
        self._whole: bytes | None = None
        self._ahead: dict[Extent, bytes] = {}
        self._under_way = UnderWay()
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._version.size

    def take_over(self, adopted: Adopted) -> None:
        """Use what the cache has, as *adopted*, without asking the server."""
        known, self._pieces, self._whole = adopted
        self._version = Version(known.size, known.tag, known.modified)
        self._fresh_until = known.fresh_until
        self._origin.adopt(known.tag)

    async def open(self) -> None:
        """Find out the current version of the file, and fetch its beginning and end.

        The cache is used instead if its record is fresh, if the server says that the version has
        not changed, and if the server cannot be reached. Raises KheadersfsError.
        """
        adopted = adopt(self._cache, self._place)
        if adopted is not None:
            self.take_over(adopted)
            if is_fresh(self._place, adopted.known):
                return
        try:
            await self._ask(is_known=adopted is not None)
        except Unreachable as error:
            if adopted is None:
                raise
            self.note = f"{error}; what the cache has of it is used"

    async def read(self, extent: Extent) -> bytes:
        """Return the content of *extent*. Raises DamagedArchive, and what Client.fetch() raises."""
        offset, length, _ = extent
        if length <= 0 or offset < 0 or offset + length > self.size:
            raise damaged(self._name, f"there is nothing at offset {offset}")
        await self._under_way.wait_for(extent)
        content = self._here(extent)
        if content is None:
            with self._under_way.fetching([extent]):
                content = await self._fetch(offset, length)
                self._keep(extent, content)
        return content

    async def fetch_ahead(self, extents: Sequence[Extent]) -> None:
        """Fetch those of *extents* that are not here, to be asked for later.

        Raises nothing of ours: whoever asks for one that has not come tries again, and is told.
        """
        async with trio.open_nursery() as nursery:
            for span in spans_of(filter(self._is_missing, extents), _LARGEST_SPAN):
                nursery.start_soon(self._fetch_span, span)

    async def _fetch_span(self, span: list[Extent]) -> None:
        async with self._limiter:
            # Some may have been asked for while this was waiting.
            missing = [extent for extent in span if self._is_missing(extent)]
            with self._under_way.fetching(missing) as events:
                async with trio.open_nursery() as nursery:
                    for extents in spans_of(missing, _LARGEST_SPAN):
                        nursery.start_soon(self._fetch_together, extents, events)

    async def _fetch_together(self, extents: Sequence[Extent], events: Events) -> None:
        """Fetch *extents* with one request; nobody waits for one any more that has come."""

        def take(extent: Extent, content: bytes) -> None:
            if hashlib.sha256(content).digest() == extent.digest:
                self._keep_ahead(extent, content)
                self._under_way.let_go(events, extent)

        start = extents[0].offset
        cutter = Cutter(extents, take)
        with suppress(KheadersfsError):
            content = await self._fetch(start, extents[-1].end - start, cutter.add)
            for extent in extents:
                if extent in events:  # of an answer that had to be asked for twice
                    take(extent, content[extent.offset - start : extent.end - start])

    def _is_missing(self, extent: Extent) -> bool:
        """Tell whether *extent* is neither here nor on its way."""
        return not (
            self._whole is not None
            or extent in self._under_way
            or extent in self._ahead
            or self._in_pieces(extent) is not None
            or self._cache.has(extent.digest.hex())
        )

    def _keep_ahead(self, extent: Extent, content: bytes) -> None:
        """Keep *content*, which has come ahead of need, in memory if it cannot be kept on disk."""
        self._cache.put(content)
        held = sum(map(len, self._ahead.values()))
        if not self._cache.has(extent.digest.hex()) and held < _LARGEST_AHEAD:
            self._ahead[extent] = content

    async def keep_all(self, tell: Tell) -> None:
        """Fetch the whole file by one request. Raises RefusedArchive beyond LARGEST_WHOLE bytes."""
        if self._whole is not None:
            return
        if self.size > LARGEST_WHOLE:
            raise RefusedArchive(
                f"{self._name}: has {self.size} bytes, and an archive that is not packed in blocks "
                f"is fetched up to {LARGEST_WHOLE}; repack it, or download it"
            )
        answer = await self._client.fetch("", self.size, self._condition(), tell=tell)
        self._take_whole(answer.content)
        self._note_down()

    async def _ask(self, is_known: bool) -> None:
        """Ask the server for the current version; fetch its beginning and end if that is new."""
        if self._origin.resolve is not None:
            version = await self._origin.resolve()
            if is_known and version == self._version:
                return
            self._forget(version)
            await self._fetch_ends()
            return
        if is_known and self._version.tag:
            try:
                await self._client.fetch(f"0-{HEAD - 1}", HEAD, None, unless=self._version.tag)
            except Unchanged as unchanged:
                self._fresh_until = unchanged.fresh_until
                self._note_down()
                return
        self._forget(Version(0, "", ""))
        await self._fetch_ends()

    def _forget(self, version: Version) -> None:
        # A registry's blob never changes, but its tag may name another: it is never fresh.
        self._version, self._fresh_until = version, 0.0
        self._pieces, self._whole = {}, None

    async def _fetch_ends(self) -> None:
        """Fetch beginning and end at the same time, and check that both are of one version."""
        answers: list[Answer] = []
        failures: list[KheadersfsError] = []

        async def fetch(wanted: str, length: int) -> None:
            try:
                answer = await self._client.fetch(wanted, length, self._condition())
            except KheadersfsError as error:
                failures.append(error)
                nursery.cancel_scope.cancel()
                return
            answers.append(answer)
            if len(answer.content) == answer.version.size:
                nursery.cancel_scope.cancel()  # the server has no ranges, and has sent everything

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, f"0-{HEAD - 1}", HEAD)
            nursery.start_soon(fetch, f"-{TAIL}", TAIL)
        if failures:
            raise failures[0]
        version = answers[0].version
        if any(answer.version != version for answer in answers):
            raise Unreachable(f"{self._name}: is being changed on its server; try again")
        if self._origin.resolve is None:
            self._version = version
            self._fresh_until = min(answer.fresh_until for answer in answers)
        elif version.size != self.size:
            raise damaged(self._name, "it has another size than its registry says")
        for answer in answers:
            if len(answer.content) == self.size:
                self._take_whole(answer.content)
            else:
                self._add_piece(answer.start, answer.content)
        self._note_down()

    def _condition(self) -> Version | None:
        """Return the version that an answer must have, None for any."""
        if self._origin.resolve is not None:
            # A redirect may lead to a server with another ETag, so only the size is compared.
            return Version(self.size, "", "")
        return self._version if self.size else None

    def _here(self, extent: Extent) -> bytes | None:
        """Return the content of *extent* from memory or the cache, None if neither has it."""
        offset, length, digest = extent
        if self._whole is not None:
            return self._whole[offset : offset + length]
        content = self._in_pieces(extent)
        if content is not None or digest == ANY:
            return content
        return self._ahead.pop(extent, None) or self._cache.get(digest.hex())

    def _in_pieces(self, extent: Extent) -> bytes | None:
        """Return the content of *extent* if it is in a piece that is here."""
        for piece, content in self._pieces.items():
            start = extent.offset - piece.offset
            if 0 <= start <= piece.length - extent.length:
                return content[start : start + extent.length]
        return None

    async def _fetch(
        self, offset: int, length: int, receive: Callable[[bytes], None] | None = None
    ) -> bytes:
        """Return *length* bytes from *offset*; *receive* has them in pieces before."""
        wanted = f"{offset}-{offset + length - 1}"
        answer = await self._client.fetch(wanted, length, self._condition(), receive=receive)
        if len(answer.content) != self.size or self.size == length:
            return answer.content
        self._take_whole(answer.content)
        self._note_down()
        return answer.content[offset : offset + length]

    def _keep(self, extent: Extent, content: bytes) -> None:
        """Keep *content*, which came for *extent*. Raises DamagedArchive if it is another's."""
        if extent.digest == ANY:
            self._add_piece(extent.offset, content)
            self._note_down()
        elif hashlib.sha256(content).digest() != extent.digest:
            raise DamagedArchive(
                f"{self._name}: the server sends other bytes at offset {extent.offset} than the "
                "archive's index says; unmount it, and mount it again"
            )
        else:
            self._cache.put(content)

    def _add_piece(self, offset: int, content: bytes) -> None:
        piece = Piece(offset, len(content), self._cache.put(content))
        self._pieces[piece] = content

    def _take_whole(self, content: bytes) -> None:
        """Hold *content* as the whole file. Raises DamagedArchive if a registry names another."""
        if self._origin.resolve is not None:
            actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if actual != self._version.tag:
                raise damaged(self._name, "the registry sends other bytes than it names")
        self._whole = content

    def _note_down(self) -> None:
        """Write the record of this file to the cache."""
        whole = "" if self._whole is None else self._cache.put(self._whole)
        size, tag, modified = self._version
        known = Known(
            self._name, size, tag, modified, self._fresh_until, tuple(self._pieces), whole
        )
        self._cache.note(self._place, known)

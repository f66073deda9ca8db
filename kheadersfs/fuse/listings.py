"""List directories: all that is in one, or to our own lister only what a build asks for."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pyfuse3

from kheadersfs.fuse.generated import POSITION

if TYPE_CHECKING:
    from kheadersfs.fuse.advance import Advance
    from kheadersfs.fuse.answers import Answers
    from kheadersfs.fuse.entries import Entries
    from kheadersfs.fuse.generated import GeneratedFile

IN_ADVANCE = 1 << 62
"""The bit in the handle of a directory that is listed so that the kernel gets its hot headers."""


class Listings:
    """Puts what *answers* list into replies, as *entries* of the kernel.

    ``advance`` says what to list to whom in advance; None if that is nothing.
    """

    def __init__(self, answers: Answers, entries: Entries) -> None:
        self._answers = answers
        self._entries = entries
        self.advance: Advance | None = None

    def handle(self, inode: int, process: int) -> int:
        """Return the handle of a directory: its inode number, with IN_ADVANCE for our lister."""
        if self.advance is not None and self.advance.is_for(process):
            return inode | IN_ADVANCE
        return inode

    async def fill(self, handle: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """Put entries behind position *start* into the reply *token* while there is room.

        Raises FUSEError, and what the answers raise.
        """
        if handle & IN_ADVANCE:
            await self._fill_in_advance(handle ^ IN_ADVANCE, start, token)
        else:
            await self._fill_with_all(handle, start, token)

    async def _fill_in_advance(self, inode: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """List the hot headers alone, and end with an error, so that this is not kept as all.

        A C library takes this error for the end of a directory.
        """
        assert self.advance is not None
        tree = (await self._answers.serve()).tree
        listed = False
        for position, name, child in self.advance.listing(inode, start):
            entry = self._entries.entry(tree.attributes(child))
            if not pyfuse3.readdir_reply(token, name, entry, position):
                return
            listed = True
        if not listed:
            self.advance.note_listed(inode)
            raise pyfuse3.FUSEError(errno.ENOENT)

    async def _fill_with_all(self, inode: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        listed = False
        for position, name, attributes in await self._answers.listing(inode, start):
            entry = self._entries.entry(attributes)
            if not pyfuse3.readdir_reply(token, name, entry, position):
                return
            listed = True
        generated = await self._answers.listed_last(inode, start)
        if generated is not None:
            self._add_generated(token, generated)
        elif not listed:
            # The end: an error beside entries would take these away from the reader.
            await self._answers.require_completeness()
            if self.advance is not None:
                self.advance.note_listed(inode)

    def _add_generated(self, token: pyfuse3.ReaddirToken, generated: GeneratedFile) -> None:
        entry = self._entries.entry(generated.known_attributes())
        if not generated.has_known_size:
            # The file is made when somebody asks for its attributes, and only then has it a size.
            entry.entry_timeout = entry.attr_timeout = 0.0
        pyfuse3.readdir_reply(token, generated.place.name, entry, POSITION)

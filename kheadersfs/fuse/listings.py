"""Answer READDIRPLUS: with all entries of a directory, or for the lister with the hot ones only.

``advance`` says what the lister is.
"""

from __future__ import annotations

import errno

import pyfuse3

from kheadersfs.fuse.generated import POSITION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.fuse.advance import Advance
    from kheadersfs.fuse.answers import Answers
    from kheadersfs.fuse.entries import Entries
    from kheadersfs.fuse.generated import GeneratedFile

OF_LISTER = 1 << 62
"""The bit that the handle of a directory has if the lister has opened it."""


class Listings:
    """Puts the entries that *answers* yields into replies, in the form that *entries* gives them.

    ``advance`` says which process is the lister, and what it is shown. It is None for a mount that
    has no lister. All methods are called in the loop's thread.
    """

    def __init__(self, answers: Answers, entries: Entries) -> None:
        self._answers = answers
        self._entries = entries
        self.advance: Advance | None = None

    def handle(self, inode: int, process: int) -> int:
        """Return the handle of the directory *inode* for the process with pid *process*.

        It is the inode number, with OF_LISTER if that process is the lister.
        """
        if self.advance is not None and self.advance.is_for(process):
            return inode | OF_LISTER
        return inode

    async def fill(self, handle: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """Put the entries behind position *start* into the reply *token* until it is full.

        Raises FUSEError at the end of the lister's listing, and what Answers raises.
        """
        if handle & OF_LISTER:
            await self._fill_for_lister(handle ^ OF_LISTER, start, token)
        else:
            await self._fill_with_all(handle, start, token)

    async def _fill_for_lister(self, inode: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """List the hot headers, and end with ENOENT.

        Because of the error the kernel does not cache this listing as all of the directory. The C
        library takes ENOENT for the end of a directory.
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
        """List all entries. Raises DamagedArchive at the end if some may be missing."""
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
            # An error in a reply that has entries would lose these. So it comes in the last reply,
            # which is empty.
            await self._answers.require_completeness()
            if self.advance is not None:
                self.advance.note_listed(inode)

    def _add_generated(self, token: pyfuse3.ReaddirToken, generated: GeneratedFile) -> None:
        """Put the entry of *generated* into the reply. If that is full, it comes with the next."""
        entry = self._entries.entry(generated.known_attributes())
        if not generated.has_known_size:
            # The file has a size once it has been made, which GETATTR does. So the kernel must ask.
            entry.entry_timeout = entry.attr_timeout = 0.0
        pyfuse3.readdir_reply(token, generated.place.name, entry, POSITION)

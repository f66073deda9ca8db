"""What a page that came with an archive must hold to, before anything is looked up in it.

With this done, no lookup can leave the columns or run in circles, and nothing is listed that one
pass over the archive would refuse.
"""

from __future__ import annotations

import stat
from bisect import bisect_right
from itertools import chain, count, pairwise, repeat

from kheadersfs.archive.names.page import ROOT, SYMLINK_PERMISSIONS, first_named
from kheadersfs.bare import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kheadersfs.archive.names.outline import Outline
    from kheadersfs.archive.names.page import Page

_PERMISSIONS = 0o7777


def check_page(page: Page, number: int, outline: Outline) -> None:
    """Check that *page* is what *outline* says of it, and sound in itself. Raises ValueError.

    What that leaves open shows when a directory is entered: see check_directory.
    """
    check_modes(page.inode_mode)
    if page.first_inode == ROOT and not stat.S_ISDIR(page.inode_mode[0]):
        raise ValueError("its root is not a directory")
    _check_numbering(page)
    _check_single_names(page, outline)
    _check_directories(page, number, outline)
    check_names(page.first_entry, page.entry_name_end, page.names, outline)
    files, targets = (
        [page.inode_size[row] for row in page.rows(kind)] for kind in (stat.S_IFREG, stat.S_IFLNK)
    )
    check_sizes(files, targets, number, outline)
    check_targets(page.targets)


def check_modes(modes: Iterable[int]) -> None:
    """Check that there are only files, directories and symlinks, without what is dangerous."""
    for mode in set(modes):
        if mode & ~_PERMISSIONS != stat.S_IFMT(mode):
            raise ValueError("an inode has a mode that cannot be")
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            raise ValueError("a file is set-user-ID or set-group-ID")
        if stat.S_ISLNK(mode) and stat.S_IMODE(mode) != SYMLINK_PERMISSIONS:
            raise ValueError("a symlink has permissions that symlinks do not have")
        if stat.S_IFMT(mode) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise ValueError("an inode is neither file, directory nor symlink")


def _check_numbering(page: Page) -> None:
    """Check that entries name inodes of before, or the next one, and so all that are in here."""
    first = first_named(page.first_inode)
    named = len(page.entry_inode) - len(page.repeats)
    if named != page.first_inode + len(page.inode_mode) - first:
        raise ValueError("an inode has no name")
    if not page.repeats:
        if page.entry_inode != array("I", range(first, first + named)):
            raise ValueError("an entry names an inode that is not there")
        return
    following, repeats = first, iter(page.repeats)
    for entry, inode in enumerate(page.entry_inode, page.first_entry):
        if inode == following:
            following += 1
        elif not ROOT < inode < following or next(repeats, None) != entry:
            raise ValueError("an entry names an inode that is not there")
    if following != first + named:
        raise ValueError("an inode has no name")


def _check_single_names(page: Page, outline: Outline) -> None:
    """Check that in an archive without hard links no inode claims several names."""
    if outline.bounds.has_hard_links:
        return  # only all pages together can tell, see check_links
    links = page.inode_links
    others = [row for row in page.rows(stat.S_IFDIR) if links[row] != 1]
    if len(links) - links.count(1) != len(others):
        raise ValueError("an inode has not as many names as it says")


def _check_directories(page: Page, number: int, outline: Outline) -> None:
    """Check that their entries follow each other, one level below where they are named."""
    bounds, levels = outline.bounds, outline.level_starts
    following = bounds.children[number]
    for row in page.rows(stat.S_IFDIR):
        start, size = page.inode_start[row], page.inode_size[row]
        inode = page.first_inode + row
        # Directories of the last level have no entries: both bounds are then the table's end.
        level = bisect_right(levels, page.naming_entry(inode)) if inode != ROOT else 0
        first, last = (levels[min(end, len(levels) - 1)] for end in (level, level + 1))
        if start != following or not first <= start <= start + size <= last:
            raise ValueError("a directory's entries are not where they should be")
        following += size
    if following != bounds.children[number + 1]:
        raise ValueError("its directories do not add up to its entries")


def check_names(first_entry: int, name_ends: Iterable[int], names: bytes, outline: Outline) -> None:
    """Check that every name is one, and none longer than its level's longest.

    *names* are those of entries from *first_entry* on, and end at *name_ends*.
    """
    lengths = [end - start for start, end in pairwise(chain((0,), name_ends))]
    is_named = 0 not in lengths and b"/" not in names and b"\0" not in names
    # How far each level reaches into this page, counted from the page's first entry.
    reached = [max(0, start - first_entry) for start in outline.level_starts]
    for (start, stop), longest in zip(pairwise(reached), outline.level_names, strict=True):
        is_named = is_named and max(lengths[start:stop], default=0) <= longest
    if not is_named:
        raise ValueError("it has a name that cannot be")


def check_sizes(files: list[int], targets: list[int], number: int, outline: Outline) -> None:
    """Check the sizes of *files* and *targets*, of page *number*, against what was said of them."""
    if sum(files) != outline.page_contents[number]:
        raise ValueError("its files have another size in all")
    if max(files, default=0) > outline.largest_file:
        raise ValueError("a file is larger than the largest")
    if max(targets, default=0) > outline.longest_target or 0 in targets:
        raise ValueError("a symlink's target has a length that cannot be")


def check_targets(targets: bytes) -> None:
    """Check that *targets* can be those of symlinks."""
    if b"\0" in targets:
        raise ValueError("it has a target that cannot be")


def check_directory(page: Page, entries: range, links: int) -> None:
    """Check that *entries*, of one directory, are all in *page*, are sorted, and differ.

    *links* is its st_nlink, which counts subdirectories too. Raises ValueError.
    """
    if entries and (
        not page.first_entry
        <= entries.start
        <= entries.stop
        <= page.first_entry + len(page.entry_inode)
    ):
        raise ValueError("a directory is in two pages")
    names, inodes = page.listing(entries)
    first, modes = page.first_inode, page.inode_mode
    # An inode of before this page is of a hard link, and these are not of directories.
    if links != 2 + sum(stat.S_ISDIR(modes[inode - first]) for inode in inodes if inode >= first):
        raise ValueError("a directory has another number of subdirectories than it says")
    check_listing(names)


def check_listing(names: list[bytes]) -> None:
    """Check that *names* can be those in one directory, in order. Raises ValueError."""
    if b"." in names or b".." in names:
        raise ValueError("it has a name that cannot be")
    if any(name >= following for name, following in pairwise(names)):
        raise ValueError("a directory has a name twice, or its names are not sorted")


def check_links(whole: Page) -> None:
    """Check that in *whole*, which is all of a table, inodes have as many names as they say.

    Raises ValueError.
    """
    names = whole.inode_links[:]
    for row in whole.rows(stat.S_IFDIR):
        names[row] = 1
    names[0] = 0
    if sum(names) == len(whole.entry_inode):
        expected = chain.from_iterable(map(repeat, count(ROOT), names))
        if sorted(whole.entry_inode) == list(expected):
            return
    raise ValueError("an inode has not as many names as it says")

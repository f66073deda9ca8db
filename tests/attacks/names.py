"""Hostile names, links and kinds of members.

Every case is made by a few lines, from raw headers where an archiver would refuse to write it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.attacks import forging as forge
from tests.attacks.case import (
    DAMAGED,
    ESCAPED,
    GOOD,
    GOOD_CONTENT,
    GOOD_FILES,
    GOOD_NAME,
    Case,
    refused,
    tar,
)
from tests.attacks.forging import Newc, newc, pax_record, tar_file, tar_header

if TYPE_CHECKING:
    from collections.abc import Iterator


def paths() -> Iterator[Case]:
    out = b"../" + ESCAPED
    for name in (out, b"./" + out, b"a/../" + out, b"a/b/../../" + out, b"..", b"a/.."):
        label = name.decode().replace("/", "|")
        yield refused(f"traversal {label}", tar_file(name, b"x"), r"a name with \.\. in it")
    for name in (b"/tmp/" + ESCAPED, b"//tmp/" + ESCAPED):
        label = name.decode().replace("/", "|")
        yield Case(
            f"absolute {label}",
            partial(tar, GOOD, tar_file(name, b"x")),
            files={**GOOD_FILES, name.lstrip(b"/"): b"x"},
            says="leading / removed from 1 member",
        )
    below = tar_header(b"d", kind=forge.SYMLINK, link=b"/tmp") + tar_file(b"d/" + ESCAPED, b"x")
    yield Case(
        "a file below a symlink that leads out",
        lambda: tar(GOOD, below),
        says="its parent b'd' is not a directory",
        links={b"d": b"/tmp"},
    )
    for link in (b"../../../../../etc/passwd", b"/etc/passwd", b"/dev/zero"):
        label = link.decode().replace("/", "|")
        yield Case(
            f"a symlink to {label}",
            partial(tar, GOOD, tar_header(b"link", kind=forge.SYMLINK, link=link)),
            links={b"link": link},
        )
    yield Case(
        "symlinks in circles",
        lambda: tar(
            GOOD,
            tar_header(b"a", kind=forge.SYMLINK, link=b"b"),
            tar_header(b"b", kind=forge.SYMLINK, link=b"a"),
            tar_header(b"self", kind=forge.SYMLINK, link=b"self"),
        ),
        links={b"a": b"b", b"b": b"a", b"self": b"self"},
    )
    yield refused(
        "a symlink to nothing", tar_header(b"l", kind=forge.SYMLINK), "a symlink's target of 0"
    )
    long_link = forge.tar_long(forge.LONG_LINK, b"t" * 70_000)
    yield refused(
        "a symlink of 70,000 bytes",
        long_link + tar_header(b"l", kind=forge.SYMLINK, link=b"t" * 100),
        "a symlink's target of 70000 bytes",
    )


def hard_links() -> Iterator[Case]:
    for name, target in (
        ("outside by an absolute name", b"/etc/passwd"),
        ("outside by a relative name", b"../../../etc/passwd"),
        ("missing", b"missing"),
        ("itself", b"hard"),
        ("a name below a file", GOOD_NAME + b"/x"),
        ("the root", b"."),
    ):
        member = tar_header(b"hard", kind=forge.HARD_LINK, link=target)
        yield refused(f"a hard link to {name}", member, "'hard' refused")
    circle = tar_header(b"a", kind=forge.HARD_LINK, link=b"b")
    circle += tar_header(b"b", kind=forge.HARD_LINK, link=b"a")
    yield refused("hard links in a circle", circle, "'b' refused")
    directory = tar_header(b"d", kind=forge.DIRECTORY, mode=0o755)
    yield refused(
        "a hard link to a directory",
        directory + tar_header(b"hard", kind=forge.HARD_LINK, link=b"d"),
        "a hard link to a directory",
    )
    yield Case(
        "a hard link with content of its own",
        lambda: tar(
            GOOD,
            forge.tar_pax(pax_record(b"size", b"6")),
            tar_header(b"hard", kind=forge.HARD_LINK, link=GOOD_NAME) + forge.padded(b"other\n"),
            tar_file(b"n", b"n" * 99),
        ),
        files={**GOOD_FILES, b"hard": GOOD_CONTENT, b"n": b"n" * 99},
    )
    yield Case(
        "a cpio of which all have one number",
        lambda: newc(
            Newc(b"d", mode=0o040755, inode=7, links=2),
            Newc(b"d/e", mode=0o040755, inode=7, links=2),
            Newc(b"link", GOOD_NAME, mode=0o120777, inode=7, links=2),
            Newc(GOOD_NAME, GOOD_CONTENT, inode=7, links=2),
            Newc(b"d/e/n", inode=7, links=2),
        ),
        files={**GOOD_FILES, b"d/e/n": GOOD_CONTENT},
        links={b"link": GOOD_NAME},
    )
    # What it brings must not become the content of what it cannot be a name of.
    linked = Newc(GOOD_NAME, GOOD_CONTENT, inode=7, links=2)
    yield Case(
        "a hard link with content that has a directory's name",
        lambda: newc(
            linked, Newc(b"d/x", b"x\n"), linked._replace(name=b"d"), Newc(b"n", b"n" * 99)
        ),
        says="'d' refused: a directory with content has the same name",
        files={**GOOD_FILES, b"d/x": b"x\n", b"n": b"n" * 99},
    )


def kinds() -> Iterator[Case]:
    for name, kind in (
        ("a character device", forge.CHARACTER),
        ("a block device", forge.BLOCK),
        ("a fifo", forge.FIFO),
    ):
        member = tar_header(b"node", kind=kind, mode=0o666)
        yield refused(name, member, "neither a file, a directory nor a link")
    for name, mode in (("set-user-ID", 0o4755), ("set-group-ID", 0o2755)):
        yield refused(f"a {name} file", tar_file(b"su", b"x", mode), "a set-user-ID or set-group")
    socket = Newc(b"socket", mode=0o140755)
    yield Case(
        "a socket",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), socket),
        says="neither a file, a directory nor a link",
    )

    for name, mode in (
        ("a character device", 0o020666),
        ("a block device", 0o060666),
        ("a fifo", 0o010666),
        ("a set-user-ID file", 0o104755),
    ):
        yield Case(
            f"{name} in cpio",
            partial(newc, Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"node", mode=mode)),
            says="'node' refused",
        )


def names() -> Iterator[Case]:
    yield Case(
        "a newline in a name",
        lambda: tar(GOOD, tar_file(b"new\nline", b"x")),
        files={**GOOD_FILES, b"new\nline": b"x"},
    )
    yield Case(
        "a NUL in a pax name ends it",
        lambda: tar(GOOD, forge.tar_pax(pax_record(b"path", b"nul\0tail")), tar_file(b"p", b"x")),
        files={**GOOD_FILES, b"nul": b"x"},
    )
    yield Case(
        "a NUL in a cpio name ends it",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"nul\0tail", b"x")),
        files={**GOOD_FILES, b"nul": b"x"},
    )
    yield refused(
        "a name of 4,096 bytes", forge.tar_named(b"n" * 4096, b"x"), "a name of 4096 bytes"
    )
    yield refused("a name of 256 bytes", forge.tar_named(b"n" * 256, b"x"), "a name of 256 bytes")
    yield Case(
        "a cpio name of 4 GiB",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"n", name_size=0xFFFFFFFF)),
        status=DAMAGED,
    )
    yield refused("no name", tar_file(b"", b"x"), "'' refused")
    deepest = b"d/" * 30_000 + b"f"
    yield refused("a path 30,000 deep", forge.tar_named(deepest, b"x"), "a path of 60001 bytes")
    deep = b"d/" * 1000 + b"f"
    yield refused("a path 1,000 deep", forge.tar_named(deep, b"x"), "a path of 1001 names")


def conflicts() -> Iterator[Case]:
    directory = tar_header(b"x", kind=forge.DIRECTORY, mode=0o755)
    yield Case(
        "a file twice",
        lambda: tar(tar_file(GOOD_NAME, b"first"), GOOD),
    )
    yield Case(
        "a file, then a directory of the same name",
        lambda: tar(GOOD, tar_file(b"x", b"file"), directory),
    )
    yield Case(
        "an empty directory, then a file of the same name",
        lambda: tar(GOOD, directory, tar_file(b"x", b"file")),
        files={**GOOD_FILES, b"x": b"file"},
    )
    yield refused(
        "a file in place of a full directory",
        tar_file(b"x/y", b"inside") + tar_file(b"x", b"file"),
        "a directory with content has the same name",
    )._replace(files={**GOOD_FILES, b"x/y": b"inside", b"after.h": b"after\n"})
    symlink = tar_header(b"x", kind=forge.SYMLINK, link=b"/tmp")
    yield Case(
        "a symlink that leads out, then a directory of the same name with a file",
        lambda: tar(GOOD, symlink, directory, tar_file(b"x/" + ESCAPED, b"x")),
        files={**GOOD_FILES, b"x/" + ESCAPED: b"x"},
    )
    yield Case(
        "an empty directory, then a symlink of the same name and a file below",
        lambda: tar(GOOD, directory, symlink, tar_file(b"x/" + ESCAPED, b"x")),
        says="its parent b'x' is not a directory",
        links={b"x": b"/tmp"},
    )
    yield Case(
        "a file and a hard link to it that then become others",
        lambda: tar(
            tar_file(b"x", b"first"),
            tar_header(b"y", kind=forge.HARD_LINK, link=b"x"),
            tar_file(b"x", b"second"),
            GOOD,
        ),
        files={**GOOD_FILES, b"x": b"second", b"y": b"first"},
    )
    yield Case(
        "directory and file by turns",
        lambda: tar(GOOD, *[directory, tar_file(b"x", b"file")] * 3000),
        files={**GOOD_FILES, b"x": b"file"},
    )


def cases() -> Iterator[Case]:
    """Yield all of them."""
    for room in (paths, hard_links, kinds, names, conflicts):
        yield from room()

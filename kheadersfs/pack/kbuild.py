"""What a kernel build calls in place of kernel/gen_kheaders.sh, by way of tools/gen_kheaders.sh.

Arguments, environment and working directory (the object tree) are those of the kernel's script,
of which there are two generations. Up to Linux 6.16 it gets the archive's name, and decides
itself whether there is anything to do. Since 6.17 it also gets two lists of headers and perhaps a
timestamp, is run when make finds something newer, and writes make's dependencies.

Whether an archive is up to date is decided here in both. The kernel's own check knew times by the
minute, and has shipped stale archives.
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import KheadersfsError, UsageError, reason
from kheadersfs.kernel.release import RELEASE_HEADER, headers_release
from kheadersfs.kernel.trees import KernelTree
from kheadersfs.pack.output import complete_file, not_written
from kheadersfs.pack.selection import Header, digest_stamps, read_header, select, select_listed
from kheadersfs.pack.times import member_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CONFIGURATION = b"include/generated/autoconf.h"


class Build(NamedTuple):
    """What a kernel build asks for. Paths are relative to the object tree.

    ``lists`` are the files with the names of the headers in source and object tree, None for the
    older generation. ``time`` is the members', in seconds since 1970. ``silent`` is make's -s.
    """

    archive: str
    srctree: str
    srcarch: str
    lists: tuple[str, str] | None
    time: int
    silent: bool

    @property
    def state(self) -> str:
        """Where it is remembered what the archive was made from; "make clean" removes it."""
        directory, name = os.path.split(self.archive)
        return os.path.join(directory, f".{name}.state.tmp")


class State(NamedTuple):
    """What an archive was made from, and what it was then. All are SHA-256, in hexadecimal.

    ``stamps`` is of the headers' times, and empty when these are too recent to be relied on.
    """

    program: str
    archive: str
    stamps: str
    content: str


def parse_build(arguments: Sequence[str], environment: Mapping[str, str]) -> Build:
    """Return what *arguments* and *environment* ask for. Raises UsageError."""
    if len(arguments) not in (1, 3, 4):
        raise UsageError(
            "expected ARCHIVE, or ARCHIVE SOURCE-LIST OBJECT-LIST [TIMESTAMP]; "
            "the kernel's makefile calls this, not you"
        )
    try:
        srctree, srcarch = environment["srctree"], environment["SRCARCH"]
    except KeyError as error:
        raise UsageError(f"{error.args[0]} is not set; the kernel's makefile sets it") from error
    if len(arguments) == 4:
        environment = {**environment, "KBUILD_BUILD_TIMESTAMP": arguments[3]}
    return Build(
        arguments[0],
        srctree,
        srcarch,
        (arguments[1], arguments[2]) if len(arguments) > 1 else None,
        member_time(environment),
        environment.get("quiet") == "silent_",
    )


def run(build: Build, say: Callable[[str], None]) -> None:
    """Make the archive unless it is up to date, and *say* so where make does not.

    Raises KheadersfsError.
    """
    choose = partial(_select, build)
    began = time.time_ns()
    headers = choose()
    program = _digest_program(build)
    recorded = _read_state(build.state)
    stamps = digest_stamps(headers, began)
    if build.lists is not None:
        _write_dependencies(build)
    if recorded and (recorded.program, recorded.archive) == (program, _digest_file(build.archive)):
        if stamps and recorded.stamps == stamps:
            _touch(build)
            return
        if recorded.content == _digest_content(headers):
            _touch(build)
            _write_state(build.state, recorded._replace(stamps=stamps))
            return
    if build.lists is None and not build.silent:
        say(f"  GEN     {build.archive}")
    content = _digest_content(headers)
    _pack(build, choose)
    archive = _digest_file(build.archive)
    _write_state(build.state, State(program, archive, stamps, content))


def _select(build: Build) -> dict[bytes, Header]:
    if build.lists is None:
        return select(KernelTree(build.srctree, ".", build.srcarch, "", lists=False))
    sources, objects = map(_read, build.lists)
    return select_listed(os.fsencode(build.srctree), sources, b"", objects)


def _pack(build: Build, choose: Callable[[], dict[bytes, Header]]) -> None:
    # It takes 25 ms, which a build whose archive is up to date does not pay.
    from kheadersfs.pack.comments import strip
    from kheadersfs.pack.packing import Settings, pack
    from kheadersfs.pack.writing import Description, Form

    release = headers_release(_read(RELEASE_HEADER)) if os.path.exists(RELEASE_HEADER) else None
    settings = Settings(Form("tar", "xz"), strip, [], build.time)
    description = Description(release or "", build.srcarch)
    pack(choose, description, build.archive, settings, lambda _done, _total: None)


def _touch(build: Build) -> None:
    """Tell make, which goes by times and would come again, that the archive is up to date."""
    if build.lists is not None:
        try:
            os.utime(build.archive)
        except OSError as error:  # another user's
            raise not_written(build.archive, error) from error


def _write_dependencies(build: Build) -> None:
    """Write what the archive depends on for make, as the kernel's script does.

    The configuration header is left out: it is written anew when nothing in it has changed, and
    when something has, files below include/config change too.
    """
    assert build.lists is not None
    sources, objects = (_read(path).splitlines() for path in build.lists)
    names = [*sources, *(name for name in objects if name != _CONFIGURATION)]
    directory, name = os.path.split(build.archive)
    archive = os.fsencode(build.archive)
    variable = b"deps_" + archive
    lines = [
        b"",
        variable + b" := \\",
        *(b"  " + name + b" \\" for name in names),
        b"",
        archive + b": $(" + variable + b")",
        b"",
        b"$(" + variable + b"):",
        b"",
    ]
    with complete_file(os.path.join(directory, f".{name}.d")) as file:
        file.write(b"\n".join(lines))


def _digest_program(build: Build) -> str:
    """Return a digest of all that decides what becomes of the headers: this program, the time."""
    digest = hashlib.sha256(repr((build.srcarch, build.time)).encode())
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for room in ("archive", "pack"):
        directory = os.path.join(package, room)
        for name in sorted(os.listdir(directory)):
            if name.endswith(".py"):
                digest.update(_read(os.path.join(directory, name)))
    return digest.hexdigest()


def _digest_content(headers: dict[bytes, Header]) -> str:
    """Return a digest of the headers' names and bytes. Raises KheadersfsError."""
    digest = hashlib.sha256()
    for header in headers.values():
        content = read_header(header) if header.target is None else header.target
        kind = "file" if header.target is None else "symlink"
        digest.update(repr((header.path, kind, len(content))).encode())
        digest.update(content)
    return digest.hexdigest()


def _digest_file(path: str) -> str:
    """Return the SHA-256 of the file at *path*, empty when it is not there."""
    return hashlib.sha256(_read(path)).hexdigest() if os.path.exists(path) else ""


def _read_state(path: str) -> State | None:
    """Return what was recorded at *path*, None when that is nothing, or nothing of ours."""
    if not os.path.exists(path):
        return None
    fields = _read(path).decode("ascii", "replace").split("\n")
    return State(*fields[:4]) if len(fields) == len(State._fields) + 1 else None


def _write_state(path: str, state: State) -> None:
    with complete_file(path) as file:
        file.write("".join(f"{field}\n" for field in state).encode())


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot read it: {reason(error)}") from error

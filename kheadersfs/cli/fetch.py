"""``kheadersfs fetch``."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import takewhile

from kheadersfs.cli.arguments import Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.packages import missing_of, pack_to
from kheadersfs.cli.waiting import WaitingLine
from kheadersfs.errors import ArchiveUnavailable, KheadersfsError, reason
from kheadersfs.kernel.cache import default_cache_directory, own_directory
from kheadersfs.kernel.discovery import fetched_archive, installed_archive
from kheadersfs.limits import Limits
from kheadersfs.pack.comments import COMMENT_FILTERS
from kheadersfs.pack.output import ending_in_order
from kheadersfs.pack.packing import Settings
from kheadersfs.pack.times import DEFAULT_TIME
from kheadersfs.packages.clients import CLIENTS, Client

_MOST_NAMED = 8
_MOST_ROUNDS = 4
"""How often packages are downloaded that earlier ones need. Debian's takes two rounds."""


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "fetch",
        "Download the headers of RELEASE, by default the running kernel's, and pack them to where "
        "mount and run find them. This machine's package client downloads and checks them. Nothing "
        "is installed.",
        ("sudo kheadersfs fetch && sudo kheadersfs mount", "headers for bcc and bpftrace"),
        (
            "kheadersfs fetch --etc /host/etc -o headers.tar.zst",
            "in a container that sees the host's /etc at /host/etc",
        ),
    )
    arguments.add_argument(
        "--etc",
        metavar="DIR",
        help="use the package sources in another machine's /etc, which is at DIR; its package "
        "lists are downloaded for this call only",
    )
    arguments.add_argument(
        "--client",
        choices=CLIENTS,
        help="by default the first that is installed, or the one that DIR belongs to",
    )
    add_form(arguments)
    add_limits(arguments)
    arguments.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the archive to write; by default /usr/lib/kheaders/RELEASE.tar.zst, or a place in "
        "the user's cache",
    )
    arguments.add_argument("release", metavar="RELEASE", nargs="?", help="as uname -r prints it")
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse(arguments)
    release = os.uname().release if values.release is None else values.release
    if not release or "/" in release:
        raise ArchiveUnavailable(
            f"{release or 'RELEASE'}: is no release; give what uname -r prints"
        )
    if values.output is None and os.geteuid() == 0:
        os.umask(0o022)  # it is for all users of the machine
    output = values.output or _default_output(release)
    settings = Settings(
        chosen_form(values.format, values.compress, output),
        COMMENT_FILTERS["strip"],
        [],
        DEFAULT_TIME,
        limits=parse_limits(values.limits),
    )
    with ending_in_order(), _scratch_directory() as scratch:
        client = _choose_client(values.client, values.etc, os.path.join(scratch, "memory"))
        directory = os.path.join(scratch, "packages")
        with WaitingLine("fetch"):
            packages = _download(client, release, directory, settings.limits)
        pack_to(packages, output, None, settings, release)
    print(f"{output}: has the headers of {release} now")
    return 0


def _default_output(release: str) -> str:
    """Return where mount and run find it. Raises KheadersfsError if nothing can be put there."""
    is_root = os.geteuid() == 0
    output = installed_archive(release)
    if not is_root:
        output = fetched_archive(release, default_cache_directory(os.environ))
    directory = os.path.dirname(output)
    try:
        if is_root:
            os.makedirs(directory, exist_ok=True)
        else:
            own_directory(directory)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise KheadersfsError(
            f"{directory}: cannot be written to: {reason(error)}; name another file with -o"
        ) from error
    return output


def _scratch_directory() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="kheadersfs-fetch-")
    except OSError as error:
        raise KheadersfsError(
            f"no directory can be made for downloads: {reason(error)}; set TMPDIR to where one can"
        ) from error


def _choose_client(name: str | None, etc: str | None, memory: str) -> Client:
    """Return the client to ask. Raises ArchiveUnavailable if there is none."""
    if etc is not None and not os.path.isdir(etc):
        raise ArchiveUnavailable(f"{etc}: no such directory; name the /etc of another machine")
    os.mkdir(memory)
    # Clients take a relative path for one below the root, or run in another directory.
    place = None if etc is None else os.path.abspath(etc)
    for client in CLIENTS.values():
        wanted = client.program == name if name else True
        suits = etc is None or os.path.isdir(os.path.join(etc, client.configuration))
        if wanted and (suits or name) and shutil.which(client.program):
            return client(place, memory)
    raise ArchiveUnavailable(
        f"no package client for {f'what is in {etc}' if etc else 'this machine'} is installed; "
        f"there may be {', '.join(CLIENTS)}"
    )


def _download(client: Client, release: str, directory: str, limits: Limits) -> list[str]:
    """Return the packages with the headers of *release*, downloaded to below *directory*."""
    offered = client.offered()
    if release not in offered:
        raise ArchiveUnavailable(_not_offered(client, release, list(offered)))
    os.mkdir(directory)
    client.download(offered[release], directory)
    asked: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        packages = _files_below(directory)
        if not packages:
            raise KheadersfsError(f"{client.program} downloaded nothing of {offered[release]}")
        missing = [client.named(need) for need in missing_of(packages, limits)]
        new = [name for name in missing if name not in asked]
        if not new:
            break
        for name in new:
            client.download(name, directory)
        asked.update(new)
    return packages


def _not_offered(client: Client, release: str, offered: list[str]) -> str:
    """Return what to say of *release*: what else there is, what is most alike first."""
    text = f"{release}: {client.program} knows no package with its headers"
    if not offered:
        return f"{text}, nor of any other kernel; bring its lists up to date: {client.refresh}"

    def likeness(other: str) -> tuple[int, str]:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(release, other, strict=False))
        return -len(list(alike)), other

    named = sorted(offered, key=likeness)[:_MOST_NAMED]
    more = f", and {len(offered) - len(named)} more" if len(offered) > len(named) else ""
    return f"{text}; it has those of {', '.join(named)}{more}"


def _files_below(directory: str) -> list[str]:
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(directory)
        for name in names
        if name.endswith((".deb", ".rpm"))
    )

"""Who takes part: every way to have headers that can be installed from a package, and ours."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from benchmark.errors import Failed, Unavailable
from benchmark.processes import find_program, kill_all
from benchmark.ways import Extracted, Extraction, Mount, PrivateRun, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.implementations import Implementation
    from benchmark.inputs import Inputs

Family = Literal["baseline", "extraction", "kernel", "fuse", "ours"]
BASELINE = "tmpfs"
"""The key of the contender that all others are compared with."""
FORMS = {
    "xz": "packed .tar.xz",
    "zstd": "packed .tar.zst",
    "kernel-xz": "kernel's .tar.xz",
}
"""The archives that this project is measured with."""


class Contender(NamedTuple):
    """One way to have headers. ``key`` names it in arguments and JSON, ``title`` to people."""

    key: str
    title: str
    family: Family
    way: Way

    def abandon(self) -> None:
        """See rounds.Participant."""
        self.way.abandon()


class Runner(NamedTuple):
    """One way to have headers for a single command; see Contender."""

    key: str
    title: str
    family: Family
    private: PrivateRun

    def abandon(self) -> None:
        """See rounds.Participant."""
        kill_all()


class Absentee(NamedTuple):
    """A contender that cannot take part, and why."""

    key: str
    reason: str


class Candidate(NamedTuple):
    """A contender before its programs were looked for and its input made.

    ``prepare`` returns its way, or raises Unavailable.
    """

    key: str
    title: str
    family: Family
    prepare: Callable[[], Way | PrivateRun]


class Choice(NamedTuple):
    """Who is to be measured: patterns as the shell's, for keys; everybody without ``only``."""

    only: Sequence[str]
    skip: Sequence[str]

    def has(self, key: str) -> bool:
        """Tell whether *key* is of those."""
        wanted = not self.only or any(fnmatch(key, pattern) for pattern in self.only)
        return wanted and not any(fnmatch(key, pattern) for pattern in self.skip)


def prepare(
    candidates: Sequence[Candidate], choice: Choice
) -> tuple[list[Contender | Runner], list[Absentee]]:
    """Return those of *candidates* that can take part, and those that cannot.

    The baseline always takes part.
    """
    present: list[Contender | Runner] = []
    absent: list[Absentee] = []
    for key, title, family, prepare_way in candidates:
        if key != BASELINE and not choice.has(key):
            continue
        try:
            way = prepare_way()
        except (Unavailable, Failed) as error:
            absent.append(Absentee(key, str(error)))
            continue
        if isinstance(way, PrivateRun):
            present.append(Runner(key, title, family, way))
        else:
            present.append(Contender(key, title, family, way))
    return present, absent


def list_candidates(
    inputs: Inputs, disk: str, implementations: Sequence[Implementation]
) -> list[Candidate]:
    """Return everybody; *disk* is a directory that is on no tmpfs."""
    ours = [
        candidate
        for implementation in implementations
        for candidate in _list_ours(inputs, implementation)
    ]
    return [*_list_extractions(inputs, disk), *_list_images(inputs), *_list_archives(inputs), *ours]


def _list_extractions(inputs: Inputs, disk: str) -> list[Candidate]:
    def extraction(directory: str) -> Extraction:
        return Extraction(inputs.kernel_xz(), os.path.join(directory, "extracted"), inputs.log)

    return [
        Candidate(
            BASELINE,
            "already extracted in a tmpfs",
            "baseline",
            partial(Extracted, inputs.tree),
        ),
        Candidate(
            "tar-tmpfs",
            "tar x into a tmpfs, rm -r",
            "extraction",
            partial(extraction, inputs.memory),
        ),
        Candidate("tar-disk", "tar x onto a disk, rm -r", "extraction", partial(extraction, disk)),
    ]


def _list_images(inputs: Inputs) -> list[Candidate]:
    kernel, program = partial(_kernel_mount, inputs), partial(_program_mount, inputs)
    return [
        Candidate(
            "squashfs",
            "kernel squashfs, zstd image",
            "kernel",
            partial(kernel, "squashfs", inputs.squashfs),
        ),
        Candidate(
            "erofs", "kernel erofs, lz4hc image", "kernel", partial(kernel, "erofs", inputs.erofs)
        ),
        Candidate(
            "squashfuse",
            "squashfuse_ll, zstd image",
            "fuse",
            partial(program, "squashfuse_ll", inputs.squashfs),
        ),
        Candidate("dwarfs", "dwarfs image", "fuse", partial(program, "dwarfs", inputs.dwarfs)),
    ]


def _list_archives(inputs: Inputs) -> list[Candidate]:
    return [
        Candidate(
            f"{program}-{form}",
            f"{program}, {title}",
            "fuse",
            partial(_program_mount, inputs, program, find_input),
        )
        for program in ("fuse-archive", "archivemount", "ratarmount")
        for form, title, find_input in (
            ("xz", "kernel's .tar.xz", inputs.kernel_xz),
            ("zstd", ".tar.zst", inputs.kernel_zstd),
        )
    ]


def _kernel_mount(inputs: Inputs, kind: str, find_input: Callable[[], str]) -> Mount:
    with open("/proc/filesystems") as kinds:
        if kind not in kinds.read().split():
            raise Unavailable(f"this kernel has no {kind}")
    if not os.access("/dev/loop-control", os.W_OK):
        raise Unavailable("images need loop devices, and root")
    command = [find_program("mount"), "-t", kind, "-o", "ro,loop", find_input()]
    return _mount(inputs, command)


def _program_mount(inputs: Inputs, program: str, find_input: Callable[[], str]) -> Mount:
    command = [find_program(program)]
    return _mount(inputs, [*command, find_input()])


def _mount(inputs: Inputs, command: Sequence[str]) -> Mount:
    """Return the way that mounts with *command*, which lacks only the mountpoint."""
    unmount = [find_program("umount"), inputs.mountpoint]
    return Mount([*command, inputs.mountpoint], unmount, inputs.mountpoint, inputs.log)


def _list_ours(inputs: Inputs, implementation: Implementation) -> list[Candidate]:
    label = implementation.label
    mount, run = partial(_our_mount, inputs, implementation), partial(_our_run, inputs)
    return [
        candidate
        for form, title in FORMS.items()
        for candidate in (
            Candidate(
                f"{label}:{form}", f"{label} mount, {title}", "ours", partial(mount, form, [])
            ),
            Candidate(
                f"{label}:{form}:prefetch",
                f"{label} mount --prefetch, {title}",
                "ours",
                partial(mount, form, ["--prefetch"]),
            ),
            Candidate(
                f"{label}:{form}:run",
                f"{label} run, {title}",
                "ours",
                partial(run, implementation, form),
            ),
        )
    ]


def _our_mount(
    inputs: Inputs, implementation: Implementation, form: str, options: Sequence[str]
) -> Mount:
    program, mountpoint = implementation.executable, inputs.mountpoint
    archive = _find_our_input(inputs, implementation, form)
    mount = [program, "mount", *options, archive, mountpoint]
    return Mount(mount, [program, "umount", mountpoint], mountpoint, inputs.log)


def _our_run(inputs: Inputs, implementation: Implementation, form: str) -> PrivateRun:
    archive = _find_our_input(inputs, implementation, form)
    return PrivateRun([implementation.executable, "run", "--archive", archive, "--"], inputs.log)


def _find_our_input(inputs: Inputs, implementation: Implementation, form: str) -> str:
    return inputs.kernel_xz() if form == "kernel-xz" else inputs.packed(implementation, form)

"""The kernels of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = "newest"

# How the archive of an input is made, by its kind.
HEADERS = "headers"
UBUNTU = "ubuntu"
FEDORA = "fedora"
SOURCE = "source"
SCRIPT = "script"
GIVEN = "given"
MADE = {
    HEADERS: "`pack` of Debian's two headers packages",
    UBUNTU: "`pack` of Debian's two headers packages, laid out as Ubuntu's two",
    FEDORA: "`pack` of Debian's two headers packages, laid out as Fedora's kernel-devel",
    SOURCE: "`pack` of Debian's source package, configured with clang 19",
    SCRIPT: "the kernel's own rule in Debian's source package, configured with clang 19",
    GIVEN: "with `--add`: an archive as it is, or `pack` of a tree",
}


class Input(NamedTuple):
    """A kernel's headers: *series* is like 6.12, *arch* a directory below ``arch/``.

    *kind* is one of MADE, *variant* the flavour of Debian's headers packages, or what
    configures a source tree if not ``defconfig``.
    """

    series: str
    arch: str
    kind: str
    variant: str = ""

    @property
    def name(self) -> str:
        """What the table and the command line call it."""
        words = (self.series, self.arch, self.kind, self.variant)
        return " ".join(word for word in words if word)


class Given(NamedTuple):
    """Headers that the user has: *path* is an archive, or a tree that ``pack`` takes."""

    label: str
    path: Path

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.label} {GIVEN}"


SAMPLE = tuple(
    Input(series, arch, HEADERS, flavour)
    for series in ("6.1", "6.12")
    for arch, flavour in (("x86", "amd64"), ("arm64", "arm64"))
)
# What differs most comes first, for a run that is not let to its end.
INPUTS = (
    *(Input(series, "x86", HEADERS, "amd64") for series in ("6.1", "6.12", NEWEST)),
    *(Input("6.12", "x86", layout, "amd64") for layout in (UBUNTU, FEDORA)),
    Input("6.12", "s390", HEADERS, "s390x"),
    Input("6.12", "powerpc", HEADERS, "powerpc64le"),
    Input(NEWEST, "x86", SCRIPT),
    Input("5.10", "x86", HEADERS, "amd64"),
    # Debian has no kernels for MIPS since 6.12.
    Input("6.1", "mips", HEADERS, "5kc-malta"),
    Input(NEWEST, "loongarch", HEADERS, "loong64"),
    Input("6.12", "riscv", HEADERS, "riscv64"),
    Input("6.12", "arm", HEADERS, "armmp"),
    *(Input(series, "arm64", HEADERS, "arm64") for series in ("6.12", "6.1", NEWEST, "5.10")),
    *(Input(series, "x86", SCRIPT) for series in ("6.12", "5.10", "6.1")),
    # Of these, Debian has no packages: two are big-endian.
    Input("6.12", "powerpc", SOURCE, "ppc64_defconfig"),
    Input("6.12", "mips", SOURCE, "64r2_defconfig"),
    Input("6.12", "loongarch", SOURCE),
    *(
        Input(series, "x86", HEADERS, flavour)
        for series in ("6.12", "6.1", NEWEST, "5.10")
        for flavour in ("cloud-amd64", "rt-amd64")
    ),
    *(Input("6.12", "arm64", HEADERS, flavour) for flavour in ("cloud-arm64", "rt-arm64")),
    Input("6.1", "mips", HEADERS, "loongson-3"),
    Input(NEWEST, "s390", HEADERS, "s390x"),
    Input(NEWEST, "x86", SOURCE),
)

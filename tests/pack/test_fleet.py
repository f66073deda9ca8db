"""Kernels that are merged: each is there with its release, and costs what the others have not."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

import kheadersfs
from kheadersfs.sandbox import restrictions
from tests.support import golden
from tests.support.mounting import Outcome, one_line, run_command

TIME = 1_700_000_000
HEADERS = 400
RELEASES = ("6.1.0-1-test", "6.1.0-2-longer-test", "6.2.0-test")
WORDS = ("int", "long", "char", "*p;", "{}")
ARCH = "#define CONFIG_X86 1\n"


def make_tree(tree: Path, release: str, seed: int, changed: int) -> None:
    """Make headers of *release*: of HEADERS the *changed* first ones are this kernel's own."""
    for number in range(HEADERS):
        owner = seed if number < changed else 0
        words = random.Random(owner * HEADERS + number).choices(
            ["int", "long", "char", "*p;", "{}"], k=90
        )
        header = tree / f"include/linux/sub{number % 7}/header{number}.h"
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(f"#include <linux/sub0/header0.h>\n{' '.join(words)}\n")
    generated = tree / "include/generated"
    generated.mkdir()
    (generated / "autoconf.h").write_text(ARCH)
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{release}"\n')
    (generated / "empty.h").touch()
    (tree / "include/linux/link.h").symlink_to("sub0/header0.h")
    if seed == 1:
        (tree / "include/linux/other").symlink_to("sub1")
    else:
        (tree / "include/linux/other").mkdir()
        (tree / "include/linux/other/a.h").write_text("a\n")


def make_archive(directory: Path, release: str, seed: int, changed: int) -> Path:
    """Make an archive of such a tree, which stays beside it."""
    tree, archive = directory / f"tree-{release}", directory / f"{release}.tar.xz"
    make_tree(tree, release, seed, changed)
    options = ["--sort=name", f"--mtime=@{TIME + seed}", "--owner=0", "--group=0"]
    subprocess.run(["tar", "-cJf", archive, *options, "-C", tree, "."], check=True)
    return archive


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Archives of the kernels of RELEASES, in another order than their names have."""
    directory = tmp_path_factory.mktemp("kernels")
    made = [
        make_archive(directory, release, seed, changed=20 * seed)
        for seed, release in enumerate(RELEASES, 1)
    ]
    return [made[1], made[0], made[2]]


def merge(output: Path, *words: str | Path) -> Path:
    assert run_command("merge", *words, "-o", output) == Outcome(0, "", "")
    return output


@pytest.fixture(scope="module")
def fleet(archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in one archive."""
    return merge(tmp_path_factory.mktemp("fleet") / "fleet.tar.xz", *archives)


def require_same(one: Path, other: Path) -> None:
    subprocess.run(["diff", "-r", "--no-dereference", one, other], check=True)


def kernels_in(archive: Path) -> list[tuple[bytes, str, str]]:
    with kheadersfs.open_archive(archive) as opened:
        return [(known.name, known.release, known.arch) for known in opened.content.kernels]


def test_the_index_knows_every_kernels_release_and_architecture(fleet: Path) -> None:
    assert kernels_in(fleet) == [(release.encode(), release, "x86") for release in RELEASES]
    outcome = run_command("info", fleet)
    for release in RELEASES:
        assert f"{release} {release} x86\n" in outcome.output


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar.zst", ".tar.gz", ".tar"])
def test_tar_extracts_what_went_in(suffix: str, archives: list[Path], tmp_path: Path) -> None:
    merged = merge(tmp_path / f"fleet{suffix}", *archives)
    assert run_command("verify", merged).status == 0
    golden.extract_with_tar(merged, tmp_path / "extracted")
    for release, archive in zip(RELEASES, sorted(archives), strict=True):
        tree = archive.parent / f"tree-{release}"
        require_same(tree, tmp_path / "extracted" / release)


@pytest.mark.parametrize("reader", ["bsdtar", "busybox"])
def test_other_readers_of_tar_see_the_same(reader: str, fleet: Path, tmp_path: Path) -> None:
    if shutil.which(reader) is None:
        pytest.skip(f"not installed: {reader}")
    golden.extract_with_tar(fleet, tmp_path / "gnu")
    (tmp_path / "other").mkdir()
    plain = tmp_path / "plain.tar"
    with plain.open("wb") as file:
        subprocess.run(["xz", "-dc", fleet], check=True, stdout=file)
    command = ["bsdtar", "-xf"] if reader == "bsdtar" else ["busybox", "tar", "-xf"]
    subprocess.run([*command, plain, "-C", tmp_path / "other"], check=True)
    require_same(tmp_path / "gnu", tmp_path / "other")
    for path in (tmp_path / "gnu").rglob("*.h"):
        other = tmp_path / "other" / path.relative_to(tmp_path / "gnu")
        assert path.lstat().st_nlink == other.lstat().st_nlink


def test_what_is_listed_is_what_tar_extracts(fleet: Path, tmp_path: Path) -> None:
    golden.extract_with_tar(fleet, tmp_path / "extracted")
    with kheadersfs.open_archive(fleet) as opened:
        listed = {entry.path: (entry.mode, entry.links) for entry in opened}
        inodes = {entry.path: entry.inode for entry in opened if entry.is_file}
    found = {}
    for path in sorted((tmp_path / "extracted").rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(tmp_path / "extracted"))
        found[name] = (status.st_mode, status.st_nlink)
    for name, (mode, _) in list(listed.items()):
        if stat.S_ISDIR(mode):  # what a directory's links are, file systems do not agree on
            assert found.pop(name)[0] == listed.pop(name)[0]
    assert listed == found
    groups: dict[int, set[str]] = {}
    for name, inode in inodes.items():
        groups.setdefault(inode, set()).add(name)
    for shared in groups.values():
        assert len({name.partition("/")[2] for name in shared}) == 1, "one place, one inode"
        own = {(tmp_path / "extracted" / name).lstat().st_ino for name in shared}
        assert len(own) == 1


def test_versions_of_a_header_lie_side_by_side(fleet: Path) -> None:
    with kheadersfs.open_archive(fleet) as opened:
        places = sorted(
            (opened.tree.extent(entry.inode)[0], entry.path.partition("/")[2])
            for entry in opened
            if entry.is_file and entry.size
        )
    order = [path for _, path in places]
    runs = [path for path, before in zip(order, ["", *order], strict=False) if path != before]
    assert len(runs) == len(set(runs))


def test_a_further_kernel_costs_what_it_has_that_others_have_not(
    archives: list[Path], tmp_path: Path
) -> None:
    """Nineteen more names of each file: some bytes each, in the archive as in its index."""
    many = [f"{number:02}-long-name={archives[0]}" for number in range(20)]
    sizes = [merge(tmp_path / "fleet.tar.xz", *many[:count]).stat().st_size for count in (1, 2, 20)]
    assert sizes[2] - sizes[1] < 18 * 5 * HEADERS
    assert kernels_in(tmp_path / "fleet.tar.xz")[19][1] == RELEASES[1]


def test_more_kernels_than_files_may_be_opened_are_read_without_rights(tmp_path: Path) -> None:
    """Nothing is said of a right that could not be given up."""
    (tmp_path / "a.h").write_text("int a;\n")
    archive = tmp_path / "one.tar"
    subprocess.run(["tar", "-cf", archive, "-C", tmp_path, "a.h"], check=True)
    count = restrictions.OPEN_FILES + 10
    merged = merge(tmp_path / "fleet.tar.zst", *(f"{n:03}={archive}" for n in range(count)))
    assert len(kernels_in(merged)) == count


def test_a_kernel_is_added_and_taken_out_without_the_others_archives(
    fleet: Path, archives: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "fleet.tar.xz"
    merge(output, *archives[:2])
    before = output.read_bytes()
    merge(output, output, archives[2])
    assert kernels_in(output) == kernels_in(fleet)
    assert run_command("verify", output).status == 0
    assert output.read_bytes() == fleet.read_bytes(), "whatever was merged when"
    merge(output, output, "--without", RELEASES[2])
    assert output.read_bytes() == before
    merge(output, output, f"new={archives[2]}", "--without", "6.1.0-*")
    assert [name for name, _, _ in kernels_in(output)] == [b"new"]


def test_repack_keeps_the_kernels(fleet: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar.zst"
    assert run_command("repack", fleet, again) == Outcome(0, "", "")
    assert kernels_in(again) == kernels_in(fleet)
    assert run_command("verify", again).status == 0


def test_a_broken_index_is_passed_over_and_tar_is_read(fleet: Path, tmp_path: Path) -> None:
    content = bytearray(fleet.read_bytes())
    footer = content.rindex(b"KHDRidx\n")
    content[footer + 8] = 99
    broken = tmp_path / "broken.tar.xz"
    broken.write_bytes(content)
    outcome = run_command("verify", broken)
    assert outcome.status == 13
    assert run_command("cat", broken, f"{RELEASES[0]}/include/generated/autoconf.h").status in (
        0,
        13,
    )


@pytest.mark.parametrize(
    ("make_words", "status", "message"),
    [
        (lambda a: [a[0], a[0]], 2, "give one of them another name"),
        (lambda a: [a[0], f"{RELEASES[1]}={a[1]}"], 2, "give one of them another name"),
        (lambda a: [a[0], "--without", "9.*"], 16, f"there are {RELEASES[1]}"),
        (lambda a: [a[0], a[0].parent / "arm.tar.xz"], 2, "several architectures"),
        (lambda a: [a[0], a[0].parent / "nameless.tar.xz"], 2, "NAME="),
        (lambda a: [a[0], a[0].parent / "cut.tar.xz"], 13, "cut.tar.xz"),
    ],
)
def test_bad_input_leaves_out_as_it_was(
    make_words: object, status: int, message: str, archives: list[Path], tmp_path: Path
) -> None:
    directory = archives[0].parent
    for name, text in (("arm", "#define CONFIG_ARM64 1\n"), ("nameless", None)):
        generated = tmp_path / name / "include/generated"
        generated.mkdir(parents=True)
        (generated / "a.h").touch()
        if text is not None:
            (generated / "autoconf.h").write_text(text)
            (generated / "utsrelease.h").write_text('#define UTS_RELEASE "6.9-arm"\n')
        archive = directory / f"{name}.tar.xz"
        subprocess.run(["tar", "-cJf", archive, "-C", tmp_path / name, "."], check=True)
    (directory / "cut.tar.xz").write_bytes(archives[2].read_bytes()[:-2000])
    output = tmp_path / "out.tar.xz"
    output.write_bytes(b"as it was")
    assert callable(make_words)
    outcome = run_command("merge", *make_words(archives), "-o", output)
    assert outcome.status == status, outcome
    assert message in one_line(outcome)
    assert output.read_bytes() == b"as it was"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_fleet_keeps_its_names(fleet: Path, tmp_path: Path) -> None:
    outcome = run_command("merge", f"name={fleet}", "-o", tmp_path / "out.tar.xz")
    assert (outcome.status, "several kernels already" in one_line(outcome)) == (2, True)


def test_headers_of_further_names_are_sound_tar(fleet: Path) -> None:
    """Checksums are right, and what pads them is where nobody looks."""
    with tarfile.open(fleet) as tar:
        links = [member for member in tar if member.islnk()]
    assert len(links) > HEADERS
    assert all(link.name.startswith(tuple(f"./{r}/" for r in RELEASES)) for link in links)


@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "\udcff"])
def test_a_name_with_anything_in_it_hides_no_other_kernel(
    name: str, archives: list[Path], tmp_path: Path
) -> None:
    merged = merge(tmp_path / "out.tar.zst", f"{name}={archives[0]}", f"plain={archives[1]}")
    for wanted, archive in ((name, archives[0]), ("plain", archives[1])):
        release = archive.name.removesuffix(".tar.xz")
        outcome = run_command("cat", "--release", wanted, merged, "include/generated/utsrelease.h")
        assert outcome == Outcome(0, f'#define UTS_RELEASE "{release}"\n', "")

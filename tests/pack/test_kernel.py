"""A real kernel's headers, packed: the kernel's own selection, and the same C for compilers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kheadersfs.kernel.trees import find_kernel_tree
from kheadersfs.pack.comments import strip, strip_as_kernel
from kheadersfs.pack.selection import read_header, select, select_listed
from tests.conftest import set_up
from tests.pack.conftest import Packed, pack
from tests.support import golden, kernel
from tests.support.tokens import raw_tokens

EVERY_HEADER = os.environ.get("KHEADERSFS_EVERY_HEADER") == "1"
"""Whether to compare all tokens of all headers, which takes a minute, or those of every tenth."""
BATCH = 100
LARGEST_RATIO = 1.05

# 25 programs for eBPF, and 25 units of the kernel itself whose headers are all in the archive.
UNITS = {
    "samples/bpf": (
        *("cpustat_kern", "hbm_edt_kern", "hbm_out_kern", "lathist_kern", "lwt_len_hist_kern"),
        *("map_perf_test_kern", "offwaketime_kern", "parse_simple", "parse_varlen"),
        *("sampleip_kern", "sockex1_kern", "sockex2_kern", "sockex3_kern", "spintest_kern"),
        *("tc_l2_redirect_kern", "tcbpf1_kern", "tcp_clamp_kern", "xdp2_kern", "tracex1_kern"),
        *("test_overhead_tp_kern", "trace_event_kern", "tracex4_kern", "xdp1_kern"),
        *("xdp_fwd_kern", "xdp_tx_iptunnel_kern"),
    ),
    "block": ("badblocks", "bio-integrity"),
    "crypto": ("aes_generic", "sha256_generic"),
    "ipc": ("msgutil",),
    "kernel": ("async", "cpu_pm", "cred", "kcmp", "notifier", "pid", "range", "seccomp", "sys"),
    "lib": ("bitmap", "cpumask", "idr", "kobject", "list_sort", "rhashtable", "xarray", "uuid"),
    "mm": ("dmapool", "mempool", "oom_kill"),
}
INCLUDED = (
    *("arch/x86/include", "arch/x86/include/generated", "include", "arch/x86/include/uapi"),
    *("arch/x86/include/generated/uapi", "include/uapi", "include/generated/uapi"),
)
BPF_INCLUDED = ("tools/lib", "tools/testing/selftests/bpf")
INCLUDED_FIRST = ("compiler-version.h", "kconfig.h", "compiler_types.h")
# What kernel/Makefile runs since 6.17, in the object tree, to list headers for the script.
LIST_SOURCES = """for d in include arch/x86/include; do
    find "$srctree/$d" -path "$srctree/$d/generated" -prune -o -name "*.h" -print
done"""
LIST_GENERATED = """for d in include arch/x86/include; do
    find "$d/generated" ! -path include/generated/utsversion.h -a -name "*.h" -print
done"""


@pytest.fixture(scope="module", params=["in-tree", "O="])
def packed_as_kernel(
    request: pytest.FixtureRequest,
    kernel_trees: kernel.Trees,
    tmp_path_factory: pytest.TempPathFactory,
) -> Packed:
    """A kernel's headers without comments as its own script leaves them."""
    directory = tmp_path_factory.mktemp("kernel")
    built = kernel_trees.in_tree if request.param == "in-tree" else kernel_trees.objtree
    option = "--srctree" if request.param == "in-tree" else "--objtree"
    packed = Packed(directory / "kheaders.tar.xz", directory / "tree", built / kernel.ARCHIVE)
    pack(option, built, "--comments", "kernel", "-o", packed.archive)
    golden.extract_with_tar(packed.archive, packed.tree)
    return packed


def members(archive: Path) -> dict[str, tuple[bytes, int, str, bytes]]:
    """Return type, permissions, target and content of every member of *archive* by its name."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            found[member.name] = (
                member.type,
                0o777 if member.issym() else member.mode,
                member.linkname,
                content.read() if content is not None and member.isreg() else b"",
            )
        assert len(found) == len(tar.getnames())
    return found


def test_members_and_bytes_are_those_of_the_kernels_own_script(packed_as_kernel: Packed) -> None:
    ours, kernels = members(packed_as_kernel.archive), members(packed_as_kernel.kernels)
    assert sorted(ours) == sorted(kernels)
    assert [name for name in ours if ours[name] != kernels[name]] == []
    assert len(ours) > 5000


def test_the_makefiles_lists_since_6_17_name_the_headers_that_are_selected(
    kernel_trees: kernel.Trees,
) -> None:
    for objtree, srctree in (
        (kernel_trees.in_tree, "."),
        (kernel_trees.objtree, str(kernel_trees.source)),
    ):
        sources, generated = (
            subprocess.run(
                ["/bin/sh", "-c", script],
                check=True,
                cwd=objtree,
                env={**os.environ, "srctree": srctree},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            ).stdout
            for script in (LIST_SOURCES, LIST_GENERATED)
        )
        with contextlib.chdir(objtree):
            listed = select_listed(srctree.encode(), sources, b".", generated)
            tree = find_kernel_tree(srctree, ".", None)
            for lists in (False, True):
                assert select(tree._replace(lists=lists)) == listed
        assert len(listed) > 5000


def test_by_default_only_comments_are_others_than_in_the_kernels_archive(packed: Packed) -> None:
    ours, kernels = members(packed.archive), members(packed.kernels)
    assert {name: rest for name, (*rest, _) in ours.items()} == {
        name: rest for name, (*rest, _) in kernels.items()
    }
    # Without the newlines that it leaves, no header is larger than the kernel's.
    larger = [
        name
        for name in ours
        if len(ours[name][3].replace(b"\n", b"")) > 1.02 * len(kernels[name][3].replace(b"\n", b""))
    ]
    assert larger == []


def test_the_archive_is_hardly_larger_than_the_kernels_own(packed: Packed) -> None:
    assert packed.archive.stat().st_size <= LARGEST_RATIO * packed.kernels.stat().st_size


def test_every_statement_of_a_licence_stays(kernel_trees: kernel.Trees, packed: Packed) -> None:
    for path in packed.tree.glob("include/linux/*.h"):
        original = kernel_trees.in_tree / path.relative_to(packed.tree)
        statements = re.findall(rb"SPDX[^\n]*", original.read_bytes())
        assert re.findall(rb"SPDX[^\n]*", path.read_bytes()) == statements


@pytest.fixture
def clang() -> None:
    if shutil.which("clang") is None:
        pytest.skip("not installed: clang")


def test_every_header_has_the_same_tokens_on_the_same_lines(
    clang: None, kernel_trees: kernel.Trees, tmp_path: Path
) -> None:
    headers = select(find_kernel_tree(str(kernel_trees.in_tree), None, None))
    texts = [read_header(header) for header in headers.values() if header.target is None]
    if not EVERY_HEADER:
        texts = texts[::10]
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        before = raw_tokens(batch, tmp_path)
        after = raw_tokens([strip(text) for text in batch], tmp_path)
        for text, expected, actual in zip(batch, before, after, strict=True):
            assert actual == expected, text[:1000]


def preprocess(unit: Path, tree: Path, generated: Path) -> bytes:
    """Return *unit* preprocessed with the headers in *tree*, white space within lines made equal.

    It says of every line where it comes from. *generated* is searched last.
    """
    resources = subprocess.run(
        ["clang", "-print-resource-dir"], check=True, capture_output=True, text=True
    ).stdout.strip()
    done = subprocess.run(
        [
            *("clang", "-E", "-x", "c", "-std=gnu11", "-nostdinc", "-isystem"),
            *(f"{resources}/include", "-D__KERNEL__", "-D__BPF_TRACING__", "-D__TARGET_ARCH_x86"),
            *(f"-I{directory}" for directory in INCLUDED),
            *(word for name in INCLUDED_FIRST for word in ("-include", f"include/linux/{name}")),
            *("-DKBUILD_MODNAME=KBUILD_STR(unit)", "-DKBUILD_BASENAME=KBUILD_STR(unit)"),
            *(f"-I{unit.parents[2]}/{directory}" for directory in BPF_INCLUDED),
            *(f"-I{generated}", unit),
        ],
        check=True,
        cwd=tree,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    return b"\n".join(b" ".join(line.split()) for line in done.stdout.splitlines())


def test_programs_and_kernel_code_are_preprocessed_to_the_same(
    clang: None, kernel_trees: kernel.Trees, packed: Packed, tmp_path: Path
) -> None:
    # libbpf's makefile would write this one; what is in it does not matter here.
    (tmp_path / "bpf_helper_defs.h").touch()

    def compare(name: str) -> str:
        unit = kernel_trees.source / name
        original = preprocess(unit, kernel_trees.in_tree, tmp_path)
        assert original.count(b"\n") > 1000, name
        return "" if preprocess(unit, packed.tree, tmp_path) == original else name

    units = [f"{directory}/{name}.c" for directory, names in UNITS.items() for name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        different = [name for name in pool.map(compare, units) if name]
    assert different == []
    assert len(units) == 50


def test_the_kernels_way_is_not_good_enough_for_that(kernel_trees: kernel.Trees) -> None:
    """Why --comments strip is the default: the kernel's own script breaks string literals."""
    text = (kernel_trees.source / "arch/x86/include/asm/asm.h").read_bytes()
    in_a_string = b"/* output condition code "
    assert in_a_string in text
    assert in_a_string in strip(text)
    assert in_a_string not in strip_as_kernel(text)


def test_a_distributions_packages_are_packed_with_what_is_in_both(tmp_path: Path) -> None:
    sources = set_up("download_headers", "no packages of kernel headers")
    [objtree] = [path.parents[2] for path in sources.glob("*/include/generated/autoconf.h")]
    srctree = objtree.with_name(objtree.name.rpartition("-")[0] + "-common")
    archive = tmp_path / "kheaders.tar.xz"
    pack("--srctree", srctree, "--objtree", objtree, "-o", archive)
    expected = {
        str(path.relative_to(tree))
        for tree in (srctree, objtree)
        for top in ("include", "arch/x86/include")
        for path in (tree / top).rglob("*.h")
    } - {"include/generated/utsversion.h"}
    packed_files = {name[2:] for name, (kind, *_) in members(archive).items() if kind != b"5"}
    assert packed_files == expected
    release = objtree.name.removeprefix("linux-headers-")
    assert (
        f'UTS_RELEASE "{release}"'.encode()
        in members(archive)["./include/generated/utsrelease.h"][3]
    )

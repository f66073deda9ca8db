"""What every test can ask for: real archives, real mounts, and a machine that permits them.

A test that cannot run is skipped with the reason. With KHEADERSFS_REQUIRE_ALL=1, as continuous
integration has it, a skip is a failure, unless its reason begins with ``kernel:``, because what
a kernel does not permit no package can mend.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from tests.support import golden, synthetic
from tests.support.mounting import Mount, Outcome, run_command
from tests.support.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    Prepare = Callable[[Path], Mount]
    """What the fixture prepared_mount gives: a mount of an archive that the test makes itself."""

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIRE_ALL = os.environ.get("KHEADERSFS_REQUIRE_ALL") == "1"
KERNEL = "kernel:"
"""How the reason of a skip begins that is all right everywhere."""

# Whoever starts the tests with nohup, or in the background, has them ignore these, and so would the
# processes that they start and interrupt.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

# A busy machine is slow at times, and the same commit is to give the same result.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not REQUIRE_ALL or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(KERNEL):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here, but this is: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report


def set_up(command: str, lacking: str = "no archive of kernel headers") -> Path:
    """Return the path that a function of tools/setup prints, or skip, saying what is *lacking*."""
    found = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; source tools/setup; {command}"],
        cwd=REPOSITORY,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if found.returncode != 0:
        pytest.skip(f"{lacking}: {found.stderr.strip()}")
    return Path(found.stdout.strip())


@pytest.fixture(scope="session")
def reference_archive() -> Path:
    """A real kernel's headers as its own script packs them: one .tar.xz of a single block."""
    return set_up("find_test_archive")


@pytest.fixture(scope="session")
def packed_zstd(reference_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference archive repacked: .tar.zst in blocks, with an index."""
    packed: Path = tmp_path_factory.mktemp("packed") / "packed.tar.zst"
    assert run_command("repack", reference_archive, packed) == Outcome(0, "", "")
    return packed


@pytest.fixture(scope="session")
def newer_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The headers of a 6.12 kernel for x86, which gcc built. Not to be changed."""
    if os.uname().machine != "x86_64":
        pytest.skip("kernel: the distribution's packages for this machine are not for x86")
    tree = tmp_path_factory.mktemp("newer") / "tree"
    golden.extract_with_tar(set_up("find_series_archive 6.12"), tree)
    return tree


@pytest.fixture(scope="session")
def reference_tree(reference_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GNU tar extracts from the reference archive. Not to be changed."""
    tree = tmp_path_factory.mktemp("reference") / "tree"
    golden.extract_with_tar(reference_archive, tree)
    return tree


@pytest.fixture(scope="session")
def reference_description(reference_tree: Path) -> golden.Description:
    """Every name of the reference tree with its attributes and a digest of its content."""
    return golden.describe(reference_tree)


@pytest.fixture(scope="session")
def synthetic_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tree with everything awkward in it. Not to be changed."""
    tree = tmp_path_factory.mktemp("synthetic") / "tree"
    synthetic.make_tree(tree)
    return tree


@pytest.fixture(scope="session")
def small_archive(synthetic_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic tree as .tar.xz, for tests to which the content does not matter."""
    if missing := synthetic.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    archive = tmp_path_factory.mktemp("small") / "small.tar.xz"
    plain = archive.with_suffix("")
    form = next(form for form in synthetic.FORMS if form.name == "pax")
    synthetic.write_archive(form, synthetic_tree, plain)
    archive.write_bytes(synthetic.COMPRESSIONS["xz"](plain.read_bytes()))
    plain.unlink()
    return archive


class Mounting(Protocol):
    """Mounts an archive with options of the mount command; it is unmounted after the test."""

    def __call__(self, archive: Path, *options: str | Path) -> Mount: ...


@pytest.fixture
def fuse() -> None:
    """Skip where nothing can be mounted."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("kernel: there is no /dev/fuse")
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        pytest.skip("not installed: fusermount3")


@pytest.fixture
def prepared_mount(tmp_path: Path, fuse: None) -> Iterator[Callable[[Path], Mount]]:
    """Prepare mounts that a test makes and takes away itself; what it leaves is cleaned up."""
    with ExitStack() as cleaning:

        def prepare(archive: Path) -> Mount:
            directory = tmp_path / f"mount-{len(list(tmp_path.glob('mount-*')))}"
            directory.mkdir()
            mount = Mount(archive, directory)
            cleaning.callback(mount.clean_up)
            return mount

        yield prepare


@pytest.fixture
def mount(prepared_mount: Callable[[Path], Mount]) -> Iterator[Mounting]:
    """Mount for real; at the end unmount, and check that nothing is left and nothing was logged."""
    mounts: list[Mount] = []

    def make(archive: Path, *options: str | Path) -> Mount:
        made = prepared_mount(archive)
        made.mount(*options)
        mounts.append(made)
        return made

    yield make
    for made in mounts:
        made.unmount()
        made.check_nothing_left()


@pytest.fixture
def root() -> None:
    """Skip what only root may do."""
    if os.geteuid() != 0:
        pytest.skip("only root may do this")


@pytest.fixture
def cold(root: None) -> None:
    """Skip where the kernel's caches cannot be dropped."""
    if not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        pytest.skip("kernel: its caches cannot be dropped from here")


@pytest.fixture(scope="session")
def ebpf_toolchain() -> None:
    """Skip where no eBPF program can be compiled."""
    if missing := [tool for tool in ("clang", "opt", "llc") if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(params=["minisign", "ssh-keygen"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Signer:
    """One who signs archives, with each of the tools."""
    tool: str = request.param
    if shutil.which(tool) is None:
        pytest.skip(f"not installed: {tool}")
    return Signer(tool, tmp_path / "keys")

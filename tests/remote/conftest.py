"""A cache of the test's own, packed archives, and an honest server of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import Mount, run_command
from tests.support.servers import Nginx, nginx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which everything that is fetched is kept, and nothing is yet."""
    place = tmp_path / "cache"
    monkeypatch.setenv("KHEADERSFS_CACHE", str(place))
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "absent"))
    return place


@pytest.fixture(scope="session")
def part(reference_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred of the reference's headers, in one block."""
    archive = tmp_path_factory.mktemp("part") / "part.tar.xz"
    patterns = ("include/generated", "include/linux/[a-c]*.h", "include/linux/[k-n]*.h")
    names = [
        str(path.relative_to(reference_tree))
        for pattern in patterns
        for path in sorted(reference_tree.glob(pattern))
    ]
    subprocess.run(["tar", "-cJf", archive, "-C", reference_tree, *names], check=True)
    return archive


@pytest.fixture(scope="session")
def packed(part: Path) -> Path:
    """The same, packed."""
    archive = part.with_name("packed.tar.xz")
    assert run_command("repack", part, "-o", archive).status == 0
    return archive


@pytest.fixture
def web(tmp_path: Path, packed: Path) -> Iterator[Nginx]:
    """An nginx that serves the packed archive as ``packed.tar.xz``."""
    place = tmp_path / "web"
    place.mkdir()
    with nginx(place) as server:
        (server.files / packed.name).write_bytes(packed.read_bytes())
        yield server


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that nobody else vouches for, with its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("not installed: openssl")
    place = tmp_path / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    words += ["/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", *words, "-keyout", place, "-out", tmp_path / "public.pem"],
        check=True,
        capture_output=True,
    )
    place.write_bytes(place.read_bytes() + (tmp_path / "public.pem").read_bytes())
    return place


@pytest.fixture
def secure_web(tmp_path: Path, packed: Path, certificate: Path) -> Iterator[Nginx]:
    """An nginx with that certificate that serves the packed archive as ``k``."""
    place = tmp_path / "secure"
    place.mkdir()
    settings = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    with nginx(place, settings, tls="on") as server:
        shutil.copyfile(packed, server.files / "k")
        yield server


@pytest.fixture
def mount_address(fuse: None, tmp_path: Path) -> Iterator[Callable[..., Mount]]:
    """Mounts an address; at the end it is unmounted."""
    mounts: list[Mount] = []

    def make(address: str, *options: str) -> Mount:
        directory = tmp_path / f"mount{len(mounts)}"
        directory.mkdir()
        made = Mount(Path("/"), directory)
        outcome = run_command("mount", "--log", made.log, *options, address, made.path)
        assert (outcome.status, outcome.output) == (0, ""), outcome
        mounts.append(made)
        return made

    yield make
    for made in mounts:
        assert run_command("umount", made.path).status == 0

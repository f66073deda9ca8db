"""Archives in S3, as moto's server speaks it, and nginx behind a certificate of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.reader import open_archive
from tests.conftest import set_up
from tests.support.mounting import Mount, one_line, run_command
from tests.support.processes import processes_mentioning
from tests.support.servers import free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Nginx

HEADER = "include/linux/mm.h"
_PUT = """
import boto3, sys
client = boto3.client("s3")
client.create_bucket(Bucket="kernels")
client.upload_file(sys.argv[1], "kernels", "headers/6.1.tar.xz")
"""
ADDRESS = "s3://kernels/headers/6.1.tar.xz"


class Storage(NamedTuple):
    """A running server of S3; ``python`` has a client."""

    python: Path
    log: Path

    def put(self, file: Path) -> None:
        subprocess.run([self.python, "-c", _PUT, file], check=True, capture_output=True)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """moto's server, to which the environment leads."""
    server = set_up("find_moto", "not installed: moto")
    port = free_port()
    place = tmp_path / "storage"
    place.mkdir()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
        ("AWS_ACCESS_KEY_ID", "the-key"),
        ("AWS_SECRET_ACCESS_KEY", "the-secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    with running([str(server), "-p", str(port)], port, place):
        yield Storage(server.with_name("python"), place / "output")


def test_an_object_is_mounted_and_nothing_secret_is_shown(
    storage: Storage, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    storage.put(packed)
    mounted = mount_address(ADDRESS)
    with open_archive(packed) as opened:
        assert (mounted / HEADER).read_bytes() == opened.read(HEADER)
    # The guardian, the server and what fetches for it: others have words of their own.
    mine = processes_mentioning(os.fsencode(mounted.path))
    assert len(mine) == 3, mine
    shown = b" ".join(word for words in mine.values() for word in words).decode()
    status = str(mounted.status())
    assert ADDRESS in shown
    assert ADDRESS in status
    assert "the-secret" not in shown + status + mounted.log.read_text()
    assert "Signature" not in shown + status
    assert "X-Amz-Signature" in storage.log.read_text()


def test_an_object_that_is_not_there_is_named(storage: Storage, packed: Path) -> None:
    storage.put(packed)
    absent = run_command("ls", "s3://kernels/absent.tar.xz")
    assert (absent.status, "there is no such file" in one_line(absent)) == (11, True)


def test_a_certificate_is_checked_with_the_authorities_that_are_named(
    tmp_path: Path, packed: Path, secure_web: Nginx
) -> None:
    address = f"{secure_web.address}/k"
    trusted = run_command("cat", address, HEADER, SSL_CERT_FILE=str(tmp_path / "public.pem"))
    with open_archive(packed) as opened:
        assert trusted.output.encode() == opened.read(HEADER)
    shutil.rmtree(os.environ["KHEADERSFS_CACHE"])
    refused = run_command("cat", address, HEADER)
    assert (refused.status, "certificate" in one_line(refused).lower()) == (11, True)


def test_authorities_may_be_in_a_directory(
    tmp_path: Path, packed: Path, secure_web: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL looks into it when it meets a certificate, and nothing can be opened then."""
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    shutil.copyfile(tmp_path / "public.pem", authorities / "ours.pem")
    (authorities / "no certificate").write_text("but a file")
    subprocess.run(["openssl", "rehash", authorities], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SSL_CERT_DIR", str(authorities))
    found = run_command("cat", f"{secure_web.address}/k", HEADER)
    with open_archive(packed) as opened:
        assert (found.output.encode(), found.errors) == (opened.read(HEADER), "")

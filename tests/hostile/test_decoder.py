"""The process that decodes for a server that is not ready: what it may do, and what ends it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS, is_running, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("kernel_restricts")

SEED = 7
# The server is a process of its own: who has started a decoder waits for no child any more.
BEGIN = """
import json, os, signal, sys, time
from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import prepare_to_serve
from kheadersfs.fuse.decoder import Decoder
archive = open_archive(sys.argv[1].encode())
device = os.open("/dev/null", os.O_RDWR)
decoder = Decoder(archive, 0)
def status():
    with open(f"/proc/{decoder.pid}/status") as lines:
        return dict(line.rstrip("\\n").split(":\\t", 1) for line in lines if ":\\t" in line)
def await_its_restrictions():
    # Nobody reads the pipe, so it cannot come to its end.
    while status()["Seccomp"] != "2":
        time.sleep(0.001)
def say(answer):
    print(json.dumps(answer))
"""


def ask_server(script: str, archive: Path) -> Any:
    """Return what *script* says in a server that has started a decoder for *archive*."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, archive],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=HANGS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of more than goes into the pipe and the decoder's memory."""
    top = tmp_path_factory.mktemp("decoded")
    (top / "large").write_bytes(random.Random(SEED).randbytes(100_000) * 400)
    subprocess.run(["tar", "-cf", top / "large.tar", "-C", top, "large"], check=True)
    subprocess.run(["xz", "-0", "--threads=1", top / "large.tar"], check=True)
    return top / "large.tar.xz"


def test_it_has_no_rights_left_when_it_decodes(archive: Path) -> None:
    found = ask_server("await_its_restrictions(); say(status())", archive)
    assert found["NoNewPrivs"] == "1"
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(found[capabilities], 16) == 0
    if os.geteuid() == 0:
        assert set(found["Uid"].split()) == {"65534"}
        assert found["Groups"].strip() == ""


def test_it_has_nothing_open_but_the_archive_and_the_pipe(archive: Path) -> None:
    """Had it /dev/fuse open, the mount would not end with its server."""
    script = """
await_its_restrictions()
folder = f"/proc/{decoder.pid}/fd"
say([os.readlink(f"{folder}/{number}") for number in os.listdir(folder)])
"""
    if os.geteuid() != 0:
        pytest.skip("only root may look at what a process like that has open")
    found = ask_server(script, archive)
    others = [place for place in found if place not in ("/dev/null", str(archive))]
    assert len(others) == 1
    assert others[0].startswith("pipe:")


def test_nothing_is_left_of_it_when_its_server_has_dismissed_it(archive: Path) -> None:
    script = """
await_its_restrictions()
decoder.dismiss()
say(os.path.exists(f"/proc/{decoder.pid}"))
"""
    assert ask_server(script, archive) is False


def test_it_ends_with_its_server(archive: Path) -> None:
    script = """
await_its_restrictions()
print(decoder.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, archive],
        check=False,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    wait_until(lambda: not is_running(pid), "the decoder ended")


READ = """
from kheadersfs.archive import onepass
content = prepare_to_serve(archive, decoder.stream()).load()
def digest():
    import hashlib
    sums = hashlib.sha256()
    for number in range(len(content.blocks)):
        sums.update(content.blocks.decode(number))
    return sums.hexdigest()
"""


def digest_of_large(archive: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", 'tar -xJOf "$1" large | sha256sum', "sh", archive],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()[0]


def test_a_server_reads_what_it_has_decoded(archive: Path) -> None:
    script = f"from kheadersfs.archive import onepass; onepass.open_stream = None\n{READ}"
    assert ask_server(f"{script}say(digest())", archive) == digest_of_large(archive)


def test_a_server_decodes_by_itself_when_it_has_been_killed(archive: Path) -> None:
    script = f"await_its_restrictions(); os.kill(decoder.pid, signal.SIGKILL)\n{READ}"
    assert ask_server(f"{script}say(digest())", archive) == digest_of_large(archive)


@pytest.mark.parametrize("tenths", [0, 1, 5, 9])
def test_damage_is_the_same_error_as_without_it(archive: Path, tenths: int, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[100 + len(content) * tenths // 10] ^= 0x40
    damaged = tmp_path / "damaged.tar.xz"
    damaged.write_bytes(content)
    script = """
from kheadersfs.errors import KheadersfsError
def failure(stream):
    try:
        prepare_to_serve(archive, stream).load()
    except KheadersfsError as error:
        return [type(error).__name__, str(error)]
say([failure(decoder.stream()), failure(None)])
"""
    with_it, without = ask_server(script, damaged)
    assert with_it == without
    assert with_it[1].startswith(f"{damaged}: ")


def test_it_is_of_use_only_where_all_has_to_be_decoded_in_one_go(
    archive: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.tar"
    with plain.open("wb") as output:
        subprocess.run(["xz", "-dc", archive], check=True, stdout=output)
    several = tmp_path / "several.tar.xz"
    with several.open("wb") as output:
        subprocess.run(["xz", "-0c", "--block-size=1MiB", plain], check=True, stdout=output)
    compressed = tmp_path / "plain.tar.gz"
    with compressed.open("wb") as output:
        subprocess.run(["gzip", "-1c", plain], check=True, stdout=output)
    script = """
from kheadersfs.fuse.decoder import is_of_use
say([is_of_use(open_archive(name.encode())) for name in sys.argv[1:]])
"""
    done = subprocess.run(
        [
            *(sys.executable, "-c", BEGIN.replace("decoder = Decoder(archive, 0)", "") + script),
            *(archive, compressed, several, plain),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert json.loads(done.stdout) == [True, True, False, False]

"""Archives at addresses that must have been signed: the signature is fetched from beside them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import one_line, run_command
from tests.support.registries import registry_in
from tests.support.signing import Signer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Nginx

pytestmark = pytest.mark.usefixtures("fuse")


def test_an_archive_is_accepted_with_its_signature_only(
    web: Nginx, packed: Path, signer: Signer
) -> None:
    address = f"{web.address}/{packed.name}"
    words = ("run", "--verify-key", signer.public, "--archive", address, "--", "true")
    absent = run_command(*words)
    assert (absent.status, "there is no signature to check" in one_line(absent)) == (14, True)
    signature = signer.sign(web.files / packed.name)
    accepted = run_command(*words)
    assert (accepted.status, accepted.errors) == (0, "")
    (web.files / "other").write_bytes(packed.read_bytes() + bytes(4))
    signature.replace(web.files / f"other{signature.suffix}")
    words = ("run", "--verify-key", signer.public, "--archive", f"{web.address}/other", "--", "ls")
    other = run_command(*words)
    assert other.status == 14
    assert f"{web.address}/other{signature.suffix} is not its signature" in one_line(other)


def test_in_a_registry_a_digest_says_which_archive_is_meant(tmp_path: Path, packed: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("not installed: ssh-keygen")
    key = Signer("ssh-keygen", tmp_path / "keys").public
    with registry_in(tmp_path / "registry") as registry:
        address = registry.push("kernels/headers:6.1", packed)
        outcome = run_command("run", "--verify-key", key, "--archive", address, "--", "true")
    assert (outcome.status, "name the archive by its digest" in one_line(outcome)) == (2, True)

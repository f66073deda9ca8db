"""The manifests of tools/kubernetes: valid, and the commands in them do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS, run_command, wait_until
from tests.support.registries import install_oras, registry_in

if TYPE_CHECKING:
    from tests.support.servers import Nginx

MANIFESTS = sorted((REPOSITORY / "tools/kubernetes").glob("*.yaml"))
PROGRAMS = Path(sys.executable).parent


def container_of(name: str) -> dict[str, Any]:
    """Return the one container of the manifest *name*."""
    manifest = yaml.safe_load((REPOSITORY / "tools/kubernetes" / name).read_text())
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


@pytest.mark.parametrize("manifest", MANIFESTS, ids=[path.name for path in MANIFESTS])
def test_a_manifest_is_valid(manifest: Path) -> None:
    command = [str(PROGRAMS / "kubernetes-validate"), "--strict", str(manifest)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_of_the_daemon_set_mount_and_unmount(
    web: Nginx, packed: Path, tmp_path: Path, root: None, fuse: None
) -> None:
    container = container_of("daemonset.yaml")
    place = tmp_path / "kheaders"
    script = container["args"][0].replace("/run/kheaders", str(place))
    script = script.replace("/sys/kernel/kheaders.tar.xz", str(tmp_path / "absent"))
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "ARCHIVE": f"{web.address}/{packed.name}",
    }
    with (tmp_path / "output").open("wb") as output:
        server = subprocess.Popen(
            [*container["command"], script], env=environment, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: (place / "include/linux/mm.h").is_file(), "the headers are mounted")
        stop = container["lifecycle"]["preStop"]["exec"]["command"]
        words = [word.replace("/run/kheaders", str(place)) for word in stop[1:]]
        assert run_command(*words).status == 0
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


def test_the_commands_of_the_job_merge_two_addresses_and_push_to_a_registry(
    packed: Path, part: Path, tmp_path: Path
) -> None:
    container = container_of("merge-job.yaml")
    install_oras(tmp_path)
    with registry_in(tmp_path / "registry") as registry:
        environment = {
            **os.environ,
            **{variable["name"]: variable["value"] for variable in container["env"]},
            "PATH": f"{PROGRAMS}:{tmp_path}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
            "DOCKER_CONFIG": str(tmp_path),
            "OLD": registry.push("kernels/headers:6.1", packed),
            "NEW": registry.push("kernels/headers:6.12", part),
            "FLEET": f"{registry.host}/kernels/headers:fleet",
        }
        command = [*container["command"], *container["args"]]
        subprocess.run(command, check=True, env=environment, timeout=HANGS)
        for name in ("6.1", "6.12"):
            words = ("ls", "--release", name, f"oci://{environment['FLEET']}")
            assert "include/linux/mm.h" in run_command(*words).output.split("\n")

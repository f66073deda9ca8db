"""Archives in a registry: Debian's docker-registry, with what oras has pushed."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from kheadersfs.reader import open_archive
from tests.support.mounting import Mount, one_line, run_command
from tests.support.registries import registry_in
from tests.support.servers import liar, partial, range_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.servers import Nginx

HEADER = "include/linux/mm.h"
USER, PASSWORD = "ci", "a password"
HTPASSWD = "ci:$2b$05$abcdefghijklmnopqrstuu2sM.EEHj4jPcCa5rwqJGg1PNBllkZXy\n"
"""What htpasswd -B writes for these."""


def content_of(archive: Path) -> bytes:
    with open_archive(archive) as opened:
        return opened.read(HEADER)


def test_what_oras_has_pushed_is_mounted_by_its_tag_and_by_its_digest(
    tmp_path: Path, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    with registry_in(tmp_path / "registry") as registry:
        address = registry.push("kernels/headers:6.1", packed)
        mounted = mount_address(address)
        assert (mounted / HEADER).read_bytes() == content_of(packed)
        assert mounted.status()["archive"] == address
        [manifest] = (tmp_path / "registry/storage").rglob("revisions/sha256/*")
        fixed = f"{address.removesuffix(':6.1')}@sha256:{manifest.name}"
        assert run_command("cat", fixed, HEADER).output.encode() == content_of(packed)
    # A digest means one thing for ever, so nobody need be asked.
    offline = run_command("cat", fixed, HEADER)
    assert (offline.output.encode(), offline.errors) == (content_of(packed), "")
    assert "what the cache has of it is used" in run_command("cat", address, HEADER).errors


def test_a_tag_that_moves_is_followed_when_it_is_opened(
    tmp_path: Path, packed: Path, small_archive: Path
) -> None:
    with registry_in(tmp_path / "registry") as registry:
        address = registry.push("kernels/headers:newest", packed)
        assert run_command("cat", address, HEADER).output.encode() == content_of(packed)
        registry.push("kernels/headers:newest", small_archive)
        assert run_command("ls", address).output == run_command("ls", small_archive).output


def test_what_is_no_single_archive_is_said(tmp_path: Path, packed: Path, part: Path) -> None:
    with registry_in(tmp_path / "registry") as registry:
        address = registry.push("kernels/two:1", packed, part)
        outcome = run_command("ls", address)
        assert (outcome.status, "has 2 files" in one_line(outcome)) == (11, True)
        absent = run_command("ls", address.replace("two", "none"))
        assert (absent.status, "there is no such file" in one_line(absent)) == (11, True)
    wrong = run_command("ls", "oci://host/UPPER:tag")
    assert (wrong.status, "give oci://REGISTRY/REPOSITORY:TAG" in one_line(wrong)) == (2, True)


def test_what_docker_login_has_kept_is_used(
    tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "htpasswd"
    passwords.write_text(HTPASSWD)
    more = f"auth: {{htpasswd: {{realm: here, path: {passwords}}}}}"
    place = tmp_path / "registry"
    with registry_in(place) as open_to_all:
        open_to_all.push("kernels/headers:6.1", packed)
    with registry_in(place, more) as registry:
        address = f"oci://{registry.host}/kernels/headers:6.1"
        refused = run_command("ls", address)
        assert (refused.status, "asks for a password" in one_line(refused)) == (11, True)
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        docker = tmp_path / "docker"
        docker.mkdir()
        (docker / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(docker))
        assert run_command("cat", address, HEADER).output.encode() == content_of(packed)


def test_a_token_is_asked_for_where_the_registry_sends_for_one(packed: Path) -> None:
    content = packed.read_bytes()
    layer = {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
    manifest = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
    heads: list[str] = []

    def whole(body: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def answer(head: str, connection: socket.socket) -> None:
        heads.append(head.splitlines()[0])
        realm = f"http://127.0.0.1:{connection.getsockname()[1]}/token"
        if head.startswith("get /token?"):
            connection.sendall(whole(b'{"token": "pass"}'))
        elif "authorization: bearer pass" not in head:
            challenge = f'WWW-Authenticate: Bearer realm="{realm}",service="here",scope="pull it"'
            lines = ("HTTP/1.1 401 No", challenge, "Content-Length: 0", "", "")
            connection.sendall("\r\n".join(lines).encode())
        elif "/manifests/" in head:
            connection.sendall(whole(manifest))
        else:
            start, end = range_of(head, len(content)) or (0, len(content))
            connection.sendall(partial(content, start, end))

    with liar(answer) as address:
        place = address.replace("http:", "oci:") + "/kernels/headers:6.1"
        assert run_command("cat", place, HEADER).output.encode() == content_of(packed)
    assert "get /token?scope=pull+it&service=here http/1.1" in heads


def test_another_server_does_not_say_where_the_password_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent to by the registry, and asks for a token that its own server gives."""
    manifest = json.dumps({"layers": [{"digest": f"sha256:{'0' * 64}", "size": 99}]}).encode()
    heads: list[str] = []

    def elsewhere(head: str, connection: socket.socket) -> None:
        heads.append(head)
        realm = f"http://127.0.0.1:{connection.getsockname()[1]}/token"
        lines = (
            "HTTP/1.1 401 No",
            f'WWW-Authenticate: Bearer realm="{realm}"',
            "Content-Length: 0",
        )
        connection.sendall("\r\n".join((*lines, "", "")).encode())

    with liar(elsewhere) as other:

        def registry(head: str, connection: socket.socket) -> None:
            if "/manifests/" in head:
                said = f"HTTP/1.1 200 OK\r\nContent-Length: {len(manifest)}\r\n\r\n".encode()
                connection.sendall(said + manifest)
            else:
                lines = ("HTTP/1.1 307 There", f"Location: {other}/blob", "Content-Length: 0")
                connection.sendall("\r\n".join((*lines, "", "")).encode())

        with liar(registry) as address:
            host = address.removeprefix("http://")
            auths = {"auths": {host: {"auth": base64.b64encode(b"me:secret").decode()}}}
            (tmp_path / "config.json").write_text(json.dumps(auths))
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            outcome = run_command("ls", f"oci://{host}/kernels/headers:6.1")
    assert (outcome.status, "asks for a password" in one_line(outcome)) == (11, True)
    assert heads and not any("authorization" in head for head in heads)


def test_a_token_is_asked_for_by_tls_with_the_authorities_that_are_named(
    packed: Path, tmp_path: Path, secure_web: Nginx
) -> None:
    (secure_web.files / "token").write_text('{"token": "pass"}')
    layer = {"digest": f"sha256:{hashlib.sha256(packed.read_bytes()).hexdigest()}", "size": 9}
    manifest = json.dumps({"schemaVersion": 2, "layers": [layer, layer]}).encode()

    def answer(head: str, connection: socket.socket) -> None:
        if "authorization: bearer pass" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(manifest))
            connection.sendall(manifest)
        else:
            challenge = f'WWW-Authenticate: Bearer realm="{secure_web.address}/token"'
            lines = ("HTTP/1.1 401 No", challenge, "Content-Length: 0", "", "")
            connection.sendall("\r\n".join(lines).encode())

    with liar(answer) as address:
        place = address.replace("http:", "oci:") + "/kernels/headers:6.1"
        outcome = run_command("ls", place, SSL_CERT_FILE=str(tmp_path / "public.pem"))
    assert "has 2 files" in one_line(outcome)


def test_another_manifest_than_the_digest_names_is_refused(packed: Path) -> None:
    def answer(_head: str, connection: socket.socket) -> None:
        body = b'{"layers": []}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with liar(answer) as address:
        place = f"{address.replace('http:', 'oci:')}/kernels/headers@sha256:{'0' * 64}"
        outcome = run_command("ls", place)
    assert (outcome.status, "another manifest" in one_line(outcome)) == (13, True)

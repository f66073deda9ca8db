"""A file in a registry: the only layer of an OCI artifact, as ``oras push`` makes it.

Source: the OCI distribution specification 1.1 (manifests, blobs) and the token protocol of
distribution/distribution (docs/spec/auth/token.md). A registry names a blob by its SHA-256. It need
not support ranges.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from typing import Any
from urllib.parse import urlencode, urlsplit

from kheadersfs.errors import ArchiveUnavailable, DamagedArchive, UsageError
from kheadersfs.remote.address import is_fixed
from kheadersfs.remote.answers import Version
from kheadersfs.remote.http import Client, Target

_LARGEST_MANIFEST = 4 << 20  # bytes, which the specification asks registries to accept
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TITLE = "org.opencontainers.image.title"
_REFERENCE = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.:\[\]-]+)/(?P<name>[a-z0-9][a-z0-9._/-]*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Blob:
    """The blob that *place* leads to: ``oci://REGISTRY/REPOSITORY:TAG`` or ``...@sha256:DIGITS``.

    *patience* is in seconds. Call resolve() or adopt() before the first request for the blob.
    """

    def __init__(self, place: str, patience: float) -> None:
        """Read the credentials for the registry. Raises UsageError when *place* is no reference."""
        found = _REFERENCE.fullmatch(place)
        if found is None:
            raise UsageError(
                f"{place}: names nothing in a registry; give oci://REGISTRY/REPOSITORY:TAG, or "
                "@sha256: and 64 digits for :TAG"
            )
        self._place = place
        self._host = found["host"]
        self._repository = found["name"]
        self._reference = found["digest"] or found["tag"] or "latest"
        self._blob = ""
        self._authorization: dict[str, str] = {}
        self._credentials = _credentials_of(self._host)
        self._patience = patience
        is_local = self._host.rpartition(":")[0] in _LOOPBACK or self._host in _LOOPBACK
        self._base = f"{'http' if is_local else 'https'}://{self._host}/v2/{self._repository}"

    def adopt(self, digest: str) -> None:
        """Use the blob *digest*, without asking the registry what the reference names."""
        self._blob = digest

    async def target(self, challenge: str) -> Target:
        """Return where to get the blob, with what *challenge* asks for; see http.Client."""
        return await self._authorized(f"{self._base}/blobs/{self._blob}", challenge)

    async def resolve(self) -> Version:
        """Return the version of the blob that the reference names now; its tag is the digest.

        Raises ArchiveUnavailable unless it has one layer, DamagedArchive when the manifest has
        another digest than the reference, and what http.Client.fetch() raises.
        """
        accept = {"Accept": ", ".join(_MANIFESTS)}

        async def manifest_target(challenge: str) -> Target:
            address = f"{self._base}/manifests/{self._reference}"
            target = await self._authorized(address, challenge)
            return Target(target.address, {**target.headers, **accept})

        client = Client(self._place, manifest_target, self._patience)
        answer = await client.fetch("", _LARGEST_MANIFEST, None)
        if is_fixed(self._place):
            actual = hashlib.sha256(answer.content).hexdigest()
            if self._reference != f"sha256:{actual}":
                raise DamagedArchive(
                    f"{self._place}: the registry sends another manifest than the one of that "
                    "digest; ask whoever runs the registry"
                )
        digest, size = self._layer_of(answer.content)
        self._blob = digest
        return Version(size, digest, "")

    def _layer_of(self, manifest: bytes) -> tuple[str, int]:
        """Return digest and size of the only layer of *manifest*. Raises ArchiveUnavailable."""
        try:
            layers: list[dict[str, Any]] = json.loads(manifest)["layers"]
            found = [(str(layer["digest"]), int(layer["size"])) for layer in layers]
            titles = [str(layer.get("annotations", {}).get(_TITLE, "")) for layer in layers]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ArchiveUnavailable(
                f"{self._place}: is no artifact of one file; push one: oras push REFERENCE ARCHIVE"
            ) from None
        if len(found) != 1 or not _DIGEST.fullmatch(found[0][0]) or found[0][1] <= 0:
            raise ArchiveUnavailable(
                f"{self._place}: has {len(found)} files ({', '.join(titles)}), not one archive; "
                "push one alone: oras push REFERENCE ARCHIVE"
            )
        return found[0]

    async def _authorized(self, address: str, challenge: str) -> Target:
        """Return the target *address*, authorized as *challenge* asks (WWW-Authenticate)."""
        if challenge:
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "bearer":
                self._authorization = await self._token(dict(_CHALLENGE.findall(rest)))
            elif self._credentials:
                self._authorization = {"Authorization": f"Basic {self._credentials}"}
        return Target(address, self._authorization)

    async def _token(self, asked: dict[str, str]) -> dict[str, str]:
        """Return the header field with a token. *asked* has the parameters of the challenge.

        Raises ArchiveUnavailable when none is given, and what http.Client.fetch() raises.
        """
        realm = asked.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != "https" and not self._base.startswith("http:"):
            raise ArchiveUnavailable(
                f"{self._place}: the registry names a token server without TLS, which would get "
                "the password; ask whoever runs the registry"
            )
        query = {"scope": asked.get("scope", f"repository:{self._repository}:pull")}
        if "service" in asked:
            query["service"] = asked["service"]
        headers = {"Authorization": f"Basic {self._credentials}"} if self._credentials else {}

        async def token_target(_challenge: str) -> Target:
            return Target(f"{realm}?{urlencode(query)}", headers)

        client = Client(self._place, token_target, self._patience)
        answer = await client.fetch("", _LARGEST_MANIFEST, None)
        try:
            said = json.loads(answer.content)
            token = str(said.get("token") or said["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise ArchiveUnavailable(
                f"{self._place}: the registry gives no token; log in with docker login, and try "
                "again"
            ) from None
        return {"Authorization": f"Bearer {token}"}


def _credentials_of(host: str) -> str:
    """Return USER:PASSWORD for *host* in base64, as docker login stores it; empty if it does not.

    Source: docker-login(1), on config.json and credential helpers.
    """
    directory = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(os.path.join(directory, "config.json"), "rb") as file:
            config = json.load(file)
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        if helper:
            return _ask_helper(str(helper), host)
        return str(config.get("auths", {}).get(host, {}).get("auth", ""))
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return ""


def _ask_helper(helper: str, host: str) -> str:
    """Return USER:PASSWORD in base64 from the program ``docker-credential-HELPER``.

    Raises OSError, ValueError and subprocess.SubprocessError.
    """
    done = subprocess.run(
        [f"docker-credential-{helper}", "get"],
        input=host.encode(),
        capture_output=True,
        check=True,
        timeout=10,
    )
    said = json.loads(done.stdout)
    return base64.b64encode(f"{said['Username']}:{said['Secret']}".encode()).decode()

"""Ranges of a file by HTTP. Each takes one request, and every part of the answer is checked.

Source: RFC 9110 (13: conditional requests, 14: ranges), RFC 9111 (how long an answer is fresh).
"""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpcore
import trio

from kheadersfs.errors import ArchiveUnavailable, DamagedArchive, RefusedArchive
from kheadersfs.remote.connections import Connections
from kheadersfs.remote.protocol import SLOWEST, allowed_seconds
from kheadersfs.remote.settings import LARGEST_WHOLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Tell = Callable[[int], Awaitable[None]]
    """Called with how many bytes of an answer have come."""

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})")
_LONGEST_FRESH = 86_400  # seconds
_AGENT = "kheadersfs"


class Unreachable(ArchiveUnavailable):
    """The server cannot be reached, or cannot answer now. The cache may be used instead."""


class Version(NamedTuple):
    """What tells versions of a file apart: size in bytes, and ETag and Last-Modified, or ""."""

    size: int
    tag: str
    modified: str

    @property
    def condition(self) -> dict[str, str]:
        """Header fields of a request that make the server answer with this version or an error."""
        if self.tag and not self.tag.startswith("W/"):
            return {"If-Match": self.tag}
        return {"If-Unmodified-Since": self.modified} if self.modified else {}


class Answer(NamedTuple):
    """Bytes of a version from ``start`` on; ``fresh_until`` is in seconds since 1970, or 0."""

    content: bytes
    start: int
    version: Version
    fresh_until: float


class Target(NamedTuple):
    """Where to send a request, and header fields that no other host may see."""

    address: str
    headers: dict[str, str]


class Unchanged(Exception):
    """The server says that the file has not changed. ``fresh_until`` is as in Answer."""

    def __init__(self, fresh_until: float) -> None:
        super().__init__()
        self.fresh_until = fresh_until


class Client:
    """Fetches ranges of a file. *name* is for messages, *patience* in seconds.

    *target* is called with "" for each request, and once again with the WWW-Authenticate of a 401.
    """

    def __init__(
        self, name: str, target: Callable[[str], Awaitable[Target]], patience: float
    ) -> None:
        self._name = name
        self._target = target
        self._patience = patience
        self._connections = Connections()

    async def fetch(
        self,
        wanted: str,
        length: int,
        version: Version | None,
        unless: str = "",
        tell: Tell | None = None,
    ) -> Answer:
        """Return the range *wanted*, such as ``0-511`` or ``-512``; everything if it is empty.

        *length* is how many bytes that can be, and *tell* is called with how many have come. Only
        *version* is accepted, None is any. *unless* is an ETag, for which Unchanged is raised.
        Raises Unreachable, ArchiveUnavailable, RefusedArchive, and DamagedArchive when the file was
        changed, or the answer does not fit.
        """
        headers = {} if version is None else version.condition
        if wanted:
            headers["Range"] = f"bytes={wanted}"
        if unless:
            headers["If-None-Match"] = unless
        seconds = allowed_seconds(self._patience, length)
        try:
            with trio.fail_after(seconds) as scope:
                try:
                    status, answer, body = await self._request(headers, length, scope, tell)
                except httpcore.ReadError:  # a kept connection that the server has just closed
                    status, answer, body = await self._request(headers, length, scope, tell)
        except trio.TooSlowError:
            raise Unreachable(
                f"{self._name}: the server has not answered in {seconds:.0f} seconds; try again, "
                "or allow more with KHEADERSFS_TIMEOUT"
            ) from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProxyError) as error:
            raise Unreachable(
                f"{self._name}: the server cannot be reached{self._connections.way}: "
                f"{_said(error)}; check the address and the network, and try again"
            ) from None
        except (httpcore.ProtocolError, OSError) as error:
            raise Unreachable(f"{self._name}: is cut off: {_said(error)}; try again") from None
        fresh_until = _fresh_until(answer)
        if status == 304 and unless:
            raise Unchanged(fresh_until)
        return self._understand(status, answer, body, wanted, version, fresh_until)

    async def _request(
        self, headers: dict[str, str], length: int, scope: trio.CancelScope, tell: Tell | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer that redirects lead to."""
        challenge = ""
        target = await self._target(challenge)
        for _ in range(_MOST_REDIRECTS + 1):
            status, answer, body = await self._once(target, headers, length, scope, tell)
            if status == 401 and not challenge:
                challenge = answer.get("www-authenticate", " ")
                target = await self._target(challenge)
            elif status in _REDIRECTS and "location" in answer:
                target = self._follow(target, answer["location"])
            else:
                return status, answer, body
        raise ArchiveUnavailable(f"{self._name}: is redirected without an end; ask its server")

    def _follow(self, target: Target, location: str) -> Target:
        """Return the target that *location* names. Another host gets no secret header fields."""
        old = urlsplit(target.address)
        address = urljoin(target.address, location)
        try:
            new = urlsplit(address)
            scheme, host = new.scheme, new.hostname
        except ValueError:
            scheme, host = "", None
        allowed = ("https",) if old.scheme == "https" else ("http", "https")
        if scheme not in allowed or not host:
            raise RefusedArchive(
                f"{self._name}: is redirected to {scheme or 'nowhere'}://, which is not followed "
                f"from {old.scheme}://; ask its server"
            )
        same = (new.scheme, new.netloc) == (old.scheme, old.netloc)
        return Target(address, target.headers if same else {})

    async def _once(
        self,
        target: Target,
        headers: dict[str, str],
        length: int,
        scope: trio.CancelScope,
        tell: Tell | None,
    ) -> tuple[int, dict[str, str], bytes]:
        sent: dict[bytes | str, bytes | str] = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        sent.update({**headers, **target.headers})
        pool = self._connections.leading_to(target.address)
        async with pool.stream("GET", target.address, headers=sent) as response:
            answer = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            if response.status not in (200, 206):
                return response.status, answer, b""
            if response.status == 200 and "Range" in headers:  # the server has no ranges
                length = LARGEST_WHOLE
                stated = answer.get("content-length", "")
                size = min(int(stated), length) if stated.isdecimal() else length
                scope.deadline += size / SLOWEST
            pieces: list[bytes] = []
            left = length
            async for piece in response.aiter_stream():
                left -= len(piece)
                if left < 0:
                    raise RefusedArchive(
                        f"{self._name}: the server sends more than the {length} bytes that are "
                        "taken of it; download it, and name the file"
                    )
                pieces.append(piece)
                if tell is not None:
                    await tell(length - left)
            return response.status, answer, b"".join(pieces)

    def _understand(
        self,
        status: int,
        answer: dict[str, str],
        body: bytes,
        wanted: str,
        version: Version | None,
        fresh_until: float,
    ) -> Answer:
        """Return an answer if it is to what was asked for. Raises what fetch() raises."""
        if status == 412:
            raise self._changed()
        if status in _BUSY:
            raise Unreachable(f"{self._name}: the server cannot answer now ({status}); try again")
        if status not in (200, 206):
            raise ArchiveUnavailable(f"{self._name}: {_REASONS.get(status, _OTHER)} ({status})")
        if answer.get("content-encoding", "identity") != "identity":
            raise self._nonsense("it is encoded, which was not asked for")
        tag, modified = answer.get("etag", ""), answer.get("last-modified", "")
        if status == 200:
            found = Answer(body, 0, Version(len(body), tag, modified), fresh_until)
        else:
            stated = _CONTENT_RANGE.fullmatch(answer.get("content-range", ""))
            if stated is None:
                raise self._nonsense("it does not say of which range it is")
            first, last, size = map(int, stated.groups())
            if not first <= last < size or last - first + 1 != len(body):
                raise self._nonsense(f"it has {len(body)} bytes and says {stated[0]}")
            if not _is_range(wanted, first, last, size):
                raise self._nonsense(f"it is of another range: {stated[0]}, not {wanted}")
            found = Answer(body, first, Version(size, tag, modified), fresh_until)
        if version is not None and not _is_same(version, found.version):
            raise self._changed()
        return found

    def _changed(self) -> DamagedArchive:
        return DamagedArchive(
            f"{self._name}: was changed on its server since it was opened; unmount it, and mount "
            "it again"
        )

    def _nonsense(self, what: str) -> ArchiveUnavailable:
        return ArchiveUnavailable(f"{self._name}: the answer is nonsense: {what}; ask its server")


_OTHER = "the server does not give it; ask whoever runs it"
_REASONS = {
    401: "the server asks for a password; put it where kheadersfs help mount says",
    403: "the server does not let you read it; ask for the right to, or name another address",
    404: "there is no such file on the server; correct the address",
    407: "the proxy asks for a password; put it into the proxy's address in the environment",
    410: "there is no such file on the server any more; name another address",
    416: "the server says that it is shorter than it was; unmount it, and mount it again",
}


def _is_same(one: Version, other: Version) -> bool:
    """Tell whether both can be the same version, of which a proxy may leave a field out."""
    pairs = ((one.tag, other.tag), (one.modified, other.modified))
    return one.size == other.size and all(a == b for a, b in pairs if a and b)


def _is_range(wanted: str, first: int, last: int, size: int) -> bool:
    begin, _, end = wanted.partition("-")
    if not begin:
        return first == max(0, size - int(end)) and last == size - 1
    return first == int(begin) and last == min(int(end), size - 1)


def _fresh_until(answer: dict[str, str]) -> float:
    """Return until when *answer* may be used without asking, in seconds since 1970; 0 if never."""
    control = answer.get("cache-control", "").lower()
    found = _MAX_AGE.search(control)
    if found is None or "no-cache" in control or "no-store" in control:
        return 0.0
    age = answer.get("age", "0")
    seconds = int(found[1]) - (int(age) if age.isdigit() else 0)
    return time.time() + min(seconds, _LONGEST_FRESH)


def _said(error: BaseException) -> str:
    """Return the text of *error* for a message; of a certificate's error if that is the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__

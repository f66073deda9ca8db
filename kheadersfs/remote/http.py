"""Ranges of a file by HTTP. Each takes one request.

Source: RFC 9110 (14: ranges, 15.4: redirects).
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import httpcore
import trio

from kheadersfs.errors import ArchiveUnavailable, RefusedArchive
from kheadersfs.remote.answers import Answer, Question, Unreachable, Version, fresh_until_of
from kheadersfs.remote.connections import Connections
from kheadersfs.remote.protocol import SLOWEST, allowed_seconds
from kheadersfs.remote.settings import LARGEST_WHOLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Tell = Callable[[int], Awaitable[None]]
    """Called with how many bytes of an answer have come."""

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_AGENT = "kheadersfs"
_IN_ADDRESSES = "%:/?#[]@!$&'()*+,;="
"""What an address may have besides letters, digits and ``-._~``. Some servers send other characters
as they are, and mean what these are percent-encoded. Source: RFC 3986."""


class Target(NamedTuple):
    """Where to send a request, and header fields that no other host may see."""

    address: str
    headers: dict[str, str]


class _Sent(NamedTuple):
    """A request's headers, how much may come, and to whom: see Client.fetch()."""

    headers: dict[str, str]
    length: int
    question: Question
    receive: Callable[[bytes], None] | None
    tell: Tell | None


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
        receive: Callable[[bytes], None] | None = None,
        tell: Tell | None = None,
    ) -> Answer:
        """Return the range *wanted*, such as ``0-511`` or ``-512``; everything if it is empty.

        *length* is how many bytes that can be. Only *version* is accepted, None is any. *unless* is
        an ETag, for which Unchanged is raised. *receive* is given the range in pieces as they come,
        and again from the beginning when it is asked for twice; *tell* how many bytes have come.
        Raises Unreachable, ArchiveUnavailable, RefusedArchive, and DamagedArchive when the file was
        changed, or the answer does not fit.
        """
        question = Question(self._name, wanted, version)
        headers = {} if version is None else version.condition
        if wanted:
            headers["Range"] = f"bytes={wanted}"
        if unless:
            headers["If-None-Match"] = unless
        sent = _Sent(headers, length, question, receive, tell)
        seconds = allowed_seconds(self._patience, length)
        try:
            with trio.fail_after(seconds) as scope:
                try:
                    status, answer, body = await self._request(sent, scope)
                except httpcore.ReadError:  # the server has just closed a kept connection
                    status, answer, body = await self._request(sent, scope)
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
        if status == 304 and unless:
            raise Unchanged(fresh_until_of(answer))
        return question.understand(status, answer, body)

    async def _request(
        self, sent: _Sent, scope: trio.CancelScope
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, header fields and body of the answer at the end of all redirects."""
        challenge = ""
        target = await self._target(challenge)
        asked = _server_of(target.address)
        for _ in range(_MOST_REDIRECTS + 1):
            status, answer, body = await self._once(target, sent, scope)
            # Another server may not say where the password for this one is sent.
            if status == 401 and not challenge and _server_of(target.address) == asked:
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
        address = quote(location.encode("latin-1"), safe=_IN_ADDRESSES)
        try:
            address = urljoin(target.address, address)
            new = urlsplit(address)
            scheme, host, _ = new.scheme, new.hostname, new.port
        except ValueError:
            scheme, host = "", None
        allowed = ("https",) if old.scheme == "https" else ("http", "https")
        if scheme not in allowed or not host:
            raise RefusedArchive(
                f"{self._name}: is redirected to {scheme or 'nowhere'}://, which is not followed "
                f"from {old.scheme}://; ask its server"
            )
        same = _server_of(address) == _server_of(target.address)
        return Target(address, target.headers if same else {})

    async def _once(
        self, target: Target, sent: _Sent, scope: trio.CancelScope
    ) -> tuple[int, dict[str, str], bytes]:
        length, receive = sent.length, sent.receive
        headers: dict[bytes | str, bytes | str] = {
            "User-Agent": _AGENT,
            "Accept-Encoding": "identity",
        }
        headers.update({**sent.headers, **target.headers})
        pool = self._connections.leading_to(target.address)
        async with pool.stream("GET", target.address, headers=headers) as response:
            answer = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            if response.status not in (200, 206):
                return response.status, answer, b""
            if response.status == 200 and "Range" in sent.headers:  # the server has no ranges
                length = LARGEST_WHOLE
                stated = answer.get("content-length", "")
                size = min(int(stated), length) if stated.isdecimal() else length
                scope.deadline += size / SLOWEST
                receive = None
            if receive is not None:
                sent.question.require_fitting(answer)
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
                if receive is not None:
                    receive(piece)
                if sent.tell is not None:
                    await sent.tell(length - left)
            return response.status, answer, b"".join(pieces)


def _server_of(address: str) -> tuple[str, str]:
    """Return scheme, host and port of *address*: what all requests with one password agree in."""
    parts = urlsplit(address)
    return parts.scheme, parts.netloc


def _said(error: BaseException) -> str:
    """Return the text of *error* for a message; of a certificate's error if that is the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__

"""What an answer says of a file, which is believed in nothing that does not fit.

Source: RFC 9110 (ranges in 14, conditions in 13), RFC 9111 (how long an answer is fresh).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import ArchiveUnavailable, DamagedArchive
from kheadersfs.remote.adopting import LONGEST_FRESH

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY = (408, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})")
_AGE = re.compile(r"\d{1,9}", re.ASCII)


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


class Question(NamedTuple):
    """What was asked of the file *name*: a range, such as ``0-511`` or ``-512``, or all if empty.

    Only ``version`` is accepted, None is any.
    """

    name: str
    wanted: str
    version: Version | None

    def require_fitting(self, head: Mapping[str, str]) -> None:
        """Raise ArchiveUnavailable or DamagedArchive if *head* is not of an answer with the range.

        Its status is 206.
        """
        self._part(head)

    def understand(self, status: int, head: Mapping[str, str], body: bytes) -> Answer:
        """Return what the answer says. Raises Unreachable, too, when it is that there is none."""
        if status == 412:
            raise self._changed()
        if status in BUSY:
            raise Unreachable(f"{self.name}: the server cannot answer now ({status}); try again")
        if status not in (200, 206):
            raise ArchiveUnavailable(f"{self.name}: {_REASONS.get(status, _OTHER)} ({status})")
        if head.get("content-encoding", "identity") != "identity":
            raise self._nonsense("it is encoded, which was not asked for")
        fresh_until = fresh_until_of(head)
        if status == 200:
            version = _version(len(body), head)
            self._require(version)
            return Answer(body, 0, version, fresh_until)
        first, version = self._part(head, len(body))
        return Answer(body, first, version, fresh_until)

    def _part(self, head: Mapping[str, str], length: int | None = None) -> tuple[int, Version]:
        """Return where the part that *head* says begins, and of which version it is.

        It must have *length* bytes, unless that is None.
        """
        stated = _CONTENT_RANGE.fullmatch(head.get("content-range", ""))
        if stated is None:
            raise self._nonsense("it does not say of which range it is")
        first, last, size = map(int, stated.groups())
        if not first <= last < size or length not in (None, last - first + 1):
            raise self._nonsense(f"it has {length} bytes and says {stated[0]}")
        if not _is_range(self.wanted, first, last, size):
            raise self._nonsense(f"it is of another range: {stated[0]}, not {self.wanted}")
        version = _version(size, head)
        self._require(version)
        return first, version

    def _require(self, found: Version) -> None:
        """Raise DamagedArchive if *found* shows to be another version than was asked for."""
        if self.version is not None and not _is_same(self.version, found):
            raise self._changed()

    def _changed(self) -> DamagedArchive:
        return DamagedArchive(
            f"{self.name}: was changed on its server since it was opened; unmount it, and mount "
            "it again"
        )

    def _nonsense(self, what: str) -> ArchiveUnavailable:
        return ArchiveUnavailable(f"{self.name}: the answer is nonsense: {what}; ask its server")


_OTHER = "the server does not give it; ask whoever runs it"
_REASONS = {
    401: "the server asks for a password; put it where kheadersfs help mount says",
    403: "the server does not let you read it; ask for the right to, or name another address",
    404: "there is no such file on the server; correct the address",
    407: "the proxy asks for a password; put it into the proxy's address in the environment",
    410: "there is no such file on the server any more; name another address",
    416: "the server says that it is shorter than it was; unmount it, and mount it again",
}


def fresh_until_of(head: Mapping[str, str]) -> float:
    """Return until when an answer may be used without asking, in seconds since 1970; 0 if never."""
    control = head.get("cache-control", "").lower()
    found = _MAX_AGE.search(control)
    if found is None or "no-cache" in control or "no-store" in control:
        return 0.0
    age = head.get("age", "0")
    if not _AGE.fullmatch(age):
        return 0.0
    return time.time() + min(int(found[1]) - int(age), LONGEST_FRESH)


def _version(size: int, head: Mapping[str, str]) -> Version:
    return Version(size, head.get("etag", ""), head.get("last-modified", ""))


def _is_same(one: Version, other: Version) -> bool:
    """Tell whether both can be the same version, of which a proxy may leave a field out."""
    pairs = ((one.tag, other.tag), (one.modified, other.modified))
    return one.size == other.size and all(a == b for a, b in pairs if a and b)


def _is_range(wanted: str, first: int, last: int, size: int) -> bool:
    begin, _, end = wanted.partition("-")
    if not begin:
        return first == max(0, size - int(end)) and last == size - 1
    return first == int(begin) and last == min(int(end), size - 1)

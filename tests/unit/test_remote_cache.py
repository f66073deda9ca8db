"""The cache of what was fetched: whoever is killed while writing to it leaves nothing wrong."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from kheadersfs.remote.adopting import LONGEST_FRESH, adopt, is_fresh
from kheadersfs.remote.cache import Cache, Known, Piece

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://example.org/k"
CONTENT = b"content\n" * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
KNOWN = Known(ADDRESS, len(CONTENT), "tag", "", 0.0, (Piece(0, len(CONTENT), DIGEST),), "")


def opened(directory: Path) -> Cache:
    cache = Cache(str(directory), 1 << 20)
    cache.prepare()
    return cache


def write(directory: Path) -> None:
    cache = opened(directory)
    cache.put(CONTENT)
    cache.note(ADDRESS, KNOWN)


def write_and_be_killed(directory: Path, after: int) -> None:
    """Write to the cache, and die when *after* functions of the system were called for that."""
    calls = itertools.count()

    def count(_frame: object, event: str, function: object) -> None:
        is_call = event == "c_call" and (
            getattr(function, "__module__", None) in ("posix", "fcntl", "_io", "io")
            or getattr(function, "__name__", "") in ("write", "flush", "__exit__")
        )
        if is_call and next(calls) == after:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    write(directory)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


def test_whenever_a_writer_is_killed_others_get_right_bytes_and_remove_its_remains(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("fork")
    complete = {DIGEST, hashlib.sha256(ADDRESS.encode()).hexdigest()}
    partly = 0
    for after in itertools.count():
        directory = tmp_path / str(after)
        process = context.Process(target=write_and_be_killed, args=(directory, after))
        process.start()
        process.join(60)
        partly += any(name.endswith(".partial") for name in names_in(directory))
        cache = opened(directory)
        assert names_in(directory) <= complete
        assert cache.get(DIGEST) in (None, CONTENT)
        assert cache.known(ADDRESS) in (None, KNOWN)
        write(directory)
        assert (cache.get(DIGEST), cache.known(ADDRESS)) == (CONTENT, KNOWN)
        if process.exitcode == 0:
            break
    assert after > 10
    assert partly > 2


def test_what_another_process_is_writing_is_left_to_it(tmp_path: Path) -> None:
    opened(tmp_path)
    partial = tmp_path / "objects/name.1.partial"
    with partial.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        opened(tmp_path)
        assert partial.exists()
    opened(tmp_path)
    assert not partial.exists()


def test_many_writers_are_killed_beside_one_that_is_not(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_and_be_killed, args=(tmp_path, n)) for n in range(12)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        write(tmp_path)
        assert opened(tmp_path).get(DIGEST) == CONTENT
    for writer in writers:
        writer.join(60)
    opened(tmp_path)
    assert len(names_in(tmp_path)) == 2


@pytest.mark.parametrize(
    "record",
    [
        b'["https://example.org/k", 1e999, "tag", "", 0, [], ""]',
        b'[5, 1, "tag", "", 0, [], ""]',
        b"[" * 200_000,
        b'["https://example.org/k", 1, "tag", "", 0, [[0, 1, "../precious"]], ""]',
        b'["https://example.org/k", 1, "tag", "", 0, [], "../precious"]',
    ],
)
def test_a_damaged_record_is_none_and_touches_nothing_else(record: bytes, tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    precious = tmp_path / "cache" / "precious"
    precious.write_text("precious")
    cache.note(ADDRESS, KNOWN)
    [path] = (tmp_path / "cache" / "addresses").iterdir()
    path.write_bytes(record)
    assert adopt(cache, ADDRESS) is None
    assert precious.read_text() == "precious"


def test_what_is_fresh_for_longer_than_any_answer_is_from_a_wrong_clock() -> None:
    now = time.time()
    assert is_fresh(ADDRESS, KNOWN._replace(fresh_until=now + LONGEST_FRESH - 60))
    assert not is_fresh(ADDRESS, KNOWN._replace(fresh_until=now + LONGEST_FRESH + 3600))

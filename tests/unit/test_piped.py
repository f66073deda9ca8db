"""What one process decodes another reads from the pipe between them, or it is told why not."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.compression import piped
from kheadersfs.archive.compression.pieces import PIECE_SIZE
from kheadersfs.archive.compression.piped_stream import PipedStream, WriterGone
from kheadersfs.archive.onepass import read_in_one_pass
from kheadersfs.archive.opening import open_archive
from kheadersfs.errors import (
    DamagedArchive,
    KheadersfsError,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
)
from kheadersfs.limits import DEFAULT_LIMITS, Meter
from kheadersfs.tree import tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

PIPE_SIZE = 1 << 20
"""Bytes that a pipe may have in it; ordinary ones have 64 KiB."""


class Writer:
    """A thread that writes *pieces* to a pipe, from which ``stream`` reads."""

    def __init__(self, pieces: Iterable[bytes], ahead: int) -> None:
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        self.stream = PipedStream("archive", reading)
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._write, args=(pieces, ahead))
        self._thread.start()

    def _write(self, pieces: Iterable[bytes], ahead: int) -> None:
        try:
            piped.write(pieces, self._pipe, ahead, Meter("archive", 1 << 20, DEFAULT_LIMITS))
        except (OSError, KheadersfsError) as error:
            self.failure = error
        finally:
            os.close(self._pipe)

    def end(self) -> None:
        """Close the reader's end and wait for the thread."""
        self.stream.close()
        self._thread.join()


@pytest.fixture
def start() -> Iterator[Callable[..., Writer]]:
    """Return what starts a Writer, which is ended after the test."""
    writers: list[Writer] = []

    def start_writer(pieces: Iterable[bytes], ahead: int = 0) -> Writer:
        writers.append(Writer(pieces, ahead))
        return writers[-1]

    yield start_writer
    for writer in writers:
        writer.end()


def said(*messages: bytes) -> PipedStream:
    """Return a stream from a pipe in which somebody has left *messages*, and gone."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(messages))
    os.close(writing)
    return PipedStream("archive", reading)


def message(what: int, content: bytes) -> bytes:
    return piped.HEADER.pack(what, len(content)) + content


def all_of(stream: PipedStream) -> bytes:
    pieces: list[bytes] = []
    offset = 0
    while length := stream.available(offset, PIECE_SIZE):
        pieces.append(stream.read_at(offset, length))
        offset += length
    return b"".join(pieces)


def test_all_pieces_arrive_in_order(start: Callable[..., Writer]) -> None:
    pieces = [os.urandom(size) for size in (1, PIECE_SIZE, 70_000, PIECE_SIZE - 1)]
    assert all_of(start(pieces).stream) == b"".join(pieces)


def test_no_more_is_decoded_than_may_wait(start: Callable[..., Writer]) -> None:
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(200):
            made.append(number)
            yield bytes(100_000)

    stream = start(pieces(), ahead=300_000).stream
    for number in range(200):
        assert stream.available(number * 100_000, PIECE_SIZE) == 100_000
        assert len(made) - number <= (300_000 + PIPE_SIZE) // 100_000 + 2
    assert stream.available(200 * 100_000, PIECE_SIZE) == 0


@pytest.mark.parametrize("kind", [DamagedArchive, RefusedArchive, UnsupportedArchive])
def test_what_is_wrong_with_the_archive_is_raised_behind_what_came_before(
    kind: type[KheadersfsError], start: Callable[..., Writer]
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"before"
        raise kind("archive\udcff: is bad")

    stream = start(pieces()).stream
    assert stream.read_at(0, stream.available(0, 100)) == b"before"
    with pytest.raises(kind, match=r"^archive\udcff: is bad$") as raised:
        stream.available(6, 100)
    assert type(raised.value) is kind


def test_limits_hold_for_what_is_written(start: Callable[..., Writer]) -> None:
    endless = iter(lambda: bytes(PIECE_SIZE), b"")
    with pytest.raises(RefusedArchive, match="the ratio of compression is beyond"):
        all_of(start(endless, ahead=1 << 20).stream)


def test_a_file_that_cannot_be_read_now_leaves_no_word(start: Callable[..., Writer]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"before"
        raise UnreadableArchive("archive: try again")

    writer = start(pieces())
    with pytest.raises(WriterGone):
        all_of(writer.stream)
    writer.end()
    assert isinstance(writer.failure, UnreadableArchive)


def test_a_writer_whom_nobody_reads_ends(start: Callable[..., Writer]) -> None:
    writer = start(iter(lambda: bytes(1000), b""), ahead=1 << 20)
    assert writer.stream.available(0, 100)
    writer.end()
    assert isinstance(writer.failure, BrokenPipeError)


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (b"\0\0",),
        (message(piped.PIECE, b"piece"),),
        (message(piped.PIECE, b"piece")[:-1],),
        (message(piped.PIECE, b""), message(piped.END, b"")),
        (message(piped.END, b"more"),),
        (message(99, b"what"),),
        (message(KheadersfsError.exit_status + 1, b"what"),),
        (piped.HEADER.pack(piped.PIECE, PIECE_SIZE + 1),),
        (piped.HEADER.pack(DamagedArchive.exit_status, piped.LONGEST_TEXT + 1),),
    ],
)
def test_what_no_writer_writes_is_taken_for_none(messages: tuple[bytes, ...]) -> None:
    with closing(said(*messages)) as stream, pytest.raises(WriterGone):
        all_of(stream)


def test_behind_the_end_comes_nothing() -> None:
    with closing(said(message(piped.END, b""), message(piped.PIECE, b"more"))) as stream:
        assert all_of(stream) == b""
        assert list(stream.finish()) == []


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers/some.h").write_text("some text\n" * 5000)
    subprocess.run(["tar", "-C", tmp_path, "-cJf", tmp_path / "a.tar.xz", "headers"], check=True)
    return tmp_path / "a.tar.xz"


@pytest.mark.parametrize("size", [0, 600, 40_000])
def test_an_archive_is_read_whatever_becomes_of_who_decodes_it(archive: Path, size: int) -> None:
    with closing(open_archive(os.fsencode(archive))) as opened:
        plain = subprocess.run(["xz", "-dc", archive], check=True, capture_output=True).stdout
        stream = said(message(piped.PIECE, plain[:size]) if size else b"")
        result = read_in_one_pass(opened, stream)
    tree = tree_of(result.table)
    start, length = tree.extent(tree.resolve(b"headers/some.h"))
    assert (start, length) == (0, 50_000)
    assert result.blocks.decode(0) == b"some text\n" * 5000


def test_what_somebody_decodes_is_not_decoded_again(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kheadersfs.archive.onepass.open_stream", None)
    plain = subprocess.run(["xz", "-dc", archive], check=True, capture_output=True).stdout
    with closing(open_archive(os.fsencode(archive))) as opened:
        stream = said(message(piped.PIECE, plain), message(piped.END, b""))
        assert read_in_one_pass(opened, stream).blocks.decode(0) == b"some text\n" * 5000

"""The checksums of cpio's crc format, which are followed whatever pieces the archive comes in."""

from __future__ import annotations

import stat

import pytest

from kheadersfs.archive.cpio.sums import CpioSums
from tests.attacks.forging import END, Newc, newc, tar_file

CRC = b"070702"
PIECES = [1, 2, 3, 5, 109, 110, 111, 112, 113, 1000, 1 << 20]


def summed(name: bytes, content: bytes, wrong: int = 0) -> Newc:
    return Newc(name, content, check=sum(content) + wrong)


def follow(archive: bytes, piece_size: int = 1 << 20) -> None:
    sums = CpioSums()
    for start in range(0, len(archive), piece_size):
        sums.follow(archive[start : start + piece_size])


SAMPLE = [
    Newc(b"d", mode=stat.S_IFDIR | 0o755, links=2),
    *(summed(b"n" * size, b"\xf0" * size) for size in (1, 2, 3, 4, 5, 200)),
    summed(b"empty", b""),
    Newc(b"link", b"target", mode=stat.S_IFLNK | 0o777),
    summed(b"last", bytes(range(256)) * 10),
]


@pytest.mark.parametrize("piece_size", PIECES)
def test_right_sums_are_taken_and_each_wrong_one_is_found(piece_size: int) -> None:
    follow(newc(*SAMPLE, magic=CRC), piece_size)
    for number, member in enumerate(SAMPLE):
        if not stat.S_ISREG(member.mode) or not member.content:
            continue
        for wrong in (-1, 1, 1 << 31):
            lying = member._replace(check=(member.check + wrong) & 0xFFFFFFFF)
            archive = newc(*SAMPLE[:number], lying, *SAMPLE[number + 1 :], magic=CRC)
            message = f"checksum is {member.check:08x}, not {lying.check:08x}"
            with pytest.raises(ValueError, match=message):
                follow(archive, piece_size)


def test_a_sum_has_32_bits() -> None:
    content = b"\xff" * (17 << 20)
    assert sum(content) >> 32 == 1
    member = Newc(b"f", content, check=sum(content) & 0xFFFFFFFF)
    follow(newc(member, magic=CRC))
    with pytest.raises(ValueError, match="checksum is"):
        follow(newc(member._replace(check=member.check + 1), magic=CRC))


@pytest.mark.parametrize("piece_size", PIECES)
def test_what_has_no_such_sums_is_left_alone(piece_size: int) -> None:
    wrong = summed(b"f", b"content", wrong=1)
    follow(newc(wrong), piece_size)
    follow(newc(SAMPLE[-1], magic=CRC) + newc(wrong, magic=CRC), piece_size)  # behind the end
    follow(SAMPLE[-1].encode(CRC) + newc(wrong) + wrong.encode(CRC), piece_size)
    follow(b"content" * 100, piece_size)


def test_a_tar_is_one_whatever_its_first_name_begins_with() -> None:
    header = summed(b"f", b"content", wrong=1).encode(CRC)
    follow(tar_file(header[:94] + b"000001", b"content") + END)


@pytest.mark.parametrize("name", [b"TRAILER!!", b"TRAILER!!!x", b"xTRAILER!!!"])
def test_only_the_name_of_the_end_marker_is_the_end(name: bytes) -> None:
    archive = newc(summed(name, b"x"), summed(b"f", b"content", wrong=1), magic=CRC)
    with pytest.raises(ValueError, match="checksum is"):
        follow(archive)

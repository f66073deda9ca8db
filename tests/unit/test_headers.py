"""What a block's own headers say: the same as other readers take them for, or an error."""

from __future__ import annotations

import stat

import pytest

from kheadersfs.archive.headers import Described, walk_members
from tests.hostile import forging as forge
from tests.hostile.forging import (
    END,
    LONG_LINK,
    LONG_NAME,
    pax_record,
    tar_file,
    tar_header,
    tar_long,
    tar_pax,
)

FILE = tar_file(b"f", b"content")
SECOND = 1_000_000_000


def walk(block: bytes, is_last: bool = True) -> list[Described]:
    return list(walk_members(block, is_last))


def only(block: bytes) -> Described:
    [found] = walk(block)
    return found


SAYING = {
    "pax": tar_pax(pax_record(b"path", b"other")),
    "a long name": tar_long(LONG_NAME, b"other"),
    "a long target": tar_long(LONG_LINK, b"other"),
}


@pytest.mark.parametrize("saying", SAYING)
@pytest.mark.parametrize("end", [b"", END])
def test_what_is_said_of_a_member_has_it_in_the_same_block(saying: str, end: bytes) -> None:
    """Other readers go on with the next block, and would give its first member another name."""
    assert [found.name for found in walk(FILE + SAYING[saying] + FILE + end)][:1] == [b"f"]
    with pytest.raises(ValueError, match="no member behind it"):
        walk(FILE + SAYING[saying] + end)


def test_what_is_said_of_a_member_is_not_said_of_the_next() -> None:
    named = tar_pax(pax_record(b"path", b"other") + pax_record(b"mtime", b"5")) + FILE
    assert [(found.name, found.mtime) for found in walk(named + FILE)] == [
        (b"other", 5 * SECOND),
        (b"f", 0),
    ]


@pytest.mark.parametrize("record", [b"10 path=xy", b"13 mtime=1234", b"15 comment=1234"])
def test_a_pax_record_ends_with_a_newline(record: bytes) -> None:
    """Others pass over such a record, or give up."""
    assert walk(tar_pax(record[:-1] + b"\n") + FILE)
    with pytest.raises(ValueError, match="cut off"):
        walk(tar_pax(record) + FILE)


@pytest.mark.parametrize("keyword", [b"path", b"linkpath", b"mtime"])
def test_a_pax_record_without_a_value_is_an_error(keyword: bytes) -> None:
    """For POSIX it takes back what was said; here nothing was."""
    with pytest.raises(ValueError, match="without a value"):
        walk(tar_pax(pax_record(keyword, b"")) + FILE)


def test_a_long_name_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a value"):
        walk(tar_long(LONG_NAME, b"") + FILE)


def test_a_prefix_is_one_where_every_reader_takes_it_for_one() -> None:
    def name(magic: bytes) -> bytes:
        tail = magic.ljust(88, b"\0") + b"prefix"
        return only(tar_header(b"f", tail=tail)).name

    assert name(b"ustar\00000") == name(b"ustar\0") == b"prefix/f"
    assert name(b"ustar  \0") == name(b"\0") == b"f"
    for magic in (b"ustar ", b"ustar 00", b"ustarX00", b"ustar  1"):
        with pytest.raises(ValueError, match="form of a header"):
            name(magic)


def test_a_prefix_of_a_whole_field_is_read_to_its_end() -> None:
    tail = b"ustar\00000".ljust(88, b"\0") + b"p" * 155
    found = only(tar_header(b"n" * 100, tail=tail))
    assert found.name == b"p" * 155 + b"/" + b"n" * 100


NUMBERS = {
    b"0000644\0": 0o644,
    b"    644 ": 0o644,
    b"        ": 0,
    forge.base256(0o644, 8): 0o644,
    b"7777777\0": 0o7777,
}


@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_is_octal_or_in_base_256(field: bytes) -> None:
    header = tar_header(b"f")
    found = only(header[:100] + field + header[108:])
    assert found.mode == stat.S_IFREG | NUMBERS[field]


@pytest.mark.parametrize("time", [0, 1, -1, -(1 << 40), (1 << 62) - 1, -(1 << 94), (1 << 94) - 1])
def test_a_time_may_lie_anywhere(time: int) -> None:
    header = tar_header(b"f")
    found = only(header[:136] + forge.base256(time, 12) + header[148:])
    assert found.mtime == time * SECOND


def test_a_negative_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="negative number"):
        walk(tar_header(b"f", forge.base256(-512, 12)) + END)


TIMES = {
    b"5": 5 * SECOND,
    b"5.": 5 * SECOND,
    b"5.25": 5 * SECOND + SECOND // 4,
    b"5.000000001": 5 * SECOND + 1,
    b"5.0000000019": 5 * SECOND + 1,
    b"-5": -5 * SECOND,
}


@pytest.mark.parametrize("value", TIMES)
def test_a_time_in_a_pax_record_is_in_seconds_and_a_fraction(value: bytes) -> None:
    assert only(tar_pax(pax_record(b"mtime", value)) + FILE).mtime == TIMES[value]


@pytest.mark.parametrize("value", [b"-5.5", b"+5", b"5.x", b".5", b"--5", b"5 "])
def test_any_other_time_in_a_pax_record_is_an_error(value: bytes) -> None:
    with pytest.raises(ValueError):
        walk(tar_pax(pax_record(b"mtime", value)) + FILE)

"""What a block's own headers say: the same as other readers take them for, or an error."""

from __future__ import annotations

import stat

import pytest

from tests.attacks import forging as forge
from tests.attacks.forging import (
    DIRECTORY,
    END,
    HARD_LINK,
    LONG_LINK,
    LONG_NAME,
    SYMLINK,
    padded,
    pax_record,
    tar_file,
    tar_header,
    tar_long,
    tar_pax,
)
from tests.support.walks import SECOND, described, only, walk

FILE = tar_file(b"f", b"content")


def test_members_of_tar_are_as_their_headers_say() -> None:
    block = b"".join(
        (
            tar_header(b"./", kind=DIRECTORY, mode=0o755),
            tar_header(b"./d/", kind=DIRECTORY, mode=0o2755),
            tar_file(b"./d/f", b"c" * 512, 0o600),
            tar_file(b"e", b"c" * 513),
            tar_header(b"old", 1, b"\0") + padded(b"x"),
            tar_header(b"h", kind=HARD_LINK, link=b"./d/f"),
            tar_header(b"s", kind=SYMLINK, link=b"./d/f", mode=0o777),
            tar_file(b"empty", b""),
        )
    )
    assert walk(block, is_last=False) == walk(block) == walk(block + END)
    assert walk(block) == [
        described(b"", stat.S_IFDIR | 0o755, 0, 512, 0),
        described(b"d", stat.S_IFDIR | 0o2755, 0, 1024, 0),
        described(b"d/f", stat.S_IFREG | 0o600, 0, 1536, 512),
        described(b"e", stat.S_IFREG | 0o644, 0, 2560, 513),
        described(b"old", stat.S_IFREG | 0o644, 0, 4096, 1),
        described(b"h", stat.S_IFREG | 0o644, 0, 5120, 0, 0, b"d/f", True),
        described(b"s", stat.S_IFLNK | 0o777, 0, 5632, 0, 0, b"./d/f"),
        described(b"empty", stat.S_IFREG | 0o644, 0, 6144, 0),
    ]


def test_long_names_and_targets_are_those_of_the_member_behind_them() -> None:
    name, target = b"n" * 300, b"t" * 300
    link = tar_header(b"cut", kind=SYMLINK, link=b"cut")
    hard_link = tar_header(b"cut", kind=HARD_LINK, link=b"cut")
    gnu = tar_long(LONG_NAME, name) + tar_long(LONG_LINK, target)
    pax = tar_pax(pax_record(b"path", name) + pax_record(b"linkpath", target))
    for saying in (gnu, pax):
        for member in (link, hard_link):
            found = only(saying + member)
            assert (found.name, found.target) == (name, target)
    directory = tar_long(LONG_NAME, b"./d/") + tar_header(b"cut", kind=DIRECTORY)
    assert only(directory).name == b"d"


def test_a_file_whose_name_ends_with_a_slash_keeps_it() -> None:
    """Some readers take it for a directory, and no index has such a name."""
    assert only(tar_file(b"f/", b"content")).name == b"f/"


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"7", b"g", b"S", b"A", b"D", b"X"])
def test_a_member_of_another_kind_is_an_error(kind: bytes) -> None:
    with pytest.raises(ValueError, match="neither file, directory nor link"):
        walk(tar_header(b"f", kind=kind))


@pytest.mark.parametrize("kind", [HARD_LINK, SYMLINK, DIRECTORY])
def test_a_member_without_content_has_no_size(kind: bytes) -> None:
    """Readers do not agree on whether content follows."""
    with pytest.raises(ValueError, match="size where there is no content"):
        walk(tar_header(b"f", 7, kind, link=b"t") + padded(b"content"))


@pytest.mark.parametrize(
    "block",
    [
        tar_header(b"f", 513) + bytes(512),
        tar_header(b"f", 1),
        tar_header(b"x", 513, forge.PAX) + padded(pax_record(b"comment", b"c")),
        tar_header(b"x", 513, LONG_NAME) + padded(b"name"),
    ],
)
def test_a_member_does_not_reach_beyond_its_block(block: bytes) -> None:
    with pytest.raises(ValueError, match="beyond its block"):
        walk(block)


@pytest.mark.parametrize("rest", [b"x", b"\0", FILE[:511], FILE[:-1], FILE[:520]])
def test_a_block_ends_with_a_whole_member(rest: bytes) -> None:
    for is_last in (True, False):
        with pytest.raises(ValueError, match="a whole member"):
            walk(FILE + rest, is_last)


def test_a_header_without_a_name_is_no_end_marker() -> None:
    nameless = tar_header(b"", 7) + padded(b"content")
    assert [found.name for found in walk(nameless + FILE)] == [b"", b"f"]


@pytest.mark.parametrize(
    "saying",
    [
        tar_pax(pax_record(b"path", b"a") * 2),
        tar_pax(pax_record(b"path", b"a")) * 2,
        tar_long(LONG_NAME, b"a") * 2,
        tar_long(LONG_NAME, b"a") + tar_pax(pax_record(b"path", b"a")),
        tar_pax(pax_record(b"linkpath", b"a")) + tar_long(LONG_LINK, b"a"),
    ],
)
def test_what_is_said_twice_is_an_error(saying: bytes) -> None:
    """Readers do not agree on which of them holds."""
    with pytest.raises(ValueError, match="says something twice"):
        walk(saying + FILE)


@pytest.mark.parametrize(
    "keyword", [b"size", b"GNU.sparse.name", b"hdrcharset", b"SCHILY.xattr.user.x", b"", b"PATH"]
)
def test_what_a_packed_archive_does_not_say_is_an_error(keyword: bytes) -> None:
    with pytest.raises(ValueError, match="what it does not in a packed archive"):
        walk(tar_pax(pax_record(keyword, b"1")) + FILE)


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


@pytest.mark.parametrize(
    "record", [b"99 path=x\n", b"12 path=x\n", b"0 path=x\n", b"1 path=x\n", b"path=x\n", b"7"]
)
def test_a_pax_record_is_as_long_as_it_says(record: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|no number"):
        walk(tar_header(b"pax", len(record), forge.PAX) + padded(record) + FILE)


def test_comments_may_be_empty_or_many_and_anywhere() -> None:
    comments = tar_pax(pax_record(b"comment", b"") * 2 + pax_record(b"uname", b"root"))
    assert [found.name for found in walk(comments + FILE + comments)] == [b"f"]


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
    assert only(tar_header(b"f", tail=b"ustar\0".ljust(88, b"\0") + b"p")).name == b"p/f"
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

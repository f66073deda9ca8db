"""What fuzzing found, one test each. See tests/attacks/fuzzing.py for how to look for more."""

from __future__ import annotations

from time import thread_time

import pytest

from kheadersfs.archive.cpio.sums import CpioSums
from kheadersfs.archive.walking import walk_members
from tests.attacks import forging as forge
from tests.attacks.fuzzing import TARGETS, seeds, target_function


@pytest.mark.parametrize("size", [b"-0000001000\0", b"-0000002000\0", b"+0000000001\0", b"1_1\0"])
def test_a_tar_size_with_a_sign_does_not_step_back(size: bytes) -> None:
    """int() takes signs; the walk then came back to the same header for ever."""
    block = forge.tar_header(b"f", size.ljust(12, b"\0")) + bytes(512)
    with pytest.raises(ValueError, match="no number"):
        list(walk_members(block))


@pytest.mark.parametrize("size", [b"0o0000002000", b"0b0000001000"])
def test_a_tar_size_with_a_prefix_is_no_number(size: bytes) -> None:
    """int() takes prefixes, other readers do not, and see members where this one sees content."""
    with pytest.raises(ValueError, match="no number"):
        list(walk_members(forge.tar_header(b"f", size) + bytes(1024)))


@pytest.mark.parametrize("marker", [bytes(1024), forge.Newc(b"TRAILER!!!", b"").encode()])
def test_nothing_comes_after_an_end_marker(marker: bytes) -> None:
    """Other readers stop there."""
    member = (
        forge.Newc(b"f", b"content").encode() if marker[0] else forge.tar_file(b"f", b"content")
    )
    assert [found.name for found in walk_members(member + marker)] == [b"f"]
    for block, is_last in ((member + marker + member, True), (member + marker, False)):
        with pytest.raises(ValueError, match="something behind it"):
            list(walk_members(block, is_last))


@pytest.mark.parametrize("place", [54, 94])
def test_a_cpio_size_with_a_sign_does_not_step_back(place: int) -> None:
    member = bytearray(forge.Newc(b"f", b"content").encode())
    member[place : place + 8] = b"-0000070"
    with pytest.raises(ValueError, match="no number"):
        list(walk_members(bytes(member) * 2))


@pytest.mark.parametrize("place", [14, 54, 94, 102])
def test_a_cpio_number_with_a_sign_is_no_number_for_its_checksum(place: int) -> None:
    member = bytearray(forge.Newc(b"f", b"content", check=1).encode(b"070702"))
    member[place : place + 8] = b"-0000070"
    with pytest.raises(ValueError, match="no number"):
        CpioSums().follow(bytes(member))


def test_a_long_extended_header_is_read_in_one_go() -> None:
    """Each record was cut off the rest, so a block of them took hours."""
    records = b"13 comment=x\n" * 500_000
    block = forge.tar_header(b"pax", len(records), forge.PAX) + forge.padded(records)
    began = thread_time()
    [member] = walk_members(block + forge.tar_file(b"f", b"content"))
    assert thread_time() - began < 10
    assert (member.name, member.size) == (b"f", 7)


@pytest.mark.parametrize("name_size", [0, 4, 6])
def test_a_cpio_name_ends_where_its_header_says(name_size: int) -> None:
    whole = forge.Newc(b"abcd").encode()
    assert [found.name for found in walk_members(whole + forge.newc())] == [b"abcd"]
    lying = forge.Newc(b"abcd", name_size=name_size).encode()
    with pytest.raises(ValueError, match="a name does not end"):
        list(walk_members(lying + forge.newc()))


@pytest.mark.parametrize("target", TARGETS)
def test_every_fuzzing_target_takes_its_seeds(target: str) -> None:
    function = target_function(target)
    for seed in seeds(target):
        function(seed)
        for cut in range(0, len(seed), max(1, len(seed) // 40)):
            function(seed[:cut])

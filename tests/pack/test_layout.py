"""Which members come first, and where the stream is cut."""

from __future__ import annotations

import stat
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.member import Member
from kheadersfs.archive.walking import walk_members
from kheadersfs.errors import KheadersfsError
from kheadersfs.pack.layout import HOT_SIZE, WARM_SIZE, KernelMembers, Packed, Portion, arrange
from kheadersfs.pack.planning import Plan, plan_blocks

MIB = 1 << 20


def directory(name: str) -> Packed:
    return Packed(Member(name.encode(), stat.S_IFDIR | 0o755, 0, 0, None, False), bytes)


def file(name: str, size: int) -> Packed:
    member = Member(name.encode(), stat.S_IFREG | 0o644, 0, size, None, False)
    return Packed(member, partial(bytes, size))


def link(name: str, target: str) -> Packed:
    member = Member(name.encode(), stat.S_IFREG | 0o644, 0, 0, target.encode(), True)
    return Packed(member, bytes)


def names(portion: Portion) -> list[str]:
    return [packed.member.name.decode() for packed in portion.members]


def test_files_are_hot_then_warm_then_cold_by_name() -> None:
    files = [file(f"include/{9999 - number}.h", 100_000) for number in range(200)]
    kernel = KernelMembers([directory(""), directory("include"), directory("empty")], files, [], [])
    hot, warm, cold, links = arrange([kernel])
    assert names(hot)[:3] == ["", "include", "include/9999.h"]
    assert sum(packed.member.size for packed in hot.members) == pytest.approx(HOT_SIZE, rel=0.05)
    hot_and_warm = sum(packed.member.size for packed in hot.members + warm.members)
    assert hot_and_warm == pytest.approx(WARM_SIZE, rel=0.05)
    assert names(cold) == sorted(names(cold))
    assert "empty" in names(cold)
    assert names(links) == []
    assert sorted(names(hot) + names(warm) + names(cold)) == sorted(
        ["", "include", "empty", *(packed.member.name.decode() for packed in files)]
    )


def test_as_many_are_hot_as_are_known_to_be() -> None:
    files = [file(f"{number}.h", 10) for number in range(5)]
    hot, warm, *_ = arrange([KernelMembers([], files, [], [], hot=2)])
    assert (names(hot), names(warm)) == (["0.h", "1.h"], ["2.h", "3.h", "4.h"])
    large = [file(f"{number}.h", WARM_SIZE) for number in range(3)]
    hot, warm, cold, _ = arrange([KernelMembers([], large, [], [], hot=2)])
    assert (names(hot), names(warm), names(cold)) == (["0.h", "1.h"], [], ["2.h"])


def test_several_kernels_follow_each_other_and_links_come_last() -> None:
    def kernel(name: str) -> KernelMembers:
        return KernelMembers(
            [directory(name)],
            [file(f"{name}/{letter}.h", WARM_SIZE // 2) for letter in "zyxw"],
            [],
            [link(f"{name}/link.h", "two/z.h")],
        )

    portions = arrange([kernel("two"), kernel("one")])
    assert [names(portion) for portion in portions] == [
        ["two", "two/z.h", "two/y.h"],
        [],
        ["one", "one/z.h", "one/y.h"],
        [],
        ["one/w.h", "one/x.h", "two/w.h", "two/x.h"],
        ["two/link.h", "one/link.h"],
    ]


def test_blocks_grow_with_what_is_before_them() -> None:
    hot = Portion([], MIB // 2)
    assert [hot.block_size(position * MIB) for position in (0, 1, 2, 4, 8, 100)] == [
        *(MIB // 2, MIB // 2, MIB // 2, MIB, 2 * MIB),
        8 * MIB,
    ]
    assert Portion([], 8 * MIB).block_size(0) == 8 * MIB


def plan(*portions: Portion, format_name: str = "tar") -> Plan:
    return plan_blocks(portions, format_name)


@pytest.mark.parametrize("format_name", ["tar", "cpio"])
def test_blocks_are_cut_between_members(format_name: str) -> None:
    members = [file(f"a{number:02}.h", 700) for number in range(12)]
    members.insert(5, file("large.h", 9000))
    made = plan(Portion(members, 4096), format_name=format_name)
    assert [len(block.frames) for block in made.blocks] == [2, 2, 1, 1, 2, 3, 2]
    assert made.blocks[0].start == 0
    for block, following in zip(made.blocks, made.blocks[1:], strict=False):
        assert block.start + block.size == following.start
    found: list[bytes] = []
    for block in made.blocks:
        content = block.content()
        assert len(content) == block.size
        found += (member.name for member in walk_members(content))
    assert sorted(found) == sorted(packed.member.name for packed in members)
    assert made.size == sum(block.size for block in made.blocks)
    assert made.size % 512 == 0


def test_a_portion_begins_a_block_and_the_first_is_hot() -> None:
    made = plan(
        Portion([file("a.h", 3000), file("b.h", 3000)], 2048),
        Portion([], 2048),
        Portion([file("c.h", 10)], 2048),
    )
    assert (len(made.blocks), made.hot_blocks) == (3, 2)


def test_within_a_block_members_are_as_the_index_numbers_them() -> None:
    members = [
        *(
            directory("z"),
            file("z/b.h", 1),
            directory("z/y"),
            file("z/y/a.h", 1),
            link("0", "z/b.h"),
        ),
        *(directory("a"), file("a/c.h", 1), file("top.h", 1)),
    ]
    [block] = plan(Portion(members, MIB)).blocks
    assert [frame.member.name for frame in block.frames] == [
        *(b"a", b"top.h", b"z", b"a/c.h", b"z/b.h", b"z/y", b"z/y/a.h", b"0"),
    ]


@given(
    st.lists(st.integers(0, 40_000), min_size=1, max_size=40),
    st.integers(1024, 50_000),
    st.sampled_from(["tar", "cpio"]),
)
def test_the_index_says_where_content_is(sizes: list[int], block_size: int, form: str) -> None:
    members = [file(f"include/{number}.h", size) for number, size in enumerate(sizes)]
    made = plan(Portion([directory("include"), *members], block_size), format_name=form)
    starts = {}
    for block in made.blocks:
        for member in walk_members(block.content()):
            if member.size:
                starts[block.start + member.start] = member.size
    table = made.table.whole()
    in_table = {
        start: size
        for mode, start, size in zip(
            table.inode_mode, table.inode_start, table.inode_size, strict=True
        )
        if stat.S_ISREG(mode) and size
    }
    assert in_table == starts


def test_content_that_is_not_as_long_as_announced_is_an_error() -> None:
    packed = file("a.h", 10)._replace(read=lambda: b"short")
    [block] = plan(Portion([packed], MIB)).blocks
    with pytest.raises(KheadersfsError, match=r"a\.h: has 5 bytes where 10 were announced"):
        block.content()


def test_what_cannot_be_in_an_archive_is_an_error() -> None:
    with pytest.raises(KheadersfsError, match="nothing to put into an archive"):
        plan(Portion([], MIB))
    with pytest.raises(KheadersfsError, match=r"refused.* cannot be packed"):
        plan(Portion([file("../above.h", 1)], MIB))
    old = file("old.h", 1)
    for time in (-1, 1 << 32, 0.5):
        member = old.member._replace(mtime=int(time * 1_000_000_000))
        with pytest.raises(KheadersfsError, match=r"old\.h: has a size or a time that cpio cannot"):
            plan(Portion([old._replace(member=member)], MIB), format_name="cpio")
        plan(Portion([old._replace(member=member)], MIB))

"""Blocks that lie side by side are fetched together, and each is there as soon as it has come."""

from __future__ import annotations

import pytest

from kheadersfs.remote.spans import Cutter, Extent, spans_of

LARGEST = 100


def extent(offset: int, length: int) -> Extent:
    return Extent(offset, length, bytes(32))


@pytest.mark.parametrize(
    ("extents", "spans"),
    [
        ([], []),
        ([(0, 10)], [[(0, 10)]]),
        ([(10, 10), (0, 10)], [[(0, 10), (10, 10)]]),
        ([(0, 10), (11, 10)], [[(0, 10)], [(11, 10)]]),
        ([(0, 60), (60, 40), (100, 1)], [[(0, 60), (60, 40)], [(100, 1)]]),
        ([(0, 60), (60, 41)], [[(0, 60)], [(60, 41)]]),
        ([(0, 500), (500, 1)], [[(0, 500)], [(500, 1)]]),
    ],
)
def test_what_lies_side_by_side_is_one_span_up_to_a_size(
    extents: list[tuple[int, int]], spans: list[list[tuple[int, int]]]
) -> None:
    found = spans_of([extent(*numbers) for numbers in extents], LARGEST)
    assert [[(part.offset, part.length) for part in span] for span in found] == spans


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30])
def test_each_part_is_handed_on_as_soon_as_it_has_come(size: int) -> None:
    content = bytes(range(30))
    parts = [extent(100, 5), extent(105, 1), extent(106, 24)]
    taken: list[tuple[int, bytes]] = []
    cutter = Cutter(parts, lambda part, piece: taken.append((part.offset, piece)))
    for start in range(0, len(content), size):
        cutter.add(content[start : start + size])
        come = min(start + size, len(content))
        whole = [part for part in parts if part.end - 100 <= come]
        assert taken == [(p.offset, content[p.offset - 100 : p.end - 100]) for p in whole]

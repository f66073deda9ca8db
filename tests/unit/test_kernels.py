"""What a process without rights says of the kernels of an archive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.cli.kernels import Known, decode, encode
from kheadersfs.errors import DamagedArchive

texts = st.binary().map(lambda name: name.replace(b"\0", b"").decode(errors="surrogateescape"))
kernels = st.builds(Known, st.none() | st.integers(min_value=0), texts, texts, texts)


@given(st.lists(kernels, min_size=1))
def test_kernels_arrive_as_they_were_sent(known: list[Known]) -> None:
    assert decode(encode(known), "k.tar.zst") == known


@pytest.mark.parametrize("answer", [b"", b"0", b"0\0a\0b", b"x\0a\0b\0c", b"0\0a\0b\0c\0"])
def test_what_is_sent_by_no_code_of_ours_is_damage(answer: bytes) -> None:
    with pytest.raises(DamagedArchive, match=r"^k\.tar\.zst: .*; make or fetch it again$"):
        decode(answer, "k.tar.zst")

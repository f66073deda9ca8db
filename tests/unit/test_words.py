"""Arguments that are understood without argparse, which must understand the same."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kheadersfs.cli import mount, run, umount
from kheadersfs.cli.words import plain_command, plain_words
from kheadersfs.errors import UsageError

words = st.lists(
    st.sampled_from(
        ["a", "b.tar.xz", "--", "-x", "--archive", "--each", "-o", "--lazy", "", "a=b"]
    ),
    max_size=5,
)


@given(words)
@example(["a"])
@example(["a", "b.tar.xz"])
@example([])
def test_plain_words_are_what_the_parsers_find(arguments: list[str]) -> None:
    for module, most in ((mount, 2), (umount, 1)):
        found = plain_words(arguments, most)
        if found is None:
            continue
        values = module.parser().parse_args(arguments)
        names = ("archive", "mountpoint") if module is mount else ("mountpoint",)
        expected = [getattr(values, name) for name in names][: len(found)]
        assert found == expected
        assert len(found) == len(arguments)


@given(words)
@example(["--archive", "b.tar.xz", "a", "--archive", "-x"])
@example(["--archive", "b.tar.xz", "--", "-x"])
@example(["--", "--archive", "a"])
@example(["a", "--", "b"])
def test_a_plain_command_is_what_the_parser_finds(arguments: list[str]) -> None:
    found = plain_command(arguments)
    if found is None:
        return
    values = run.parser().parse_args(arguments)
    command = values.command[1:] if values.command[:1] == ["--"] else values.command
    assert found == (values.archives, command)


def test_options_are_left_to_the_parsers() -> None:
    assert plain_words(["-x", "a"], 2) is None
    assert plain_words(["a", "b", "c"], 2) is None
    assert plain_command(["--archive", "a", "--archive", "b", "--each", "c"]) is None
    assert plain_command(["--record", "a", "b"]) is None
    assert plain_command(["--archive"]) is None
    try:
        run.parser().parse_args(["--archive"])
    except UsageError:
        return
    raise AssertionError("an option without its value was taken")

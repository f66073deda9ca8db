"""The man page and the completion: nothing is missing, and man(1) and bash have no complaint."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.cli import COMMANDS, helper, load
from kheadersfs.cli.options import MountOptions
from kheadersfs.limits import DEFAULT_LIMITS
from tests.conftest import REPOSITORY
from tests.support.mounting import PATIENCE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

PARSERS = {**{name: load(name).parser() for name in COMMANDS}, "helper": helper.parser()}


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "tools/reference"), *arguments]


def reference(kind: str) -> str:
    done = subprocess.run(command_line(kind), check=True, capture_output=True, text=True)
    return done.stdout


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {word for action in parser._actions for word in action.option_strings}


@pytest.fixture(scope="module")
def shown_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as man(1) shows it, which must not complain."""
    if shutil.which("man") is None:
        pytest.skip("not installed: man-db")
    page = tmp_path_factory.mktemp("man") / "kheadersfs.1"
    page.write_text(reference("man"))
    done = subprocess.run(
        ["man", "-l", "--warnings", page],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "MANWIDTH": "100", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_page_has_every_command(shown_page: str) -> None:
    sections = set(re.findall(r"^   (\S+)$", shown_page, re.MULTILINE))
    assert sections == {*COMMANDS, "mount.fuse.kheadersfs"}


@pytest.mark.parametrize("name", PARSERS)
def test_the_page_names_every_option(shown_page: str, name: str) -> None:
    title = PARSERS[name].prog.removeprefix("kheadersfs ")
    section = re.split(rf"^   {re.escape(title)}$", shown_page, flags=re.MULTILINE)[1]
    section = re.split(r"^   ?\S", section, flags=re.MULTILINE)[0]
    named = set(re.findall(r"(?:^ {7}|, )(--?[\w-]+)", section, re.MULTILINE))
    assert options_of(PARSERS[name]) - named == set()
    assert "None" not in section


def test_the_page_explains_every_limit(shown_page: str) -> None:
    section = re.split(r"^LIMITS$", shown_page, flags=re.MULTILINE)[1]
    for name, value in DEFAULT_LIMITS._asdict().items():
        assert re.search(rf"^ {{7}}{name}\s+(?:the|what) [^;]+; {value}$", section, re.MULTILINE)


def test_the_page_names_what_o_can_say(shown_page: str) -> None:
    for field in MountOptions._fields:
        assert re.search(rf"\b{field}\b", shown_page)


def test_help_says_the_same(shown_page: str) -> None:
    for name, parser in PARSERS.items():
        for action in parser._actions:
            words = " ".join((action.help or "").replace("%%", "%").split())
            assert words in " ".join(shown_page.split()), (name, action.option_strings)


def test_what_is_unknown_is_told_how_to_call_it() -> None:
    for arguments in ([], ["html"]):
        words = command_line(*arguments)
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, "usage: tools/reference man|bash\n")


@pytest.fixture(scope="module")
def completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        pytest.skip("not installed: bash")
    file = tmp_path_factory.mktemp("completion") / "kheadersfs"
    file.write_text(reference("bash"))
    return file


def test_bash_reads_the_completion(completion: Path) -> None:
    done = subprocess.run(["bash", "-n", completion], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def complete(completion: Path, *words: str) -> set[str]:
    """Return what is offered for the last of *words*."""
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kheadersfs\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-euc", script, "bash", completion, "kheadersfs", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_commands_are_offered_first(completion: Path) -> None:
    assert complete(completion, "") == {*COMMANDS, "--help", "--version"}
    assert complete(completion, "un") == set()
    assert complete(completion, "um") == {"umount"}


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_the_command_are_offered_after_it(completion: Path, name: str) -> None:
    assert complete(completion, name, "-") == options_of(PARSERS[name])


def test_files_are_offered_where_no_option_begins(completion: Path, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.xz").touch()
    offered = complete(completion, "mount", "--prefetch", f"{tmp_path}/arch")
    assert offered == {f"{tmp_path}/archive.tar.xz"}


class Terminal(NamedTuple):
    """A terminal at which bash waits."""

    descriptor: int

    def type(self, text: str, until: str) -> None:
        """Type *text*, and wait until *until* is shown."""
        os.write(self.descriptor, text.encode())
        shown = ""
        deadline = time.monotonic() + PATIENCE
        while until not in shown:
            ready, _, _ = select.select([self.descriptor], [], [], deadline - time.monotonic())
            assert ready, f"{until!r} is not shown, but {shown!r}"
            shown += os.read(self.descriptor, 4096).decode()


@pytest.fixture
def terminal(completion: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal at which bash has loaded the completion."""
    descriptor, inner = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb"},
    )
    with bash:
        try:
            terminal = Terminal(descriptor)
            terminal.type(f". {completion} && PS1=ready'>'\n", "ready>")
            yield terminal
        finally:
            bash.kill()
            os.close(inner)
            os.close(descriptor)


def test_the_tabulator_completes_for_real(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "headers.tar.xz").touch()
    terminal.type("kheadersfs mou\t", "kheadersfs mount ")
    terminal.type("--idl\t", "--idle-timeout ")
    terminal.type(f"5 {tmp_path}/hea\t", "headers.tar.xz ")

"""Manual pages and completions: nothing is missing, and man(1) and the shells do not complain."""

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
from kheadersfs.cli.arguments import Parser
from kheadersfs.cli.completion import GENERAL_OPTIONS
from kheadersfs.cli.help import LIMITS, STATUSES
from kheadersfs.cli.options import MountOptions
from kheadersfs.limits import DEFAULT_LIMITS
from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARSERS = {name: load(name).parser() for name in COMMANDS}
HELPER = helper.parser()
INDENT = "^ {5,7}"
"""What man(1) puts before a paragraph: 7 columns, and 5 since groff 1.24."""
SHELLS = ("bash", "zsh", "fish")


def reference(kind: str) -> str:
    outcome = run_command("reference", kind)
    assert (outcome.status, outcome.errors) == (0, "")
    return outcome.output


def options_of(parser: Parser) -> set[str]:
    return {word for action in parser._actions for word in action.option_strings}


def show(kind: str) -> str:
    """Return a page as man(1) shows it, which must not complain."""
    if shutil.which("man") is None:
        pytest.skip("not installed: man-db")
    done = subprocess.run(
        ["man", "-l", "--warnings", "-"],
        check=False,
        input=reference(kind),
        capture_output=True,
        text=True,
        env={**os.environ, "MANWIDTH": "100", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def shown_page() -> str:
    """The page of the command."""
    return show("man")


@pytest.fixture(scope="module")
def shown_helper_page() -> str:
    """The page of the mount helper."""
    return show("man8")


def test_the_page_has_every_command(shown_page: str) -> None:
    sections = set(re.findall(r"^   (\S+)$", shown_page, re.MULTILINE))
    assert sections == {*COMMANDS}


@pytest.mark.parametrize("name", PARSERS)
def test_the_page_names_every_option(shown_page: str, name: str) -> None:
    section = re.split(rf"^   {re.escape(name)}$", shown_page, flags=re.MULTILINE)[1]
    section = re.split(r"^   ?\S", section, flags=re.MULTILINE)[0]
    assert options_of(PARSERS[name]) - named_in(section) == set()
    assert "None" not in section


def named_in(page: str) -> set[str]:
    """Return the options that *page* explains."""
    return set(re.findall(rf"(?:{INDENT}|, )(--?[\w-]+)", page, re.MULTILINE))


def test_the_page_of_the_helper_names_every_option_also_of_o(shown_helper_page: str) -> None:
    assert options_of(HELPER) - named_in(shown_helper_page) == set()
    for field in MountOptions._fields:
        assert re.search(rf"\b{field}\b", shown_helper_page)


def test_both_pages_have_every_exit_status(shown_page: str, shown_helper_page: str) -> None:
    for page in (shown_page, shown_helper_page):
        section = re.split(r"^EXIT STATUS$", page, flags=re.MULTILINE)[1]
        for status, meaning in STATUSES.items():
            assert re.search(rf"{INDENT}{status} +{re.escape(meaning)}$", section, re.MULTILINE)


def test_the_page_explains_every_limit(shown_page: str) -> None:
    section = re.split(r"^LIMITS$", shown_page, flags=re.MULTILINE)[1]
    for name, value in DEFAULT_LIMITS._asdict().items():
        assert re.search(rf"{INDENT}{name}\s+(?:the|what) [^;]+; {value}$", section, re.MULTILINE)


def test_the_page_names_what_o_can_say(shown_page: str) -> None:
    for field in MountOptions._fields:
        assert re.search(rf"\b{field}\b", shown_page)


def test_help_says_the_same(shown_page: str, shown_helper_page: str) -> None:
    for name, parser in {**PARSERS, "helper": HELPER}.items():
        page = shown_helper_page if parser is HELPER else shown_page
        for action in parser._actions:
            words = " ".join((action.help or "").replace("%%", "%").split())
            assert words in " ".join(page.split()), (name, action.option_strings)


@pytest.mark.parametrize("name", [*PARSERS, "helper"])
def test_help_explains_every_argument_and_has_two_examples(name: str) -> None:
    parser = PARSERS.get(name, HELPER)
    assert len(parser.examples) == 2
    for action in parser._actions:
        assert action.help, action
    text = parser.format_help()
    for line, what in parser.examples:
        assert f"\n  {line}\n      {what}\n" in text
        assert "kheadersfs" in line


def test_a_checkout_prints_the_same_without_being_installed() -> None:
    words = [sys.executable, "-S", "-I", str(REPOSITORY / "tools/reference"), "man8"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, reference("man8"), "")


def complaints_of(shell: str, file: Path) -> tuple[int, str]:
    """Return what *shell* says of a file that it only parses."""
    if shutil.which(shell) is None:
        pytest.skip(f"not installed: {shell}")
    done = subprocess.run([shell, "-n", file], check=False, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_parses_its_completion(shell: str, tmp_path: Path) -> None:
    file = tmp_path / "completion"
    file.write_text(reference(shell))
    assert complaints_of(shell, file) == (0, "")
    file.write_text(reference(shell) + "\nif (")
    assert complaints_of(shell, file)[0] != 0


@pytest.fixture(scope="module")
def completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        pytest.skip("not installed: bash")
    file = tmp_path_factory.mktemp("completion") / "kheadersfs"
    file.write_text(reference("bash"))
    return file


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


def test_words_are_offered_where_no_file_belongs(completion: Path) -> None:
    assert complete(completion, "reference", "") == {"man", "man8", *SHELLS}
    assert complete(completion, "help", "") == {*COMMANDS, LIMITS}


def test_words_that_an_option_takes_are_offered_after_it(completion: Path) -> None:
    assert complete(completion, "pack", "--compress", "") == {"xz", "zstd", "gzip", "none"}
    assert complete(completion, "fetch", "--client", "d") == {"dnf"}


def complete_in_fish(*words: str) -> set[str]:
    """Return what fish offers for the last of *words*, without what it says of each."""
    if shutil.which("fish") is None:
        pytest.skip("not installed: fish")
    script = 'source (printf %s $argv[1] | psub); complete -C "kheadersfs $argv[2]"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script, reference("fish"), " ".join(words)],
        check=True,
        capture_output=True,
        text=True,
    )
    return {line.partition("\t")[0] for line in done.stdout.splitlines()}


def test_fish_offers_commands_options_and_words() -> None:
    assert complete_in_fish("") == {*COMMANDS}
    assert complete_in_fish("--") == {*GENERAL_OPTIONS}
    for name in COMMANDS:
        offered = complete_in_fish(name, "-") | complete_in_fish(name, "--")
        assert offered >= options_of(PARSERS[name])
    assert complete_in_fish("pack", "--compress", "") == {"xz", "zstd", "gzip", "none"}
    assert complete_in_fish("help", "lim") == {LIMITS}


class Terminal(NamedTuple):
    """A terminal at which bash waits."""

    descriptor: int

    def type(self, text: str, until: str) -> None:
        """Type *text*, and wait until *until* is shown."""
        os.write(self.descriptor, text.encode())
        shown = ""
        deadline = time.monotonic() + HANGS
        while until not in shown:
            ready, _, _ = select.select([self.descriptor], [], [], deadline - time.monotonic())
            assert ready, f"{until!r} is not shown, but {shown!r}"
            shown += os.read(self.descriptor, 4096).decode()


@pytest.fixture(params=["bash", "zsh"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal at which a shell has loaded its completion."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"not installed: {shell}")
    file = tmp_path / "completion.sh"
    file.write_text(reference(shell))
    options = ["--norc", "--noprofile"] if shell == "bash" else ["-f"]
    # zsh asks before it uses files that others may have put there, as those of a container seem.
    prepare = "true" if shell == "bash" else "autoload -Uz compinit && compinit -u"
    descriptor, inner = pty.openpty()
    process = subprocess.Popen(
        [shell, *options, "-i"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb"},
    )
    with process:
        try:
            terminal = Terminal(descriptor)
            terminal.type(f"{prepare} && . {file} && PS1=ready'>'\n", "ready>")
            yield terminal
        finally:
            process.kill()
            os.close(inner)
            os.close(descriptor)


def test_the_tabulator_completes_for_real(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "headers.tar.xz").touch()
    terminal.type("kheadersfs mou\t", "kheadersfs mount ")
    terminal.type("--idl\t", "--idle-timeout ")
    terminal.type(f"5 {tmp_path}/hea\t", "headers.tar.xz ")


def test_the_tabulator_completes_what_an_option_takes(terminal: Terminal) -> None:
    terminal.type("kheadersfs repack --compr\t", "--compress ")
    terminal.type("gz\t", "gzip ")

"""Removing comments: the same tokens on the same lines, or the same bytes as the kernel's perl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kheadersfs.pack.comments import COMMENT_FILTERS, keep, strip, strip_as_kernel
from tests.support.tokens import raw_tokens

STRIPPED = {
    "a comment at the end of a line": ("a; /* x */\nb\n", "a;\nb\n"),
    "one on a line of its own": ("a\n\t/* x */\t\nb", "a\n\nb"),
    "one that spans lines": ("a /*\n * x\n */\nb", "a\n\n\nb"),
    "one that keeps two tokens apart": ("int/* x */a; a/**/b", "int a; a b"),
    "one between white space": ("a /* x */ b", "a b"),
    "one before code": ("\t/* x */ a", "\ta"),
    "one at the start": ("/* x */a", " a"),
    "several in a row": ("a /* x *//* y */ // z\nb", "a\nb"),
    "a line comment": ("a // x\nb", "a\nb"),
    "a line comment that goes on": ("a // x \\\n y\nb", "a\n\nb"),
    "slashes in a string": ('"/* x */" "a//b" "\\"/*"', '"/* x */" "a//b" "\\"/*"'),
    "slashes in a character constant": ("'/*' '\"' /* x */ '//'", "'/*' '\"' '//'"),
    "a string over two lines": ('"a \\\n /* b" /* x */\n', '"a \\\n /* b"\n'),
    "a division": ("a / b /c/ *d", "a / b /c/ *d"),
    "slashes in a header name": ("#include <a//b.h> // x\n", "#include <a//b.h>\n"),
    "an apostrophe in text": ("#error don't /* x */\n/* y */", "#error don't /* x */\n"),
    "a comment in a macro": ("#define A \\\n/* x */ \\\n1\n", "#define A \\\n \\\n1\n"),
    "a comment that ends a macro": ("#define A \\\n/* x */\nb", "#define A \\\n\nb"),
    "a directive that goes on behind a comment": (
        "#define A 1 /* x\n */ + 2\nb",
        "#define A 1 \\\n + 2\nb",
    ),
    "a backslash before a comment": ("a \\ /* x */\nb", "a \\ /* x */\nb"),
    "a licence": ("/* SPDX x */ // y\n// z\n// SPDX\n", "/* SPDX x */ // y\n\n// SPDX\n"),
    "a comment without an end": ("a /* b\nc", "a /* b\nc"),
    "the shortest comment": ("a /*/ b */ c /**/ d", "a c d"),
    "delimiters over two lines": ("a /\\\n* x *\\\n/ b", "a \\\n\\\n b"),
    "bytes that are not UTF-8": ("\xe9 /* \xff */ \x80", "\xe9 \x80"),
    "carriage returns": ("a /* x */\r\nb", "a /* x */\r\nb"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("case", STRIPPED)
def test_strip(case: str) -> None:
    text, expected = (side.encode("latin-1") for side in STRIPPED[case])
    assert strip(text) == expected


UNUSUAL_HEADER_NAMES = (
    "#include /* x */ <a//b.h>\n",
    "# /* x */ include <a/*b.h>\n",
    "#include \\\n<a//b.h>\n",
    "#inc\\\nlude <a//b.h>\n",
    "#include <a\\\n//b.h>\n",
    "#include_\\\nnext <a//b.h>\n",
    "%:include <a//b.h>\n",
    "#import <a//b.h>\n",
    "#if __has_include(<a//b.h>)\n",
    "#if __has_include (<a/*b.h>)\n",
    "#if __has_include_next( /* x */ <a//b.h>)\n",
)


@pytest.mark.parametrize("text", UNUSUAL_HEADER_NAMES)
def test_slashes_in_a_header_name_stay_whatever_asks_for_it(text: str) -> None:
    assert strip(f"/* x */\n{text}a; // y\n".encode()) == f"\n{text}a;\n".encode()


@pytest.mark.parametrize("prefix", ["R", "LR", "uR", "UR", "u8R"])
def test_a_header_with_a_raw_string_stays_as_it_is(prefix: str) -> None:
    text = f'a; /* x */ {prefix}"(b" /* no comment */ ")"\n'.encode()
    assert strip(text) == text


def test_a_string_behind_a_name_that_ends_like_a_raw_prefix_is_none() -> None:
    assert strip(b'KERN_ERR"(a)" "R"(b) u8LR"(c)" /* x */\n') == b'KERN_ERR"(a)" "R"(b) u8LR"(c)"\n'


@pytest.mark.parametrize("text", [text for text, _ in STRIPPED.values()])
def test_nothing_is_left_for_a_second_time(text: str) -> None:
    once = strip(text.encode("latin-1"))
    assert strip(once) == once


def test_keep_keeps() -> None:
    assert keep(b"a /* x */\r\n\xff") == b"a /* x */\r\n\xff"


def test_every_name_on_the_command_line_is_there() -> None:
    assert list(COMMENT_FILTERS.values()) == [strip, strip_as_kernel, keep]


# Whatever comments, literals and directives are made of, in small pieces.
PIECES = st.sampled_from(
    [
        *("/*", "*/", "//", "/", "*", "\n", "\\\n", "\\ \n", "\\", '"', "'", " ", "\t", "a", "1"),
        *("\n#", "define A", "SPDX", "SPD", "/**/", "/* x */", "// y\n", "\xe9"),
        *("don't", '"s"', "'c'", "\n\n", "??/", "L"),
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode("latin-1"))


@pytest.mark.skipif(shutil.which("clang") is None, reason="not installed: clang")
@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=40, max_size=40))
def test_clang_sees_the_same_tokens_on_the_same_lines(texts: list[bytes]) -> None:
    with TemporaryDirectory() as scratch:
        before = raw_tokens(texts, Path(scratch))
        after = raw_tokens([strip(text) for text in texts], Path(scratch))
    for text, expected, actual in zip(texts, before, after, strict=True):
        assert actual == expected, (text, strip(text))


@pytest.mark.skipif(shutil.which("perl") is None, reason="not installed: perl")
@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_the_kernels_way_is_that_of_its_perl(text: bytes) -> None:
    done = subprocess.run(
        ["perl", "-pe", r"BEGIN {undef $/;}; s/\/\*((?!SPDX).)*?\*\///smg;"],
        check=True,
        input=text,
        capture_output=True,
    )
    assert strip_as_kernel(text) == done.stdout


def test_no_header_takes_longer_than_its_size_explains() -> None:
    # A regular expression that went back and tried again would take hours for these.
    for piece in (
        *(b"/* ", b'"', b"'", b"\\\n", b"/\\\n", b"*\\\n", b"//\\\n", b"#include <"),
        *(b"#/**/", b"# /* x", b"#i\\\n", b"__has_include /**/", b"#include<a\\\n"),
    ):
        for start in (b"", b"/*", b'"'):
            text = start + piece * 100_000
            assert len(strip(text)) <= len(text)

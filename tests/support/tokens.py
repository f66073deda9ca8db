"""What clang's lexer sees in C text, before any preprocessing."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# One token of clang -dump-raw-tokens. Its text may hold newlines and quotes.
_DUMPED = re.compile(
    rb"([a-z_0-9]+) '(.*?)'\t( \[StartOfLine\])?(?: \[LeadingSpace\])?"
    rb"(?: \[UnClean='.*?'\])?\tLoc=<([0-9]+)\.h:([0-9]+):[0-9]+>\n",
    re.DOTALL,
)
_WHITE_SPACE = b" \t\f\v\n\\"


class Token(NamedTuple):
    """A token, with what the preprocessor makes a difference of besides its text."""

    kind: bytes
    text: bytes
    line: int
    starts_line: bool
    after_space: bool


def raw_tokens(texts: Sequence[bytes], scratch: Path) -> list[list[Token]]:
    """Return the tokens of each of *texts*; files are written to the directory *scratch*.

    Comments are no tokens, except those with SPDX, which nobody may remove.
    """
    for number, text in enumerate(texts):
        (scratch / f"{number}.h").write_bytes(text)
    names = [f"{number}.h" for number in range(len(texts))]
    dump = subprocess.run(
        ["clang", "-cc1", "-dump-raw-tokens", *names],
        check=False,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ).stderr
    tokens: list[list[Token]] = [[] for _ in texts]
    starts_line = after_space = False
    position = 0
    for match in _DUMPED.finditer(dump):
        assert match.start() == position, dump[position : match.start()]
        position = match.end()
        kind, text, at_start, file, line = match.groups()
        starts_line = starts_line or bool(at_start)
        if (kind == b"comment" and b"SPDX" not in text) or (
            kind == b"unknown" and not text.strip(_WHITE_SPACE)
        ):
            after_space = True
            continue
        if kind != b"eof":
            tokens[int(file)].append(
                Token(kind, text, int(line), starts_line, after_space or starts_line)
            )
        starts_line = after_space = False
    return tokens

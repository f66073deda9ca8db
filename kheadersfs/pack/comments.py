"""Take the comments out of C headers, on bytes and in one pass.

Three ways, named as on the command line:

``strip``
    A C lexer: it knows string literals, character constants, header names,
    line continuations and ``//``. What it leaves is the same tokens on the
    same lines: a removed comment leaves its newlines behind, so ``__LINE__``,
    the lines in a compiler's messages and in BTF are those of the source tree,
    and a directive ends where it ended. (Dropping the newlines too would make
    the archive 1.2 % smaller and all of those wrong.)
``kernel``
    The bytes that the perl substitution in the kernel's gen_kheaders.sh makes,
    with its faults: it knows no string literals and can glue two tokens.
``keep``
    The bytes as they are.

Both removals keep a comment that says SPDX: a licence is stated there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Horizontal white space, as C99 6.4 has it.
_WHITE_SPACE = b" \t\f\v"
_BLANK = rb"[ \t\f\v]*+"

# Compilers take a backslash, white space and a newline for a continuation too.
_SPLICE = rb"\\" + _BLANK + rb"\n"
_SPLICES = rb"(?:" + _SPLICE + rb")*"

# No group is repeated possessively: Python before 3.11.5 does not match such a group right
# (gh-106052), and Debian 12 has 3.11.2. Nothing here is ambiguous, so it costs little.

# Each without its first slash: the alternatives of _TOKEN must start with a
# literal byte, or re tries them at every byte instead of searching (3 x slower).
_BLOCK_TAIL = (
    _SPLICES
    + rb"\*[^*]*+(?:\*(?!/|(?:" + _SPLICE + rb")+/)[^*]*+)*\*"
    + _SPLICES
    + rb"/"
)  # fmt: skip
_LINE_TAIL = _SPLICES + rb"/[^\n\\]*+(?:\\(?:" + _BLANK + rb"\n)?[^\n\\]*+)*"
_COMMENT_TAIL = rb"(?:" + _BLOCK_TAIL + rb"|" + _LINE_TAIL + rb")"
_COMMENTS = rb"/(" + _COMMENT_TAIL + rb"(?:" + _BLANK + rb"/" + _COMMENT_TAIL + rb")*)" + _BLANK
_UNTERMINATED_COMMENT = rb"/" + _SPLICES + rb"\*[\s\S]*+"


def _quoted(quote: bytes) -> bytes:
    """Return the pattern of a literal; without its second *quote* it takes the rest of the line."""
    plain = rb"[^\n\\" + quote + rb"]*+"
    escape = rb"(?:" + _SPLICE + rb"|\\" + _SPLICES + rb"[^\n])"
    return quote + plain + rb"(?:" + escape + plain + rb")*" + quote + rb"?+"


def _spliced(word: bytes) -> bytes:
    """Return the pattern of *word*, which may be continued on another line anywhere."""
    return _SPLICES.join(re.escape(word[at : at + 1]) for at in range(len(word)))


# Header names are only what stands behind these words, and what may stand between. A comment
# there stays, because it is within the match.
_GAP = rb"(?:[ \t\f\v]++|" + _SPLICE + rb"|/" + _BLOCK_TAIL + rb")*"
_NEXT = rb"(?:" + _SPLICES + _spliced(b"_next") + rb")?"
_HEADER_NAME = rb"<[^>\n\\]*+(?:\\(?:" + _BLANK + rb"\n)?[^>\n\\]*+)*>?+"
_INCLUSION = (
    _GAP
    + rb"(?:" + _spliced(b"include") + _NEXT + rb"|" + _spliced(b"import") + rb")"
    + _GAP
    + _HEADER_NAME
)  # fmt: skip
_HAS_INCLUDE = b"__has_include"
_QUESTION = _HAS_INCLUDE + _NEXT + _GAP + rb"(?:\(" + _GAP + rb")?" + _HEADER_NAME

# The quote behind a raw string's prefix, which is no part of a longer name.
_RAW_QUOTE = (
    rb'"(?<=R")(?:(?<!\wR")|(?<=[uUL]R")(?<!\w[uUL]R")|(?<=u8R")(?<!\wu8R"))()'
)  # fmt: skip
_RAW_GROUP = 2

#: Comments (the first group), raw strings (the second), and whatever else may hold what only
#: looks like a comment.
_TOKENS = (
    *(_COMMENTS, _UNTERMINATED_COMMENT, _RAW_QUOTE, _quoted(rb'"'), _quoted(rb"'")),
    *(rb"#" + _INCLUSION, _spliced(b"%:") + _INCLUSION),
)
_TOKEN = re.compile(rb"|".join(_TOKENS))
# It stops at every underscore, which is slow, and hardly any header asks.
_TOKEN_OR_QUESTION = re.compile(rb"|".join((*_TOKENS, _QUESTION)))

#: The kernel's ``s/\/\*((?!SPDX).)*?\*\///smg``, unrolled (5 x faster, same matches).
_KERNEL_COMMENT = re.compile(rb"/\*[^S*]*+(?:(?:S(?!PDX)|\*(?!/))[^S*]*+)*\*/")


def strip(text: bytes) -> bytes:
    """*text* without comments: the same C tokens (C11, no trigraphs) on the same lines.

    A comment between code and code becomes one space, followed by as many
    continued lines as it spanned, because the newlines in a comment do not
    end a directive. A comment at the end of a line leaves its newlines. After
    a backslash it stays: without it the backslash could come to end a line.
    It also stays between #include, or what is like it, and its header name.
    A header with carriage returns stays as it is, because compilers disagree
    on which of them end a line; so does one with a raw string of C++, which
    compilers know in C too, and assemblers do not.
    """
    token = _TOKEN_OR_QUESTION if _HAS_INCLUDE in text else _TOKEN
    if b"\r" in text:
        return text
    pieces = []
    position = 0
    for match in token.finditer(text):
        if match.lastindex is None:
            continue
        if match.lastindex == _RAW_GROUP:
            return text
        start, end = match.span()
        if text.find(b"SPDX", start, end) >= 0:
            continue
        before = text[position:start]
        code = before.rstrip(_WHITE_SPACE)
        if code.endswith(b"\\"):
            continue
        newlines = text.count(b"\n", start, end)
        if text[end : end + 1] in (b"\n", b""):
            pieces.append(code)
            if newlines:
                pieces.append(b"\n" * newlines)
        else:
            indents = len(before) > len(code) and code[-1:] in (b"\n", b"")
            pieces.append(before if indents else code + b" ")
            if newlines:
                pieces.append(b"\\\n" * newlines + b" ")
        position = end
    pieces.append(text[position:])
    return b"".join(pieces)


def strip_as_kernel(text: bytes) -> bytes:
    """*text* as the kernel's own script leaves it, byte for byte."""
    return _KERNEL_COMMENT.sub(b"", text)


def keep(text: bytes) -> bytes:
    """*text* as it is."""
    return text


#: What ``--comments`` may name.
COMMENT_FILTERS: dict[str, Callable[[bytes], bytes]] = {
    "strip": strip,
    "kernel": strip_as_kernel,
    "keep": keep,
}

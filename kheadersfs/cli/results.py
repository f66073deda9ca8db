"""What ``run --each`` tells of its runs: a table, JSON, and the XML that CI systems read."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from kheadersfs.errors import escaped
from kheadersfs.pack.output import complete_file

if TYPE_CHECKING:
    from kheadersfs.run.each import Outcome

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


class _Tried(Exception):
    """Ends an attempt to write before anything is."""


def table(outcomes: list[Outcome]) -> str:
    """Return a line for each of *outcomes*, and what they come to."""
    lines = ["status  seconds  headers  archive"]
    for outcome in outcomes:
        figures = f"{outcome.status:6}  {outcome.seconds:7.2f}  {outcome.headers:7}"
        lines.append(f"{figures}  {escaped(outcome.target.label)}")
    failed = count_failed(outcomes)
    idle = sum(outcome.status == 0 and not outcome.headers for outcome in outcomes)
    if idle:
        lines.append(
            f"{idle} opened no header, so nothing was compiled for that kernel now; see --output"
        )
    lines.append(f"{len(outcomes) - failed} succeeded, {failed} failed")
    return "\n".join(lines)


def as_json(outcomes: list[Outcome]) -> str:
    """Return *outcomes* as a JSON array."""
    told = [
        {
            "archive": outcome.target.archive,
            "name": outcome.target.name,
            "status": outcome.status,
            "seconds": round(outcome.seconds, 3),
            "headers": outcome.headers,
        }
        for outcome in outcomes
    ]
    return json.dumps(told, indent=2)


def require_place(path: str) -> None:
    """Raise KheadersfsError if *path* cannot be written; what comes before may take hours."""
    with suppress(_Tried), complete_file(path):
        raise _Tried


def write_junit(outcomes: list[Outcome], path: str) -> None:
    """Write *outcomes* to *path* as a test suite with a test case for each.

    There is no standard; Jenkins and GitLab read what https://llg.cubic.org/docs/junit/ describes.
    Raises KheadersfsError.
    """
    seconds = sum(outcome.seconds for outcome in outcomes)
    totals = f'tests="{len(outcomes)}" failures="{count_failed(outcomes)}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites {totals} time="{seconds:.3f}">',
        f'<testsuite name="kheadersfs run" {totals} skipped="0" time="{seconds:.3f}">',
        *map(_test_case, outcomes),
        "</testsuite>",
        "</testsuites>",
    ]
    with complete_file(path) as file:
        file.write("\n".join([*lines, ""]).encode())


def count_failed(outcomes: list[Outcome]) -> int:
    """Return for how many kernels the command failed."""
    return sum(outcome.status != 0 for outcome in outcomes)


def _test_case(outcome: Outcome) -> str:
    attributes = f'classname="kheadersfs.run" name={_quoted(outcome.target.name)}'
    lines = [f'<testcase {attributes} time="{outcome.seconds:.3f}">']
    if outcome.status:
        lines.append(f'<failure message="exit status {outcome.status}"/>')
    output = f"{outcome.target.label}: {outcome.headers} headers opened\n"
    output += outcome.output.decode(errors="backslashreplace")
    lines += [f"<system-out>{escape(_printable(output))}</system-out>", "</testcase>"]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return quoteattr(_printable(text))


def _printable(text: str) -> str:
    """Return *text* with everything escaped that XML cannot hold."""
    return _NOT_IN_XML.sub(lambda found: escaped(found[0]), text)

"""The figures of all kept runs of `build` as a picture: SVG, written line by line.

It has the names, the order and the figures of the tables; see publishing.py. It is as wide as a
README is shown, and its colours follow the reader's: light, or dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmark.contenders import BASELINE

if TYPE_CHECKING:
    from benchmark.runs import Results, Row

WIDTH = 700
"""Pixels. Text is 13 of them high."""
LABELS = 282
"""Pixels for the names; bars begin there."""
ROW, BAR = 22, 14
TOP = 88
"""Pixels for the title and the legend."""
LIMIT = 3.0
"""Where the axis ends; longer bars are cut off there, and say how long they are."""
UNIT = (WIDTH - LABELS - 62) / LIMIT
"""Pixels that 1.00 takes."""
# Okabe and Ito's blue, which people with any colour vision can tell from grey.
STYLE = """
  svg { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e }
  .line { stroke: #1f2328; stroke-width: 1.5 } .grid { stroke: #59636e; stroke-dasharray: 2 3 }
  .ours { fill: #0072b2 } .others { fill: #a8a8a8 } .baseline { fill: #59636e }
  .bold { font-weight: bold } .right { text-anchor: end } .title { font-size: 15px }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .soft { fill: #9198a1 }
    .line { stroke: #f0f6fc } .grid { stroke: #9198a1 }
    .ours { fill: #56b4e9 } .others { fill: #6e7681 } .baseline { fill: #9198a1 }
  }
"""
LEGEND = (("ours", "kheadersfs"), ("others", "other ways"), ("baseline", "extracted already: 1.00"))


def draw_builds(results: Results) -> str:
    """Return *results* as an SVG document."""
    height = TOP + ROW * len(results.rows) + 30
    title = "Make headers visible, compile one eBPF program, take them away"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}: time relative to headers in a tmpfs</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        _text(12, 24, title, "ink bold title"),
        _text(12, 44, "Time relative to headers in a tmpfs; shorter is better", "soft"),
        *_legend(len(results.baselines)),
        *_grid(height),
    ]
    for number, row in enumerate(results.rows):
        lines += _row(row, TOP + ROW * number)
    lines.append(_text(12, height - 10, _caption(results), "soft"))
    return "\n".join([*lines, "</svg>", ""])


def _caption(results: Results) -> str:
    host = results.host
    return (
        f"{host.processors} processors, Linux {host.kernel_series}, "
        f"idle driver {host.idle_driver}; "
        f"{len(results.baselines)} x {results.rounds} interleaved rounds, {host.when[:10]}"
    )


def _legend(runs: int) -> list[str]:
    spread = "quartiles of the rounds" if runs == 1 else "lowest to highest run"
    lines = []
    left = 12
    for kind, label in LEGEND:
        lines.append(f'<rect class="{kind}" x="{left}" y="56" width="14" height="14"/>')
        lines.append(_text(left + 20, 68, label, "ink"))
        left += 36 + 7 * len(label)
    lines.append(_line(left, 63, left + 24, 63, "line"))
    lines.append(_text(left + 30, 68, spread, "ink"))
    return lines


def _grid(height: int) -> list[str]:
    x = LABELS + UNIT
    return [_line(x, TOP - 4, x, height - 26, "grid")]


def _row(row: Row, top: int) -> list[str]:
    total = row.figures["total"]
    middle = top + ROW // 2
    weight = " bold" if row.family == "ours" else ""
    length = min(total.median, LIMIT) * UNIT
    form = ".2f" if total.median < 10 else ".0f"
    end = length
    lines = [
        _text(LABELS - 8, middle + 4, row.title, f"ink right{weight}"),
        f'<rect class="{_kind(row)}" x="{LABELS}" y="{middle - BAR // 2}" '
        f'width="{length:.1f}" height="{BAR}"/>',
    ]
    if total.median <= LIMIT:
        low, high = (LABELS + min(value, LIMIT) * UNIT for value in (total.low, total.high))
        lines.append(_line(low, middle, high, middle, "line"))
        end = max(length, high - LABELS)
        label = format(total.median, form)
    else:
        label = f"{total.median:{form}} \N{RIGHTWARDS ARROW}"
    lines.append(_text(LABELS + end + 6, middle + 4, label, f"ink{weight}"))
    return lines


def _kind(row: Row) -> str:
    if row.key == BASELINE:
        return "baseline"
    return "ours" if row.family == "ours" else "others"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'

"""The figures of `build` as a picture; needs matplotlib, which the extra ``bench`` brings."""

from __future__ import annotations

from typing import Any

from benchmark.contenders import BASELINE
from benchmark.errors import BenchError

WIDTH = 8.4
"""Inches; at 100 pixels each this is what a README is wide."""
ROW = 0.34
"""Inches that one contender takes."""
LIMIT = 3.0
"""Where the axis ends; longer bars are cut off there, and say how long they are."""
# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = {"ours": "#0072B2", "others": "#999999", "baseline": "#333333"}
LEGEND = {"ours": "kheadersfs", "others": "other ways", "baseline": "what all are compared with"}
WHISKER = "quartiles of the rounds"
INK = "#222222"


def draw_builds(builds: list[dict[str, Any]], path: str) -> None:
    """Draw *builds*, as build.describe_builds returns them, into the SVG or PNG file *path*.

    Raises BenchError when matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise BenchError("a chart needs matplotlib: pip install 'kheadersfs[bench]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    # The same figures give the same file, so that it can be kept under version control.
    mpl.rcParams.update({"svg.hashsalt": "kheadersfs", "font.size": 10, "text.color": INK})
    rows = sorted(builds, key=lambda row: float(row["ratio"]["median"]), reverse=True)
    layout = ConstrainedLayoutEngine(w_pad=0.1)  # inches to the edges
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.2 + ROW * len(rows)), layout=layout)
    for position, row in enumerate(rows):
        median = row["ratio"]["median"]
        shown = min(median, LIMIT)
        axes.barh(position, shown, color=COLOURS[_colour(row)], height=0.72)
        if median <= LIMIT:
            axes.plot(
                [row["ratio"]["low"], min(row["ratio"]["high"], LIMIT)],
                [position, position],
                color=INK,
                linewidth=1.2,
            )
        label = f"{median:.2f}" if median < 10 else f"{median:.0f}"
        axes.annotate(
            label if median <= LIMIT else f"{label} \N{RIGHTWARDS ARROW}",
            (max(shown, min(row["ratio"]["high"], LIMIT)), position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if row["family"] == "ours" else "normal",
        )
    axes.axvline(1.0, color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.set_xlim(0, LIMIT * 1.15)  # with room for the figures of bars that are cut off
    axes.legend(
        handles=[
            *(Patch(color=COLOURS[kind], label=label) for kind, label in LEGEND.items()),
            Line2D([], [], color=INK, linewidth=1.2, label=WHISKER),
        ],
        loc="upper right",
        fontsize=9,
        frameon=False,
    )
    axes.set_xlabel("time, relative to headers in a tmpfs; shorter is better")
    figure.suptitle(
        "Make headers visible, compile one eBPF program, take them away",
        x=0.01,
        horizontalalignment="left",
        fontsize=11,
        fontweight="bold",
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=200, metadata={"Date": None} if path.endswith(".svg") else None)
    pyplot.close(figure)


def _colour(row: dict[str, Any]) -> str:
    if row["key"] == BASELINE:
        return "baseline"
    return "ours" if row["family"] == "ours" else "others"

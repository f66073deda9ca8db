"""How the stream of a packed archive is cut into blocks, and why so.

A build opens some 700 headers, nearly all among the most-reached 4.5 MB. These lie in blocks that
decode in about 5 ms each, so that the first header comes soon and both cores share the work.
What hardly any build reads lies in blocks as large as compresses best.
"""

from __future__ import annotations

from kheadersfs.pack.writing import Layout, Tier

_KIB, _MIB = 1 << 10, 1 << 20
HOT_SIZE = 9 * _MIB // 2
_TIERS = (
    Tier(HOT_SIZE, 512 * _KIB),
    Tier(8 * _MIB, _MIB),
    Tier(1 << 62, 4 * _MIB),
)


def layout(kernels: int = 1) -> Layout:
    """Return the layout for an archive with the headers of so many *kernels*, hot ones first."""
    return Layout(
        HOT_SIZE * kernels,
        tuple(tier._replace(end=tier.end * kernels) for tier in _TIERS),
    )

"""Order the headers of an archive, so that those that most builds read come first.

The reach of a header is how many headers include it, directly or through others. It is computed
from the text of ``#include`` lines without a preprocessor, so it also counts includes that a
configuration leaves out. That does no harm, as reach only decides which headers are neighbours. No
header shows what eBPF programs include themselves, so what they often include is counted as if some
headers were such programs.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.kernel.including import ALWAYS_INCLUDED
from kheadersfs.kernel.searching import search_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kheadersfs.kernel.including import Inclusion

_INCLUDED_BY_PROGRAMS = b"include/uapi/linux/bpf.h"
_HEADERS_A_PROGRAM = 32
"""How many headers there are for each such program that is counted: enough programs for what they
include to be among the hot headers, too few for it to come before what most headers include."""


def by_reach(headers: Mapping[bytes, Iterable[Inclusion]], srcarch: str) -> list[bytes]:
    """Return the paths of *headers*, most-reached first, those of equal reach by path.

    *headers* has the inclusions of each by its path from the kernel tree's root.
    """
    paths = sorted(headers)
    edges = _resolve(paths, headers, search_path(srcarch))
    reach = _reach(edges)
    if _INCLUDED_BY_PROGRAMS in headers:
        for number in _reached_from(paths.index(_INCLUDED_BY_PROGRAMS), edges):
            reach[number] += len(paths) // _HEADERS_A_PROGRAM
    return [paths[number] for number in sorted(range(len(paths)), key=lambda i: (-reach[i], i))]


def by_profile(paths: Iterable[bytes], profile: Iterable[bytes]) -> list[bytes]:
    """Return those of *paths* that *profile* lists, in the profile's order.

    Whatever else it lists is another kernel's, and is passed over.
    """
    present = set(paths)
    return [path for path in dict.fromkeys(profile) if path in present]


def _resolve(
    paths: Sequence[bytes],
    headers: Mapping[bytes, Iterable[Inclusion]],
    directories: Sequence[bytes],
) -> list[list[int]]:
    """Return for each of *paths* the numbers of the headers that it includes."""
    numbers = {path: number for number, path in enumerate(paths)}
    always = [numbers[path] for path in ALWAYS_INCLUDED if path in numbers]
    searched: dict[bytes, int | None] = {}

    def search(name: bytes) -> int | None:
        candidates = (posixpath.normpath(directory + b"/" + name) for directory in directories)
        return next((numbers[path] for path in candidates if path in numbers), None)

    def find(path: bytes, bracketed: bytes, quoted: bytes) -> int | None:
        if quoted:
            beside = posixpath.normpath(posixpath.dirname(path) + b"/" + quoted)
            if beside in numbers:
                return numbers[beside]
        name = bracketed or quoted
        if name not in searched:
            searched[name] = search(name)
        return searched[name]

    edges = []
    for path in paths:
        found = (find(path, bracketed, quoted) for bracketed, quoted in headers[path])
        edges.append(list(dict.fromkeys([*always, *(n for n in found if n is not None)])))
    return edges


def _reach(edges: Sequence[Sequence[int]]) -> list[int]:
    """Return for each node of the graph from how many others it can be reached.

    The nodes of a cycle reach the same, so sets of ancestors are kept per strongly connected
    component, each as the bits of one integer.
    """
    components = _strong_components(edges)
    ancestors = [0] * len(components.members)
    reach = [0] * len(edges)
    # Tarjan completes a component before those that lead to it, so the last has no ancestors.
    for number in range(len(components.members) - 1, -1, -1):
        members = components.members[number]
        bits, ancestors[number] = ancestors[number], 0
        for member in members:
            bits |= 1 << member
        for member in members:
            reach[member] = bits.bit_count() - 1
            for target in edges[member]:
                if components.of[target] != number:
                    ancestors[components.of[target]] |= bits
    return reach


def _reached_from(start: int, edges: Sequence[Sequence[int]]) -> set[int]:
    """Return the nodes of the graph to which a way leads from *start*, itself among them."""
    reached = {start}
    following = [start]
    while following:
        new = set(edges[following.pop()]) - reached
        reached |= new
        following += new
    return reached


class _Components(NamedTuple):
    """The component that each node is in, and the nodes of each component."""

    of: list[int]
    members: list[list[int]]


class _Tarjan:
    """R. Tarjan, "Depth-first search and linear graph algorithms", 1972, without recursion."""

    def __init__(self, edges: Sequence[Sequence[int]]) -> None:
        self._edges = edges
        self._visits = 0
        self._order = [0] * len(edges)
        self._low = [0] * len(edges)
        self._stack: list[int] = []
        self.components = _Components([-1] * len(edges), [])

    def explore(self, start: int) -> None:
        """Complete the components of all nodes that can be reached from *start*."""
        if self._order[start]:
            return
        path = [(start, self._enter(start))]
        while path:
            node, targets = path[-1]
            for target in targets:
                if not self._order[target]:
                    path.append((target, self._enter(target)))
                    break
                if self.components.of[target] < 0:
                    self._low[node] = min(self._low[node], self._order[target])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    self._low[parent] = min(self._low[parent], self._low[node])
                if self._low[node] == self._order[node]:
                    self._complete(node)

    def _enter(self, node: int) -> Iterator[int]:
        self._visits += 1
        self._order[node] = self._low[node] = self._visits
        self._stack.append(node)
        return iter(self._edges[node])

    def _complete(self, root: int) -> None:
        """Take the component that *root* was the first node of off the stack."""
        members: list[int] = []
        while not members or members[-1] != root:
            members.append(self._stack.pop())
            self.components.of[members[-1]] = len(self.components.members)
        self.components.members.append(members)


def _strong_components(edges: Sequence[Sequence[int]]) -> _Components:
    search = _Tarjan(edges)
    for node in range(len(edges)):
        search.explore(node)
    return search.components

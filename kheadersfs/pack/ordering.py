"""In which order headers go into the archive: those that most builds read come first.

Reach of a header: how many headers include it, directly or through others. It is computed from
the text of ``#include`` lines, without a preprocessor, so it counts includes that a configuration
leaves out; it serves to put neighbours together, not to decide what is there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

_INCLUDE = re.compile(rb'#[ \t]*+include[ \t]*+(?:<([^>\n]++)>|"([^"\n]++)")')


def by_reach(texts: Mapping[bytes, bytes], srcarch: str) -> list[bytes]:
    """Return the paths of *texts* (path from the tree's root to content), most-reached first.

    Equal reach is ordered by path.
    """
    paths = sorted(texts)
    reach = _count_ancestors(_includes(paths, texts, search_path(srcarch)))
    return [paths[number] for number in sorted(range(len(paths)), key=lambda i: (-reach[i], i))]


def by_profile(paths: Iterable[bytes], profile: Sequence[bytes]) -> list[bytes]:
    """Return *paths* with those that *profile* lists first, in its order, then the rest as given.

    What the profile lists besides is another kernel's, and is passed over.
    """
    rest = dict.fromkeys(paths)
    listed = [path for path in dict.fromkeys(profile) if path in rest]
    for path in listed:
        del rest[path]
    return [*listed, *rest]


def search_path(srcarch: str) -> list[bytes]:
    """Return the directories that <...> is searched in, as LINUXINCLUDE of the kernel's Makefile."""
    arch = b"arch/" + srcarch.encode() + b"/include"
    return [
        arch,
        arch + b"/generated",
        b"include",
        arch + b"/uapi",
        arch + b"/generated/uapi",
        b"include/uapi",
        b"include/generated/uapi",
    ]


def _includes(
    paths: Sequence[bytes], texts: Mapping[bytes, bytes], directories: Collection[bytes]
) -> list[list[int]]:
    """Return for each of *paths* the numbers of the headers that its text includes."""
    numbers = {path: number for number, path in enumerate(paths)}
    found: dict[bytes, int] = {}

    def search(name: bytes) -> int:
        for directory in directories:
            number = numbers.get(posixpath.normpath(directory + b"/" + name))
            if number is not None:
                return number
        return -1

    edges: list[list[int]] = []
    for path in paths:
        targets: dict[int, None] = {}
        for bracketed, quoted in _INCLUDE.findall(texts[path]):
            name = bracketed or quoted
            number = -1
            if quoted:
                beside = posixpath.normpath(posixpath.dirname(path) + b"/" + quoted)
                number = numbers.get(beside, -1)
            if number < 0:
                if name not in found:
                    found[name] = search(name)
                number = found[name]
            if number >= 0:
                targets[number] = None
        edges.append(list(targets))
    return edges


def _count_ancestors(edges: Sequence[Sequence[int]]) -> list[int]:
    """Return for each node of the graph *edges* how many others lead to it.

    Nodes that lead to each other (headers that include each other) are one component, and
    components are visited with those that lead to them before them. Sets of nodes are integers
    with a bit per node: the union of two is one machine operation per 30 nodes.
    """
    components = _components(edges)
    component_of = [0] * len(edges)
    members = [0] * len(components)
    for number, component in enumerate(components):
        for node in component:
            component_of[node] = number
            members[number] |= 1 << node
    leading = [0] * len(components)
    counts = [0] * len(edges)
    # _components() lists what is led to first.
    for number in range(len(components) - 1, -1, -1):
        reached_by = leading[number] | members[number]
        count = reached_by.bit_count() - 1
        for node in components[number]:
            counts[node] = count
            for target in edges[node]:
                if component_of[target] != number:
                    leading[component_of[target]] |= reached_by
    return counts


def _components(edges: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the strongly connected components, each before all that lead to it.

    R. Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972, with a stack of its own.
    """
    index: list[int] = [-1] * len(edges)
    low = [0] * len(edges)
    on_stack = [False] * len(edges)
    stack: list[int] = []
    found: list[list[int]] = []
    visited = 0
    for root in range(len(edges)):
        path = [(root, iter(edges[root]))] if index[root] < 0 else []
        while path:
            node, targets = path[-1]
            if index[node] < 0:
                index[node] = low[node] = visited
                visited += 1
                stack.append(node)
                on_stack[node] = True
            target = next(targets, None)
            if target is not None:
                if index[target] < 0:
                    path.append((target, iter(edges[target])))
                elif on_stack[target]:
                    low[node] = min(low[node], index[target])
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == index[node]:
                start = stack.index(node)
                component, stack[start:] = stack[start:], []
                for member in component:
                    on_stack[member] = False
                found.append(component)
    return found

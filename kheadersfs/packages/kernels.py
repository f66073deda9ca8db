"""Which packages are of one kernel: those that one of them needs, which no other needs itself.

The packages of a kernel name each other in their dependencies: a flavour's needs the one with the
sources' headers, by exact version. So the packages of any number of kernels fall apart into theirs,
and one with the sources' headers is part of several. What a package says of itself may be wrong;
whether the trees of a kernel are there is found out in its files.
"""

from __future__ import annotations

from typing import NamedTuple

from kheadersfs.errors import UsageError
from kheadersfs.packages.facts import Facts, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Kernel(NamedTuple):
    """The packages of one kernel, by their numbers: first the one that needs the others.

    ``missing`` are those that are needed and not there.
    """

    label: str
    packages: list[int]
    missing: list[Need]


def kernels_of(facts: Sequence[Facts]) -> list[Kernel]:
    """Return the kernels that packages of these *facts* are of.

    Raises UsageError for the same package twice, and for one that another needs in a version
    that is not there.
    """
    _require_different(facts)
    providers = [[_provider(need, facts, owner.label) for need in owner.needs] for owner in facts]
    needed = {number for found in providers for number in found if number is not None}
    first = [number for number in range(len(facts)) if number not in needed]
    return [_kernel(number, facts, providers) for number in first or range(len(facts))]


def _kernel(first: int, facts: Sequence[Facts], providers: list[list[int | None]]) -> Kernel:
    packages: list[int] = []
    missing: list[Need] = []
    waiting = [first]
    while waiting:
        number = waiting.pop()
        if number in packages:
            continue
        packages.append(number)
        for need, found in zip(facts[number].needs, providers[number], strict=True):
            if found is None:
                missing.append(need)
            else:
                waiting.append(found)
    return Kernel(facts[first].label, packages, missing)


def _provider(need: Need, facts: Sequence[Facts], owner: str) -> int | None:
    """Return the number of the package that *owner* means by *need*, None if it is not there."""
    named = [number for number, found in enumerate(facts) if found.name == need.name]
    for number in named:
        if satisfies(facts[number], need):
            return number
    if named:
        raise UsageError(
            f"{owner} needs {need.name} {need.version}, and {facts[named[0]].label} is another: "
            "give the two that belong together"
        )
    return None


def satisfies(facts: Facts, need: Need) -> bool:
    """Tell whether the package of *facts* is what *need* asks for."""
    return facts.name == need.name and (
        need.version in ("", facts.version) or facts.version.startswith(f"{need.version}-")
    )


def _require_different(facts: Sequence[Facts]) -> None:
    seen: set[str] = set()
    for found in facts:
        if found.label in seen:
            raise UsageError(f"{found.label}: is there twice; name it once")
        seen.add(found.label)

"""Which packages belong to the same kernel, by their dependencies.

A distribution may split the headers of a kernel into two packages: those of one flavour, and those
from the sources that all flavours share. The first depends on the second by exact version. So a
package that no other needs begins a kernel, and what it needs belongs to the same kernel. A package
with shared headers belongs to several kernels.

What a package says of itself may be wrong. Its files show later whether the kernel's trees are
there.
"""

from __future__ import annotations

from typing import NamedTuple

from kheadersfs.errors import UsageError
from kheadersfs.packages.facts import Facts, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Kernel(NamedTuple):
    """The packages of one kernel, by their numbers. The first one needs the others.

    ``label`` is that of the first package. ``missing`` are needed packages that were not given.
    """

    label: str
    packages: list[int]
    missing: list[Need]


def kernels_of(facts: Sequence[Facts]) -> list[Kernel]:
    """Return the kernels to which the packages with these *facts* belong.

    Raises UsageError when a package is given twice, or in another version than a package that
    needs it asks for.
    """
    _require_different(facts)
    providers = [[_provider(need, facts, owner.label) for need in owner.needs] for owner in facts]
    needed = {number for found in providers for number in found if number is not None}
    first = [number for number in range(len(facts)) if number not in needed]
    return [_kernel(number, facts, providers) for number in first or range(len(facts))]


def _kernel(first: int, facts: Sequence[Facts], providers: list[list[int | None]]) -> Kernel:
    """Return the kernel of package number *first* and of all that it needs, directly or not."""
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
    """Return the number of the package that fulfils *need* of *owner*, None if none is given.

    Raises UsageError when only another version is given.
    """
    named = [number for number, found in enumerate(facts) if found.name == need.name]
    for number in named:
        if satisfies(facts[number], need):
            return number
    if named:
        raise UsageError(
            f"{owner} needs {need.name} {need.version}, and {facts[named[0]].label} is another "
            "version; give the two that belong together"
        )
    return None


def satisfies(facts: Facts, need: Need) -> bool:
    """Tell whether the package of *facts* fulfils *need*.

    The version in *need* may be without the revision of the package, the part behind a hyphen.
    """
    return facts.name == need.name and (
        need.version in ("", facts.version) or facts.version.startswith(f"{need.version}-")
    )


def _require_different(facts: Sequence[Facts]) -> None:
    """Raise UsageError when two of *facts* are of the same package."""
    seen: set[str] = set()
    for found in facts:
        if found.label in seen:
            raise UsageError(f"{found.label}: is there twice; name it once")
        seen.add(found.label)

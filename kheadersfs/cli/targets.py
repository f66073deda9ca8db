"""What ``run --each`` runs for: each archive, or each of the kernels in it."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import lists_kernels
from kheadersfs.cli.kernels import ask_kernels, what_there_is
from kheadersfs.errors import KheadersfsError, NotInArchive
from kheadersfs.run.places import Target, names_of, safe_name

if TYPE_CHECKING:
    from kheadersfs.fuse.options import ServeOptions


def find_targets(archives: list[str], pattern: str | None, options: ServeOptions) -> list[Target]:
    """Return what to run for: all, or with a *pattern* what matches it by name or release.

    An archive that cannot be read is one too: what is wrong with it is said when its turn comes.
    Raises NotInArchive when nothing matches.
    """
    targets: list[Target] = []
    passed = []
    names = dict(zip(archives, names_of(archives), strict=True))
    for path in archives:
        name = names[path]
        try:
            archive = open_archive(path, options.limits)
            several = lists_kernels(archive)
            known = ask_kernels(archive, options.budget) if several or pattern is not None else []
        except KheadersfsError:
            targets.append(Target(path, name, None, path))
            continue
        archive.close()
        if not known:
            targets.append(Target(path, name, None, path))
        for kernel in known:
            words = {kernel.name, kernel.release}
            if pattern is not None and not any(fnmatchcase(word, pattern) for word in words):
                passed.append(kernel)
            elif kernel.number is None:
                targets.append(Target(path, name, None, path))
            else:
                label = f"{path}: {kernel.name}"
                targets.append(Target(path, safe_name(kernel.name), kernel.number, label))
    if not targets:
        raise NotInArchive(f"--release {pattern}: no such kernel; {what_there_is(passed)}")
    return _told_apart(targets, dict(zip(archives, names_of(archives), strict=True)))


def _told_apart(targets: list[Target], names: dict[str, str]) -> list[Target]:
    """Return *targets* with the archives' *names* before kernels' that are in several."""
    count = Counter(target.name for target in targets)
    return [
        target._replace(name=f"{names[target.archive]}-{target.name}")
        if count[target.name] > 1 and target.kernel is not None
        else target
        for target in targets
    ]

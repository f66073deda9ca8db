"""Import other packages without those of their own imports that are not needed here."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def stand_ins(modules: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    """Let others find *modules*, by name with what each has in it, for the duration of the block.

    What is imported already stays. (LazyLoader does not help: an import statement looks into the
    module and so loads it.)
    """
    placed = modules.keys() - sys.modules.keys()
    for name in placed:
        module = sys.modules[name] = ModuleType(name)
        vars(module).update(modules[name])
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]

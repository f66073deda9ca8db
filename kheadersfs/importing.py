"""Import other packages without those of their own imports that are not needed here."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
else:
    ModuleType = type(sys)  # the module types takes 0.3 ms


class _StandIn(ModuleType):
    """Stands for a module with some of its names. For any other name it imports the module."""

    def __init__(self, name: str, context: stand_ins, known: Mapping[str, object]) -> None:
        super().__init__(name)
        vars(self).update(known, _context=context)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # which the import system asks for
            raise AttributeError(name)
        context: stand_ins = vars(self)["_context"]
        return getattr(context.module(self.__name__), name)


class stand_ins:  # noqa: N801 - a context, like contextlib.suppress
    """Let others find *modules*, by name with what each has in it, for the duration of the block.

    What is imported already stays. When a name is asked for that is not in it, now or later, the
    real module is imported. (LazyLoader does not help: an import statement looks into the module
    and so loads it.)
    """

    def __init__(self, modules: Mapping[str, Mapping[str, object]]) -> None:
        self._placed = {
            name: _StandIn(name, self, modules[name])
            for name in modules.keys() - sys.modules.keys()
        }

    def __enter__(self) -> None:
        sys.modules.update(self._placed)

    def __exit__(self, *_: object) -> None:
        for name, module in self._placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]

    def module(self, name: str) -> ModuleType:
        """Return the real module *name*. Raises ImportError.

        It is imported without stand-ins, because it would keep what it took from them.
        """
        in_place = {at: each for at, each in self._placed.items() if sys.modules.get(at) is each}
        self.__exit__()
        try:
            __import__(name)
            return sys.modules[name]
        finally:
            for at in in_place.keys() - sys.modules.keys():
                sys.modules[at] = in_place[at]

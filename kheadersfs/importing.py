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

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # which the import system asks for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        __import__(self.__name__)
        return getattr(sys.modules[self.__name__], name)


class stand_ins:  # noqa: N801 - a context, like contextlib.suppress
    """Let others find *modules*, by name with what each has in it, for the duration of the block.

    What is imported already stays. When a name is asked for that is not in it, now or later, the
    real module is imported. (LazyLoader does not help: an import statement looks into the module
    and so loads it.)
    """

    def __init__(self, modules: Mapping[str, Mapping[str, object]]) -> None:
        self._placed: dict[str, _StandIn] = {}
        for name in modules.keys() - sys.modules.keys():
            module = self._placed[name] = _StandIn(name)
            vars(module).update(modules[name])

    def __enter__(self) -> None:
        sys.modules.update(self._placed)

    def __exit__(self, *_: object) -> None:
        for name, module in self._placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]

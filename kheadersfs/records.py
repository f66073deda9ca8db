"""Small immutable values with names, for what is imported before anybody is answered.

To a type checker Record is typing.NamedTuple. At run time it does the same without the module
typing, whose import takes 4 of the 20 ms that ``mount`` and ``umount`` have.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as Record
else:
    from _collections import _tuplegetter  # what collections.namedtuple uses

    class _RecordType(type):
        """Makes the fields that a class declares as annotations the names of a tuple's items."""

        def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
            fields = tuple(members.get("__annotations__", ()))
            defaults = {field: members[field] for field in fields if field in members}
            getters = {field: _tuplegetter(item, None) for item, field in enumerate(fields)}
            own = {"__slots__": (), "_fields": fields, "_defaults": defaults}
            return super().__new__(cls, name, bases, members | getters | own)

    class Record(tuple, metaclass=_RecordType):
        """A tuple whose items have the names, in the order and with the defaults, of the fields
        that a subclass declares as annotations.
        """

        def __new__(cls, *values: Any, **named: Any) -> Record:
            """Raises TypeError when a field has no value, or a value no field."""
            if named or len(values) != len(cls._fields):
                values = cls._complete(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
            """Return *values* and, for the fields behind them, those of *named* or the defaults."""
            fields, defaults = cls._fields[len(values) :], cls._defaults
            try:
                rest = [named.pop(name) if name in named else defaults[name] for name in fields]
            except KeyError as missing:
                raise TypeError(f"{cls.__name__} has no value for {missing}") from None
            if named or len(values) > len(cls._fields):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return (*values, *rest)

        def __getnewargs__(self) -> tuple[Any, ...]:
            """Return what pickle and copy call ``__new__`` with."""
            return tuple(self)

        def _replace(self, **changes: Any) -> Record:
            return type(self)(**self._asdict() | changes)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({fields})"


__all__ = ["Record"]

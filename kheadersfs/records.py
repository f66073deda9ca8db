"""Small immutable values with names, for what the commands import before they do anything.

To a type checker Record is typing.NamedTuple. At run time it does the same without the module
typing, whose import takes 4 of the 20 ms that ``mount`` and ``umount`` have.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as Record
else:
    from _operator import itemgetter  # the module around it takes 0.3 ms

    class Record(tuple):
        """A tuple whose items have the names, in the order and with the defaults, of the fields
        that a subclass declares as annotations.
        """

        __slots__ = ()
        _fields = ()

        def __init_subclass__(cls) -> None:
            cls._fields = tuple(cls.__annotations__)
            cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
            for position, name in enumerate(cls._fields):
                setattr(cls, name, property(itemgetter(position)))

        def __new__(cls, *values: Any, **named: Any) -> Record:
            """Raises TypeError when a field has no value, or a value no field."""
            given = dict(zip(cls._fields, values, strict=False))
            settings = cls._defaults | given | named
            if (
                len(values) > len(cls._fields)
                or given.keys() & named.keys()
                or settings.keys() != set(cls._fields)
            ):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return tuple.__new__(cls, [settings[name] for name in cls._fields])

        def __setattr__(self, name: str, _value: object) -> None:
            raise AttributeError(f"{name} of {type(self).__name__} cannot be set")

        def _replace(self, **changes: Any) -> Record:
            return type(self)(**self._asdict() | changes)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({fields})"


__all__ = ["Record"]

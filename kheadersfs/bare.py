"""Parts of the standard library, without the modules around them.

What a server imports is what the first program waits for that opens a file. Each of these names is
what its module has, or does the same as far as it is used here. To a type checker it is the
module's own. tools/docs/startup.md says what the modules cost.
"""

from __future__ import annotations

import _collections_abc

from kheadersfs.importing import stand_ins

# array looks for a base class there, and the package collections takes 2 ms to import.
with stand_ins({"collections": {}, "collections.abc": vars(_collections_abc)}):
    from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from contextlib import suppress
    from functools import partial
    from json import dumps
    from queue import SimpleQueue
    from typing import Generic, TypeVar
else:
    from _collections import deque
    from _functools import partial
    from _queue import SimpleQueue

    try:
        from _json import encode_basestring_ascii, make_encoder

        # These are the arguments with which json.dumps() calls it.
        _encode = make_encoder(
            None, None, encode_basestring_ascii, None, ": ", ", ", False, False, True
        )
    except (ImportError, TypeError):  # another version may have it otherwise
        from json import dumps
    else:

        def dumps(value: object) -> str:
            """Return *value* as JSON, with nothing but ASCII in it."""
            return "".join(_encode(value, 0))

    class suppress:  # noqa: N801 - contextlib calls it so
        """A context that ends at an exception of one of *kinds*, and does not pass it on."""

        __slots__ = ("_kinds",)

        def __init__(self, *kinds: type[BaseException]) -> None:
            self._kinds = kinds

        def __enter__(self) -> None:
            return

        def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
            return kind is not None and issubclass(kind, self._kinds)

    class Generic:
        """What a class with type parameters derives from. At run time it knows nothing of them."""

        __slots__ = ()

        def __class_getitem__(cls, _parameters: object) -> type:
            return cls

    def TypeVar(name: str, **_: object) -> str:  # noqa: N802 - typing calls it so
        """Return what stands for a type parameter."""
        return name


__all__ = ["Generic", "SimpleQueue", "TypeVar", "array", "deque", "dumps", "partial", "suppress"]

"""Load pyfuse3, without the modules that it imports and that a server can do without.

Each of these stands for a module while pyfuse3 is imported, with what it takes from it then.
Session puts TrioStandIn in the place of trio, and its log in that of pyfuse3. What the others are
for is annotations, pickling, and requests of which none is sent here.
"""

from __future__ import annotations

from kheadersfs.errors import FuseUnavailable
from kheadersfs.importing import stand_ins


class _Annotation:
    """Stands for whatever annotations are made of."""

    def __getitem__(self, _parameters: object) -> _Annotation:
        return self

    def __or__(self, _other: object) -> _Annotation:
        return self


_NAMES = ("Any", "Callable", "Dict", "List", "Mapping", "Optional", "Sequence", "Tuple", "Union")
_NOT_NEEDED: dict[str, dict[str, object]] = {
    "trio": {},
    "logging": {"getLogger": lambda _name: None},
    "importlib.metadata": {"PackageNotFoundError": LookupError, "version": lambda _name: "unknown"},
    "threading": {},
    "queue": {"Queue": None},
    "pickle": {"PicklingError": TypeError},
    "functools": {"wraps": lambda _function: lambda wrapper: wrapper},
    "typing": {
        "TYPE_CHECKING": False,
        "NewType": lambda _name, kind: kind,
        **dict.fromkeys(_NAMES, _Annotation()),
    },
}


def import_pyfuse3() -> None:
    """Import pyfuse3. Raises FuseUnavailable."""
    try:
        with stand_ins(_NOT_NEEDED):
            import pyfuse3  # noqa: F401 - fills sys.modules, from which others import it
    except ImportError as error:
        raise FuseUnavailable(
            f"pyfuse3 cannot be loaded: {error}; install libfuse3, or pyfuse3 anew"
        ) from error

"""Record, which is to be what typing.NamedTuple is."""

from __future__ import annotations

import copy
import pickle
from typing import Any, NamedTuple

import pytest

from kheadersfs.records import Record


class Place(Record):
    block: int
    start: int = 0
    name: str = "none"


class Model(NamedTuple):
    block: int
    start: int = 0
    name: str = "none"


@pytest.mark.parametrize(
    ("values", "named"),
    [((1,), {}), ((1, 2, "x"), {}), ((), {"block": 1}), ((1,), {"name": "x"}), ((1, 2), {})],
)
def test_it_takes_values_as_a_named_tuple_does(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    place, model = Place(*values, **named), Model(*values, **named)
    assert tuple(place) == tuple(model)
    assert (place.block, place.start, place.name) == (model.block, model.start, model.name)
    assert place._asdict() == model._asdict()
    assert tuple(place._replace(start=5)) == tuple(model._replace(start=5))
    assert repr(place) == repr(model).replace("Model", "Place")
    assert hash(place) == hash(tuple(model))


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, "x", 4), {}), ((1,), {"block": 1}), ((1,), {"size": 1})],
)
def test_it_refuses_what_a_named_tuple_refuses(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    for kind in (Place, Model):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_its_fields_cannot_be_changed() -> None:
    place = Place(1)
    for name in ("start", "size"):
        with pytest.raises(AttributeError):
            setattr(place, name, 1)


def test_its_fields_are_told_in_order() -> None:
    assert Place._fields == Model._fields


def test_it_goes_to_another_process_and_back() -> None:
    place = Place(1, name="x")
    for again in (pickle.loads(pickle.dumps(place)), copy.copy(place)):
        assert isinstance(again, Place)
        assert again == place


def test_it_has_no_room_for_other_values() -> None:
    """An object of many that a mount has should take no more memory than a tuple."""
    assert not hasattr(Place(1), "__dict__")

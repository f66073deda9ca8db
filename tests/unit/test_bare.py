"""What stands for parts of the standard library, which is to do the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from kheadersfs import bare
from kheadersfs.digests import sha256
from kheadersfs.fuse.workers import Job

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1, "b": [1.5, None, True, False, -(2**70)], "c": {"d": {}}},
        {'"\\\n\x00': "ä€\U0001f600\udcff"},
        ["", [], 1e300, 0.1],
    ],
)
def test_json_is_what_the_module_json_makes(value: object) -> None:
    assert bare.dumps(value) == json.dumps(value)


def test_sha256_is_that_of_hashlib() -> None:
    for content in (b"", b"headers" * 100_000):
        assert sha256(content).digest() == hashlib.sha256(content).digest()


Suppress = Any


def fail(kind: type[Exception]) -> None:
    raise kind


@pytest.mark.parametrize("suppress", [bare.suppress, contextlib.suppress])
def test_an_exception_ends_a_context_that_expects_it(suppress: Suppress) -> None:
    after: list[str] = []
    with suppress(OSError, ValueError):
        after.append("begun")
        fail(FileNotFoundError)
    with suppress(OSError):
        after.append("done")
    assert after == ["begun", "done"]


@pytest.mark.parametrize("suppress", [bare.suppress, contextlib.suppress])
def test_any_other_exception_goes_through_the_context(suppress: Suppress) -> None:
    kinds: tuple[type[Exception], ...]
    for kinds in ((), (OSError,)):
        with pytest.raises(KeyError), suppress(*kinds):
            fail(KeyError)


def test_a_class_with_type_parameters_is_the_class() -> None:
    assert Job[int] is Job


def test_a_partial_call_and_a_queue_are_those_of_the_library() -> None:
    call: Callable[[], int] = bare.partial(int, "11", base=2)
    queue: bare.SimpleQueue[int] = bare.SimpleQueue()
    queue.put(call())
    assert queue.get() == 3

"""Whether processors may halt, as the kernel itself says it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kheadersfs.fuse import latency
from kheadersfs.fuse.latency import WakeLatency
from tests.unit.test_loop import serving
from tests.unit.test_processors import holds_in_time


def tolerated() -> int:
    """Return the microseconds that any processor may take to wake, by all that was asked for."""
    microseconds: int = struct.unpack("=i", Path(latency.DEVICE).read_bytes()[:4])[0]
    return microseconds


@pytest.fixture
def available(root: None) -> None:
    """Skip where there is nothing to ask for, or somebody else has asked already."""
    if not WakeLatency().is_available:
        pytest.skip("kernel: its idle driver is not that of a virtual machine")
    if tolerated() == 0:
        pytest.skip("kernel: somebody else keeps the processors awake")


def test_processors_wake_at_once_until_that_is_released(available: None) -> None:
    before = tolerated()
    asked = WakeLatency()
    assert tolerated() == before
    asked.hold()
    assert tolerated() == 0
    asked.release()
    assert tolerated() == before


def test_a_loop_keeps_processors_awake_while_requests_come(available: None) -> None:
    before = tolerated()

    def ask() -> bool:
        server.ask("fast")
        server.answer()
        return tolerated() == 0

    with serving() as server:
        assert holds_in_time(ask)
        assert holds_in_time(lambda: tolerated() == before)
    assert tolerated() == before


def test_real_processors_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "current_driver"
    driver.write_text("intel_idle\n")
    monkeypatch.setattr(latency, "DRIVER", str(driver))
    asked = WakeLatency()
    assert not asked.is_available
    asked.hold()
    asked.release()


def test_one_who_may_not_ask_does_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(latency, "DEVICE", str(tmp_path / "not there"))
    assert not WakeLatency().is_available

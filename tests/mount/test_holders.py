"""Mounts that are more places than one, or that something holds that is no open file."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    Outcome,
    command_line,
    is_running,
    one_line,
    run_command,
    run_words,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Prepare


@pytest.mark.parametrize("part", [".", "include", "modes/644"])
def test_a_bind_mount_has_a_status_and_is_unmounted_when_the_first_place_is_gone(
    root: None, prepared_mount: Prepare, small_archive: Path, tmp_path: Path, part: str
) -> None:
    place = tmp_path / "bound"
    ours = prepared_mount(small_archive)
    ours.mount()
    if (ours / part).is_dir():
        place.mkdir()
    else:
        place.touch()
    subprocess.run(["mount", "--bind", ours / part, place], check=True)
    with ExitStack() as cleaning:
        cleaning.callback(run_words, "umount", "--lazy", str(place))
        subprocess.run(["umount", ours.path], check=True)
        status = json.loads(run_command("status", "--json", place).output)
        assert (status["mountpoint"], status["pid"]) == (str(place), ours.pid)
        listed = json.loads(run_command("status", "--json").output)
        assert str(place) in [one["mountpoint"] for one in listed]
        if part == ".":
            assert str(place) in run_command("env", place).output
        assert run_command("umount", place) == Outcome(0, "", "")
        wait_until(lambda: not is_running(ours.pid), "the server ended")


@pytest.mark.parametrize("layer", ["headers", "headers/include:{}/with\\: colon"])
def test_umount_names_the_overlay_that_holds_the_headers(
    root: None, prepared_mount: Prepare, small_archive: Path, tmp_path: Path, layer: str
) -> None:
    place = tmp_path / "over it"
    place.mkdir()
    (tmp_path / "with: colon").mkdir()
    (tmp_path / "other").mkdir()
    ours = prepared_mount(small_archive)
    ours.mount()
    lower = f"{ours.path.parent}/{layer.format(tmp_path)}"
    if layer == "headers":
        lower += f":{tmp_path}/other"
    made = run_words("mount", "-t", "overlay", "-o", f"lowerdir={lower}", "none", str(place))
    if made.status != 0:
        pytest.skip(f"kernel: no overlay can be made of it: {made.errors}")
    with ExitStack() as cleaning:
        cleaning.callback(run_words, "umount", "--lazy", str(place))
        outcome = run_command("umount", ours.path)
        assert outcome.status == 1
        assert f"an overlay at {place} has it as a layer" in one_line(outcome)
    wait_until(lambda: not is_running(ours.pid), "the server ended")


def test_umount_names_the_command_whose_private_mounts_hold_the_headers(
    root: None, prepared_mount: Prepare, small_archive: Path
) -> None:
    ours = prepared_mount(small_archive)
    ours.mount()
    # Where mounts are private, nobody in there hears that one is gone outside.
    script = 'exec "$@" sh -c "echo ready; read end"'
    words = command_line("run", "--archive", small_archive, "--")
    held = subprocess.Popen(
        ["unshare", "-m", "--propagation=private", "sh", "-c", script, "sh", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with held:
        assert held.stdin is not None
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        outcome = run_command("umount", ours.path)
        held.stdin.close()
    assert outcome.status == 1
    said = one_line(outcome)
    assert "that of process" in said
    assert "(sh -c exec" in said or "kheadersfs run --archive" in said
    wait_until(lambda: not is_running(ours.pid), "the server ended")

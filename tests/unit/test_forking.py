"""Forking, and interrupts that come at the same time."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.mounting import HANGS

BEGIN = """
import os, signal
from kheadersfs.forking import fork
"""


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", BEGIN + script]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=HANGS)


def test_an_interrupt_in_the_midst_of_a_fork_is_neither_lost_nor_told() -> None:
    done = run_script("""
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
try:
    if fork() == 0:
        os._exit(0)
except KeyboardInterrupt:
    os.wait()
    print("interrupted")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_the_handler_of_another_signal_raises_is_not_lost_either(number: int) -> None:
    done = run_script(f"""
def end(number, _frame):
    raise SystemExit(128 + number)
signal.signal({number}, end)
os.register_at_fork(after_in_parent=lambda: signal.raise_signal({number}))
if fork() == 0:
    os._exit(0)
print("not reached")
""")
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


def test_an_interrupt_ends_the_child_without_an_exception() -> None:
    done = run_script("""
os.register_at_fork(after_in_child=lambda: signal.raise_signal(signal.SIGINT))
if fork() == 0:
    print("not reached", flush=True)
_, status = os.wait()
print(os.WTERMSIG(status))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{signal.SIGINT.value}\n", "")


def test_who_ignores_interrupts_has_children_that_ignore_them_too() -> None:
    done = run_script("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
if fork() == 0:
    signal.raise_signal(signal.SIGINT)
    os._exit(7)
_, status = os.wait()
print(os.waitstatus_to_exitcode(status))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")

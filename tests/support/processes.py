"""Which processes there are, by what they were started with. Any may end at any time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_processes() -> Iterator[int]:
    """Yield the pid of each process."""
    return map(int, filter(str.isdecimal, os.listdir("/proc")))


def arguments_of(pid: int) -> list[bytes]:
    """Return the program and the arguments of *pid*; none once it has ended."""
    return _words(pid, "cmdline")


def environment_of(pid: int) -> list[bytes]:
    """Return the variables of *pid*, each as NAME=VALUE; none if it is another user's."""
    return _words(pid, "environ")


def processes_named(word: bytes) -> list[int]:
    """Return the processes that have *word* for an argument."""
    return [pid for pid in all_processes() if word in arguments_of(pid)]


def processes_mentioning(text: bytes) -> dict[int, list[bytes]]:
    """Return the processes that have *text* anywhere in their arguments, and these arguments."""
    found = {pid: arguments_of(pid) for pid in all_processes()}
    return {pid: words for pid, words in found.items() if any(text in word for word in words)}


def processes_marked(variable: str, value: str) -> list[int]:
    """Return the processes that have the environment *variable* with that *value*."""
    wanted = f"{variable}={value}".encode()
    return [pid for pid in all_processes() if wanted in environment_of(pid)]


def read_or_nothing(path: str) -> bytes:
    """Return the content of *path* in /proc, nothing if its process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _words(pid: int, file: str) -> list[bytes]:
    return read_or_nothing(f"/proc/{pid}/{file}").split(b"\0")

"""Loading compiled programs into the running kernel."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from kernel_matrix.compiling import PROGRAMS
from kernel_matrix.outcomes import Outcome

if TYPE_CHECKING:
    from pathlib import Path

# What is pinned in a mount of this shell's own goes away with it.
_SCRIPT = 'mount -t bpf none /sys/fs/bpf && exec bpftool prog loadall "$0" /sys/fs/bpf/matrix'
# What follows is the verifier's whole log, or a repetition for each object above.
_LEADS = ("libbpf: ", "Error: ")


def load_all(objects: Path) -> Outcome:
    """Load those of PROGRAMS that are compiled in the directory *objects*, and let them go."""
    attempted, failed = 0, {}
    for program in PROGRAMS:
        compiled = objects / program.with_suffix(".o").name
        if not compiled.exists():
            continue
        attempted += 1
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _SCRIPT, compiled],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            failed[program.name] = _reason(done.stderr)
    return Outcome(attempted, failed)


def _reason(messages: str) -> str:
    """Return what the verifier said last before its summary, else what bpftool said first."""
    lines = [line.strip() for line in messages.splitlines()]
    for number, line in enumerate(lines):
        if line.startswith("processed "):
            return lines[number - 1]
    for line in lines:
        for lead in _LEADS:
            if line.startswith(lead):
                return line.removeprefix(lead)
    return lines[0] if lines else "bpftool says nothing"

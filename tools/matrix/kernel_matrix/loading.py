"""Loading compiled programs into the running kernel."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from kernel_matrix.compiling import PROGRAMS, run_for_errors
from kernel_matrix.outcomes import Outcome

_KINDS = (
    *("tracepoint/sched/sched_switch", "raw_tracepoint/sched_switch", "tp_btf/sched_switch"),
    *("kprobe/bprm_execve", "perf_event", "iter/task", "tc", "xdp", "cgroup/connect4"),
    # The kernel attaches these by code that it writes for them, a trampoline. One of Linux 6.18
    # gave root EPERM for all of them before it looked at a program: an empty log, also for one
    # without instructions.
    *("fentry/bprm_execve", "fexit/bprm_execve", "fmod_ret/security_file_open", "lsm/file_open"),
)
"""Kinds of programs, as libbpf has sections name them, on what every kernel has."""

_EMPTY = Path(__file__).parents[1] / "programs/empty.c"
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
        refusal = _load(compiled)
        if refusal is not None:
            failed[program.name] = refusal
    return Outcome(attempted, failed)


def load_empty(compiler: str) -> dict[str, str | None]:
    """Return why the kernel refuses a program that does nothing, by kind; None if it does not.

    What is refused here is refused for its kind, whatever a program does and was compiled from.
    Raises subprocess.CalledProcessError.
    """
    with tempfile.TemporaryDirectory(prefix="kheadersfs-matrix-") as scratch:
        return {kind: _load(_compile_empty(kind, compiler, Path(scratch))) for kind in _KINDS}


def _compile_empty(kind: str, compiler: str, directory: Path) -> Path:
    compiled = directory / "empty.o"
    words = [compiler, "-target", "bpf", "-O2", "-g", f'-DKIND="{kind}"']
    subprocess.run([*words, "-c", _EMPTY, "-o", compiled], check=True)
    return compiled


def _load(compiled: Path) -> str | None:
    """Load one object and let it go. Returns why the kernel refuses it, if it does."""
    done = run_for_errors(["unshare", "--mount", "sh", "-c", _SCRIPT, compiled])
    return None if done.returncode == 0 else _reason(done.stderr)


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

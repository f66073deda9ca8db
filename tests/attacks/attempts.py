"""What code inside the restrictions may try, and the process in which it does.

Each attempt is Python in a process that has set up what it needs: a directory ``place`` of its own,
a process ``victim`` of the user that restricted code runs as, sockets and descriptors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SETUP = r"""
import ctypes, errno, fcntl, json, os, resource, select, signal, socket, subprocess, sys, threading

libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"

def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def call(x86, generic, *arguments):
    return check(libc.syscall(ctypes.c_long(x86 if X86 else generic), *arguments))

place = sys.argv[1]
os.umask(0)
os.chmod(place, 0o777)
os.mkdir(f"{place}/empty")
os.mkdir(f"{place}/mounted")
open(f"{place}/file", "w").close()
own_file = os.open(f"{place}/file", os.O_RDWR)
os.mkfifo(f"{place}/fifo")
read_only = os.open(f"{place}/fifo", os.O_RDONLY | os.O_NONBLOCK)
leased = os.open(os.path.join(place, "file-to-lease"), os.O_RDONLY | os.O_CREAT)
etc = os.open("/etc", os.O_RDONLY)
open_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
open_socket.bind("")
open_socket_name = open_socket.getsockname()
ours, theirs = socket.socketpair()
_, terminal = os.openpty()
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
# It ends with this process, whose end of the pipe is closed then.
pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
victim = subprocess.Popen(["cat"], **pipe, **({"user": 65534} if os.geteuid() == 0 else {}))
victim_pidfd = os.pidfd_open(victim.pid)
victims_end = select.poll()
victims_end.register(victim_pidfd, select.POLLIN)
victim.stdin.write(b"x")
victim.stdin.flush()
assert victim.stdout.read(1) == b"x"  # its user is set, and its program runs
with open(f"/proc/{victim.pid}/maps") as maps:
    victim_address = int(maps.read().partition("-")[0], 16)
word = ctypes.create_string_buffer(8)
own_place = (ctypes.c_void_p * 2)(ctypes.addressof(word), 8)
victim_place = (ctypes.c_void_p * 2)(victim_address, 8)
allow_all = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\xff\x7f")
program = (ctypes.c_void_p * 2)(1, ctypes.addressof(allow_all))
if os.geteuid() == 0:
    check(libc.mount(b"none", f"{place}/mounted".encode(), b"tmpfs", 0, None))
check(libc.prctl(38, 1, 0, 0, 0))
"""
_EACH = r"""
succeeded = []
attempts = json.loads(sys.argv[2])

def attempt():
    for name, code in attempts.items():
        try:
            exec(code)
            succeeded.append(name)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES):
                succeeded.append(f"{name}: {error}")

attempt()
thread = threading.Thread(target=attempt)
thread.start()
thread.join()
print(json.dumps(succeeded), flush=True)
os._exit(0)
"""


class Attempt(NamedTuple):
    """Python code that fails with EPERM or EACCES inside, and otherwise succeeds.

    ``needs`` says what it takes to succeed outside that not every user and kernel has; empty when
    it is nothing.
    """

    code: str
    needs: str = ""


NEEDS_ROOT = "kernel: only root may do this"

ATTEMPTS = {
    "open a file to read": Attempt("os.open('/etc/passwd', os.O_RDONLY)"),
    "open a library": Attempt("os.open(os.__file__, os.O_RDONLY)"),
    "open a file to write": Attempt("os.open(f'{place}/new', os.O_WRONLY | os.O_CREAT)"),
    "open beside an open directory": Attempt("os.open('passwd', os.O_RDONLY, dir_fd=etc)"),
    "list a directory": Attempt("os.listdir('/')"),
    "list an open directory": Attempt("os.listdir(etc)"),
    "look at a file": Attempt("os.stat('/etc/passwd')"),
    "change a file's mode": Attempt("os.chmod(f'{place}/file', 0o777)"),
    "rename": Attempt("os.rename(f'{place}/file', f'{place}/renamed')"),
    "remove": Attempt("os.unlink(f'{place}/file')"),
    "make a directory": Attempt("os.mkdir(f'{place}/new')"),
    "make a symlink": Attempt("os.symlink('/', f'{place}/new')"),
    "change directory": Attempt("os.chdir('/')"),
    "execute": Attempt("os.execv('/bin/true', ['true'])"),
    "execute in a child": Attempt("os.posix_spawn('/bin/true', ['true'], {})"),
    "fork": Attempt("os.fork()"),
    "make a process by clone": Attempt("call(56, 220, 17, None, None, None, None)"),
    "make an Internet socket": Attempt("check(libc.socket(2, 1, 0))"),
    "make a Unix socket": Attempt("check(libc.socket(1, 1, 0))"),
    "make a netlink socket": Attempt("check(libc.socket(16, 3, 0))"),
    "make a pair of sockets": Attempt("check(libc.socketpair(1, 1, 0, (ctypes.c_int * 2)()))"),
    "make a pipe": Attempt("os.pipe()"),
    "connect a socket": Attempt("open_socket.connect(open_socket_name)"),
    "send to a socket by its path": Attempt("open_socket.sendto(b'x', open_socket_name)"),
    "pass on a descriptor": Attempt("socket.send_fds(ours, [b'x'], [etc])"),
    "trace a process": Attempt("check(libc.ptrace(0x4206, victim.pid, 0, 0))", "kernel: ptrace"),
    "be traced": Attempt("check(libc.ptrace(0, 0, 0, 0))", "kernel: ptrace"),
    "read another process": Attempt(
        "check(libc.process_vm_readv(victim.pid, own_place, 1, victim_place, 1, 0))",
        "kernel: ptrace",
    ),
    "take another process's descriptor": Attempt(
        "call(438, 438, victim_pidfd, 0, 0)", "kernel: ptrace"
    ),
    "signal its parent": Attempt("os.kill(os.getppid(), 0)"),
    "signal everybody": Attempt("os.kill(-1, 0)"),
    "signal a process": Attempt("os.kill(victim.pid, 0)"),
    "signal a thread": Attempt("call(234, 131, victim.pid, victim.pid, 0)"),
    "signal by a descriptor": Attempt("signal.pidfd_send_signal(victim_pidfd, 0)"),
    "open a process": Attempt("os.pidfd_open(victim.pid)"),
    # The kernel sends signals on behalf of who asks it to.
    "have the kernel kill a process": Attempt(
        "fcntl.fcntl(ours, fcntl.F_SETOWN, victim.pid)\n"
        "fcntl.fcntl(ours, fcntl.F_SETSIG, signal.SIGKILL)\n"
        "fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)\n"
        "theirs.send(b'x')\n"
        "assert victims_end.poll(20_000), 'it lives'"
    ),
    "name who gets a descriptor's signals": Attempt(
        "fcntl.fcntl(ours, fcntl.F_SETOWN, victim.pid)"
    ),
    "name a group that gets them": Attempt("fcntl.fcntl(ours, fcntl.F_SETOWN, -os.getpgid(0))"),
    "name a thread that gets them": Attempt(
        "fcntl.fcntl(ours, 15, bytes(4) + victim.pid.to_bytes(4, sys.byteorder))"
    ),
    "name them with more bits than the kernel looks at": Attempt(
        "call(72, 25, ours.fileno(), ctypes.c_long(1 << 32 | fcntl.F_SETOWN), victim.pid)"
    ),
    "choose which signal": Attempt("fcntl.fcntl(ours, fcntl.F_SETSIG, signal.SIGKILL)"),
    "switch signals on": Attempt("fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)"),
    "name an owner by ioctl": Attempt(
        "fcntl.ioctl(ours, 0x8901, victim.pid.to_bytes(4, sys.byteorder))"
    ),
    "name an owner by a socket's ioctl": Attempt(
        "fcntl.ioctl(ours, 0x8902, victim.pid.to_bytes(4, sys.byteorder))"
    ),
    "switch signals on by ioctl": Attempt(
        "fcntl.ioctl(ours, 0x5452, (1).to_bytes(4, sys.byteorder))"
    ),
    "hear of a directory's changes": Attempt(
        "fcntl.fcntl(etc, fcntl.F_NOTIFY, fcntl.DN_ACCESS)", "kernel: dnotify"
    ),
    "lease a file": Attempt("fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_RDLCK)"),
    "lock a file": Attempt("fcntl.lockf(own_file, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "lock a file as a whole": Attempt("fcntl.flock(own_file, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "resize a pipe": Attempt("fcntl.fcntl(read_only, fcntl.F_SETPIPE_SZ, 4096)"),
    "make a timer": Attempt("call(222, 107, 1, None, word)"),
    "make a message queue": Attempt(
        "call(240, 180, b'kheadersfs', os.O_CREAT | os.O_RDWR, 0o600, None)\n"
        "call(241, 181, b'kheadersfs')",
        "kernel: message queues",
    ),
    "start asynchronous input": Attempt("call(206, 0, 1, word)", "kernel: aio"),
    "choose a signal at its parent's end": Attempt("check(libc.prctl(1, 9, 0, 0, 0))"),
    "change its group": Attempt("os.setpgid(0, 0)"),
    "change a process's priority": Attempt("os.setpriority(os.PRIO_PROCESS, victim.pid, 19)"),
    "move a process": Attempt("os.sched_setaffinity(victim.pid, os.sched_getaffinity(0))"),
    "ask where a process runs": Attempt("os.sched_getaffinity(victim.pid)"),
    "limit a process by its number": Attempt("resource.prlimit(os.getpid(), resource.RLIMIT_CORE)"),
    "share memory": Attempt(
        "shared = call(29, 194, 0, 4096, 0o600)\ncall(31, 195, shared, 0, None)", "kernel: shmget"
    ),
    "watch files": Attempt("call(294, 26, 0)"),
    "handle page faults": Attempt("call(323, 282, 1)", "kernel: userfaultfd"),
    "become root": Attempt("os.setresuid(0, 0, 0)", NEEDS_ROOT),
    "make a namespace": Attempt("check(libc.unshare(0x10000000))", "kernel: user namespaces"),
    "mount": Attempt(
        "check(libc.mount(b'none', f'{place}/empty'.encode(), b'tmpfs', 0, 0))", NEEDS_ROOT
    ),
    "unmount": Attempt("check(libc.umount2(f'{place}/mounted'.encode(), 0))", NEEDS_ROOT),
    "load a BPF program": Attempt(
        "call(321, 280, 0, (ctypes.c_uint32 * 5)(2, 4, 8, 1), 20)", "kernel: bpf"
    ),
    "use io_uring": Attempt(
        "call(425, 425, 1, ctypes.create_string_buffer(120))", "kernel: io_uring"
    ),
    "add a key": Attempt("call(248, 217, b'user', b'k', b'x', 1, -2)", "kernel: keys"),
    "ask for a keyring": Attempt("call(250, 219, 0, -2, 1)", "kernel: keys"),
    "type into a terminal": Attempt("fcntl.ioctl(terminal, 0x5412, b'x')", "kernel: TIOCSTI"),
    "make a file in memory": Attempt("os.memfd_create('code')"),
    "raise a limit": Attempt(
        "check(libc.setrlimit(7, (ctypes.c_ulong * 2)(most_files, most_files)))"
    ),
    "be dumpable": Attempt("check(libc.prctl(4, 1, 0, 0, 0))"),
    "put another filter on": Attempt(
        "check(libc.prctl(22, ctypes.c_ulong(2), program, 0, 0))", "kernel: seccomp"
    ),
}


def in_a_process(script: str, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *script* after the setup with *place*, an empty directory, and *arguments*."""
    words = [sys.executable, "-c", _SETUP + script, str(place), *arguments]
    if os.geteuid() == 0:
        words = ["unshare", "--mount", "--propagation=private", *words]
    return subprocess.run(
        words,
        check=False,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )


def try_inside(restrict: str, names: Iterable[str], place: Path) -> set[str]:
    """Make the attempts *names* in one process after *restrict*, and again in a thread of it.

    Returns those that did not fail with EPERM or EACCES.
    """
    attempts = json.dumps({name: ATTEMPTS[name].code for name in names})
    done = in_a_process(f"{restrict}\n{_EACH}", place, attempts)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))

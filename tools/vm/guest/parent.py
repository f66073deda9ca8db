"""Let bcc read this process's parent and name from the kernel, and compare them with what is true.

An argument names a header to be included first.
"""

import os
import sys

from bcc import BPF

PROGRAM = """
#include <linux/sched.h>

struct seen {
    u32 tgid, parent;
    char name[TASK_COMM_LEN];
};

BPF_HASH(tasks, u32, struct seen);

int look(void *context) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct seen seen = {};
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    seen.tgid = task->tgid;
    seen.parent = task->real_parent->tgid;
    bpf_probe_read_kernel(seen.name, sizeof(seen.name), task->comm);
    tasks.update(&tgid, &seen);
    return 0;
}
"""

first = [word for header in sys.argv[1:] for word in ("-include", header)]
bpf = BPF(text=PROGRAM, cflags=first)
bpf.attach_kprobe(event=bpf.get_syscall_fnname("getpgid"), fn_name="look")
os.getpgid(0)
own = {key.value: value for key, value in bpf["tasks"].items()}[os.getpid()]
with open("/proc/self/comm", encoding="ascii") as stream:
    name = stream.read().strip()
seen = (own.tgid, own.parent, own.name.decode())
if seen != (os.getpid(), os.getppid(), name):
    sys.exit(f"saw {seen}, and not {(os.getpid(), os.getppid(), name)}")

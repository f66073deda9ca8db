/* A raw tracepoint: which system call each thread group made last, and its registers' argument. */
#include <linux/sched.h>
#include <linux/ptrace.h>
#include "helpers.h"

struct call {
	u64 number;
	struct pt_regs registers;
};

HASH_MAP(last_call, pid_t, struct call);

SECTION("raw_tracepoint/sys_enter")
int note_call(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct call call = { .number = context->args[1] };
	pid_t group = READ_FIELD(task, tgid);

	bpf_probe_read_kernel(&call.registers, sizeof(call.registers), (void *)context->args[0]);
	bpf_map_update_elem(&last_call, &group, &call, BPF_ANY);
	return 0;
}

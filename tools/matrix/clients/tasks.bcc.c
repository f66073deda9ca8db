/* A task and its name space. */
#include <linux/sched.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>

BPF_HASH(calls, u32, u64);

RAW_TRACEPOINT_PROBE(sys_enter)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 level = task->nsproxy->pid_ns_for_children->level;

	if (!(task->flags & PF_KTHREAD))
		calls.increment(level);
	return 0;
}

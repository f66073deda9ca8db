/* The pages that a task has mapped when it goes. */
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/blkdev.h>

BPF_HASH(mapped, u32, u64);

RAW_TRACEPOINT_PROBE(sched_process_exit)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 process = task->tgid;
	u64 pages = task->mm ? task->mm->total_vm : 0;

	mapped.update(&process, &pages);
	return 0;
}

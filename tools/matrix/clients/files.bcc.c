/* The descriptor table of a task that enters a system call. */
#include <linux/sched.h>
#include <linux/fs.h>
#include <linux/fdtable.h>

BPF_HISTOGRAM(sizes);

RAW_TRACEPOINT_PROBE(sys_enter)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	sizes.increment(bpf_log2l(task->files->fdt->max_fds));
	return 0;
}

/* An iterator: a line for every task, with its parent and its flags. */
#include <linux/sched.h>
#include <linux/seq_file.h>
#include "helpers.h"

/* As in linux/bpf.h, which has it only for kernels that are configured with CONFIG_BPF_SYSCALL. */
struct iteration {
	__bpf_md_ptr(struct seq_file *, seq);
};

struct item {
	__bpf_md_ptr(struct iteration *, meta);
	__bpf_md_ptr(struct task_struct *, task);
};

static long (*bpf_seq_printf)(struct seq_file *to, const char *format, u32 format_size,
			      const void *values, u32 values_size) = (void *)BPF_FUNC_seq_printf;

SECTION("iter/task")
int list_tasks(struct item *context)
{
	static const char format[] = "%d %d %d\n";
	struct task_struct *task = context->task;
	u64 values[3];

	if (!task)
		return 0;
	values[0] = READ_FIELD(task, pid);
	values[1] = READ_FIELD(READ_FIELD(task, real_parent), tgid);
	values[2] = !!(READ_FIELD(task, flags) & PF_KTHREAD);
	bpf_seq_printf(context->meta->seq, format, sizeof(format), values, sizeof(values));
	return 0;
}

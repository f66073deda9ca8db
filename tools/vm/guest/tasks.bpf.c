/*
 * Lists the machine's processes: number, parent's number, name. Fields are where the headers of
 * the running kernel say, so that wrong headers give wrong numbers, or a program that the kernel
 * refuses.
 */
#include <linux/sched.h>
#include <uapi/linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

static long (*seq_printf)(struct seq_file *to, const char *format, __u32 format_size,
			  const void *values, __u32 values_size) = (void *)BPF_FUNC_seq_printf;

SECTION("iter/task")
int list_tasks(struct bpf_iter__task *context)
{
	static const char format[] = "%d %d %s\n";
	struct task_struct *task = context->task;
	__u64 values[3];

	if (!task)
		return 0;
	values[0] = task->pid;
	values[1] = task->real_parent->tgid;
	values[2] = (__u64)task->comm;
	seq_printf(context->meta->seq, format, sizeof(format), values, sizeof(values));
	return 0;
}

char _license[] SECTION("license") = "GPL";

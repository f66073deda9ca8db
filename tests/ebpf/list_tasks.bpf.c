/*
 * Lists the machine's processes: number, second of their start, name. It finds fields where the
 * running kernel has them, whatever vmlinux.h says of their offsets (CO-RE). Types come from there,
 * macros, which BTF does not know, from a kernel header.
 */
#include <vmlinux.h>
#include <vdso/time64.h>

#define SECTION(name) __attribute__((section(name), used))

static long (*bpf_seq_printf)(struct seq_file *to, const char *format, u32 format_size,
			      const void *values, u32 values_size) = (void *)BPF_FUNC_seq_printf;

SECTION("iter/task")
int list_tasks(struct bpf_iter__task *context)
{
	static const char format[] = "%d %llu %s\n";
	struct task_struct *task = context->task;
	u64 values[3];

	if (!task)
		return 0;
	values[0] = task->pid;
	values[1] = task->start_boottime / NSEC_PER_SEC;
	values[2] = (u64)task->comm;
	bpf_seq_printf(context->meta->seq, format, sizeof(format), values, sizeof(values));
	return 0;
}

char _license[] SECTION("license") = "GPL";

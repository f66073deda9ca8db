// A real eBPF program on real kernel headers: the includes below open some 700 of them.
// It counts nothing and changes nothing; it looks at the task that is being switched away from.

#include <linux/sched.h>
#include <linux/fs.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include <uapi/linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

static __u64 (*get_current_task)(void) = (void *)BPF_FUNC_get_current_task;
static long (*probe_read_kernel)(void *to, __u32 size, const void *from) =
	(void *)BPF_FUNC_probe_read_kernel;

SECTION("raw_tracepoint/sched_switch")
int has_files(void *context)
{
	struct task_struct *task = (struct task_struct *)get_current_task();
	struct files_struct *files = NULL;
	pid_t pid = 0;

	probe_read_kernel(&files, sizeof(files), &task->files);
	probe_read_kernel(&pid, sizeof(pid), &task->pid);
	return files != NULL && pid != 0;
}

char _license[] SECTION("license") = "GPL";

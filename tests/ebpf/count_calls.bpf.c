/*
 * Counts system calls by process, and notes the flags of the task that made the last one.
 * Built with the kernel's headers, for whatever they know of struct task_struct.
 */
#include <linux/sched.h>
#include <linux/fs.h>
#include <net/sock.h>
#include <linux/skbuff.h>
#include <uapi/linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) =
	(void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) =
	(void *)BPF_FUNC_map_update_elem;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static u64 (*bpf_get_current_task)(void) = (void *)BPF_FUNC_get_current_task;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) =
	(void *)BPF_FUNC_probe_read_kernel;

struct calls {
	u64 count;
	u64 flags;
};

struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	int (*max_entries)[4096];
	u32 *key;
	struct calls *value;
} calls_by_process SECTION(".maps");

SECTION("raw_tp/sys_enter")
int count_calls(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct calls *calls, none = {};
	u32 process = bpf_get_current_pid_tgid() >> 32;
	u32 flags = 0;

	bpf_map_update_elem(&calls_by_process, &process, &none, BPF_NOEXIST);
	calls = bpf_map_lookup_elem(&calls_by_process, &process);
	if (!calls)
		return 0;
	barrier();
	bpf_probe_read_kernel(&flags, sizeof(flags), &task->flags);
	__sync_fetch_and_add(&calls->count, 1);
	calls->flags = flags;
	return 0;
}

char _license[] SECTION("license") = "GPL";

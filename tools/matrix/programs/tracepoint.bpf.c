/* A tracepoint: how long each task waited between waking up and running. */
#include <linux/sched.h>
#include <linux/trace_events.h>
#include "helpers.h"

struct wakeup {
	struct trace_entry entry;
	char comm[TASK_COMM_LEN];
	pid_t pid;
	int priority;
};

HASH_MAP(woken_at, pid_t, u64);

SECTION("tracepoint/sched/sched_wakeup")
int note_wakeup(struct wakeup *event)
{
	pid_t pid = event->pid;
	u64 now = bpf_ktime_get_ns();

	if (event->priority < MAX_RT_PRIO)
		return 0;
	bpf_map_update_elem(&woken_at, &pid, &now, BPF_ANY);
	return 0;
}

/* A perf event: samples with the interrupted task, handed over in a perf buffer. */
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <uapi/linux/bpf_perf_event.h>
#include "helpers.h"

struct {
	int (*type)[BPF_MAP_TYPE_PERF_EVENT_ARRAY];
	int (*key_size)[sizeof(u32)];
	int (*value_size)[sizeof(u32)];
} samples SECTION(".maps");

struct sample {
	u64 period;
	u64 switches;
	int priority;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

SECTION("perf_event")
int take_sample(struct bpf_perf_event_data *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sample sample = { .period = context->sample_period };

	sample.switches = READ_FIELD(task, nvcsw);
	sample.priority = READ_FIELD(task, prio);
	sample.pid = READ_FIELD(task, pid);
	bpf_probe_read_kernel(sample.comm, sizeof(sample.comm), task->comm);
	bpf_perf_event_output(context, &samples, BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	return 0;
}

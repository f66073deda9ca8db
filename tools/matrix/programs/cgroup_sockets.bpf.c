/* cgroup: which control groups make sockets, and how deep their tasks' groups lie. */
#include <linux/sched.h>
#include <linux/cgroup-defs.h>
#include <linux/kernfs.h>
#include <linux/socket.h>
#include "helpers.h"

struct group {
	int level;
	int descendants;
	u64 identity;
};

HASH_MAP(groups, u64, struct group);
HASH_MAP(sockets, u64, u64);

static u64 (*bpf_get_current_cgroup_id)(void) = (void *)BPF_FUNC_get_current_cgroup_id;

SECTION("cgroup/sock_create")
int count_sockets(struct bpf_sock *socket)
{
	u64 key = socket->family == AF_INET6, first = 1;
	u64 *count = bpf_map_lookup_elem(&sockets, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&sockets, &key, &first, BPF_ANY);
	return 1;
}

SECTION("raw_tracepoint/sched_process_fork")
int note_group(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct css_set *sets = READ_FIELD(task, cgroups);
	struct cgroup *group = READ_FIELD(sets, dfl_cgrp);
	u64 key = bpf_get_current_cgroup_id();
	struct group record = {};

	record.level = READ_FIELD(group, level);
	record.descendants = READ_FIELD(group, nr_descendants);
	record.identity = READ_FIELD(READ_FIELD(group, kn), id);
	bpf_map_update_elem(&groups, &key, &record, BPF_ANY);
	return 0;
}

/* A kretprobe: users and capabilities of the tasks that changed theirs. */
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>
#include "helpers.h"

struct identity {
	kuid_t user;
	kgid_t group;
	kernel_cap_t capabilities;
	int threads;
	int depth;
};

HASH_MAP(identities, u64, struct identity);

SECTION("kretprobe/commit_creds")
int note_identity(struct pt_regs *registers)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct cred *credentials = (struct cred *)READ_FIELD(task, cred);
	u64 key = bpf_get_current_pid_tgid();
	struct identity record = {};

	record.user = READ_FIELD(credentials, euid);
	record.group = READ_FIELD(credentials, egid);
	record.capabilities = READ_FIELD(credentials, cap_effective);
	record.threads = READ_FIELD(READ_FIELD(task, signal), nr_threads);
	record.depth = READ_FIELD(READ_FIELD(credentials, user_ns), level);
	bpf_map_update_elem(&identities, &key, &record, BPF_ANY);
	return 0;
}

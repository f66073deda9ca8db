/* fentry: what is being executed, read from the function's arguments. */
#include <linux/sched.h>
#include <linux/binfmts.h>
#include <linux/fs.h>
#include "helpers.h"

struct executed {
	umode_t mode;
	loff_t size;
	int arguments;
	char name[64];
};

HASH_MAP(executed, u64, struct executed);

SECTION("fentry/bprm_execve")
int note_executed(unsigned long long *arguments)
{
	struct linux_binprm *program = (void *)arguments[0];
	struct file *file = READ_FIELD(program, file);
	struct inode *inode = READ_FIELD(file, f_inode);
	u64 key = bpf_get_current_pid_tgid();
	struct executed record = {};

	record.mode = READ_FIELD(inode, i_mode);
	record.size = READ_FIELD(inode, i_size);
	record.arguments = READ_FIELD(program, argc);
	bpf_probe_read_kernel(record.name, sizeof(record.name), READ_FIELD(program, filename));
	bpf_map_update_elem(&executed, &key, &record, BPF_ANY);
	return 0;
}

/* A kprobe: the inode, device and descriptor table of a task that opens a file. */
#include <linux/sched.h>
#include <linux/fs.h>
#include <linux/fdtable.h>
#include <linux/mount.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include "helpers.h"

struct opened {
	unsigned long inode;
	dev_t device;
	unsigned int descriptors;
	unsigned int namespace_level;
	unsigned char name[32];
};

HASH_MAP(opened, u64, struct opened);

SECTION("kprobe/security_file_open")
int note_opened(struct pt_regs *registers)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 key = bpf_get_current_pid_tgid();
	struct opened record = {};
	struct files_struct *files = READ_FIELD(task, files);
	struct fdtable *table = READ_FIELD(files, fdt);
	struct file **slots = READ_FIELD(table, fd);
	struct file *file = NULL;
	struct inode *inode;
	struct dentry *dentry;

	bpf_probe_read_kernel(&file, sizeof(file), &slots[0]);
	inode = READ_FIELD(file, f_inode);
	dentry = READ_FIELD(file, f_path.dentry);
	record.inode = READ_FIELD(inode, i_ino);
	record.device = READ_FIELD(READ_FIELD(inode, i_sb), s_dev);
	record.descriptors = READ_FIELD(table, max_fds);
	record.namespace_level = READ_FIELD(READ_FIELD(READ_FIELD(task, nsproxy), pid_ns_for_children), level);
	bpf_probe_read_kernel(record.name, sizeof(record.name), READ_FIELD(dentry, d_name.name));
	bpf_map_update_elem(&opened, &key, &record, BPF_ANY);
	return 0;
}

/* A kprobe with memory structures: the size of the address spaces in which pages are missing. */
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/sched/mm.h>
#include <linux/vmstat.h>
#include "helpers.h"

struct space {
	unsigned long total, stack, table;
	unsigned long start_of_code;
	int areas;
	unsigned long zone_pages;
};

HASH_MAP(spaces, u64, struct space);

SECTION("kprobe/handle_mm_fault")
int note_space(struct pt_regs *registers)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *memory = READ_FIELD(task, mm);
	u64 key = bpf_get_current_pid_tgid();
	struct space record = {};

	record.total = READ_FIELD(memory, total_vm) << PAGE_SHIFT;
	record.stack = READ_FIELD(memory, stack_vm);
	record.table = READ_FIELD(memory, pgd) != NULL;
	record.start_of_code = READ_FIELD(memory, start_code);
	record.areas = READ_FIELD(memory, map_count);
	record.zone_pages = MAX_NR_ZONES * PAGE_SIZE;
	bpf_map_update_elem(&spaces, &key, &record, BPF_ANY);
	return 0;
}

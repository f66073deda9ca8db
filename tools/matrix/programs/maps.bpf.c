/* Maps of several kinds, among them one within another, keyed by kernel types. */
#include <linux/types.h>
#include <linux/time64.h>
#include <linux/log2.h>
#include <linux/hashtable.h>
#include "helpers.h"

#define BUCKETS 32

struct {
	int (*type)[BPF_MAP_TYPE_PERCPU_ARRAY];
	int (*max_entries)[BUCKETS];
	u32 *key;
	u64 *value;
} histogram SECTION(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_LRU_HASH];
	int (*max_entries)[1 << 10];
	u64 *key;
	struct timespec64 *value;
} last_seen SECTION(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_STACK_TRACE];
	int (*max_entries)[64];
	int (*key_size)[sizeof(u32)];
	int (*value_size)[127 * sizeof(u64)];
} stacks SECTION(".maps");

SECTION("raw_tracepoint/sched_switch")
int note_switch(void *context)
{
	u64 now = bpf_ktime_get_ns(), thread = bpf_get_current_pid_tgid();
	struct timespec64 time = { .tv_sec = now / NSEC_PER_SEC, .tv_nsec = now % NSEC_PER_SEC };
	u32 bucket = hash_64(thread, ilog2(BUCKETS));
	u64 *count = bpf_map_lookup_elem(&histogram, &bucket);

	if (count)
		*count += 1;
	bpf_map_update_elem(&last_seen, &thread, &time, BPF_ANY);
	return 0;
}

/*
 * What every program here needs besides the kernel's headers. The helpers' numbers are the
 * kernel's; their prototypes are libbpf's, which is not needed to compile these programs.
 */
#ifndef PROGRAMS_HELPERS_H
#define PROGRAMS_HELPERS_H

#include <uapi/linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) =
	(void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) =
	(void *)BPF_FUNC_map_update_elem;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;
static __u64 (*bpf_get_current_pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static __u64 (*bpf_get_current_task)(void) = (void *)BPF_FUNC_get_current_task;
static long (*bpf_probe_read_kernel)(void *to, __u32 size, const void *from) =
	(void *)BPF_FUNC_probe_read_kernel;
static long (*bpf_perf_event_output)(void *context, void *map, __u64 flags, void *data,
				     __u64 size) = (void *)BPF_FUNC_perf_event_output;

/* Reads one field of a structure that the verifier does not know. */
#define READ_FIELD(pointer, field)                                                     \
	({                                                                             \
		typeof((pointer)->field) value_;                                       \
		bpf_probe_read_kernel((void *)&value_, sizeof(value_),                         \
				      (void *)&(pointer)->field);                     \
		value_;                                                                \
	})

#define HASH_MAP(name, key_type, value_type)                                           \
	struct {                                                                       \
		int (*type)[BPF_MAP_TYPE_HASH];                                        \
		int (*max_entries)[1024];                                              \
		key_type *key;                                                         \
		value_type *value;                                                     \
	} name SECTION(".maps")

char _license[] SECTION("license") = "GPL";

#endif

/*
 * Structures that headers of 6.12 take the size of, and that the older copy of linux/bpf.h inside
 * bcc 0.26 does not have. Without them bcc can digest no headers of 6.12, mounted or extracted.
 */
struct bpf_wq { unsigned long long opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_root { unsigned long long opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { unsigned long long opaque[4]; } __attribute__((aligned(8)));
struct bpf_refcount { unsigned int opaque[1]; } __attribute__((aligned(4)));

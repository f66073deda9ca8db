/* An iterator: a line for every TCP socket, of either family. */
#include <net/sock.h>
#include <net/ipv6.h>
#include <linux/seq_file.h>
#include "helpers.h"

/* As in linux/bpf.h, which has it only for kernels that are configured with CONFIG_BPF_SYSCALL. */
struct iteration {
	__bpf_md_ptr(struct seq_file *, seq);
};

struct item {
	__bpf_md_ptr(struct iteration *, meta);
	__bpf_md_ptr(struct sock_common *, sk_common);
	uid_t uid __aligned(8);
};

static long (*bpf_seq_write)(struct seq_file *to, const void *data, u32 size) =
	(void *)BPF_FUNC_seq_write;

SECTION("iter/tcp")
int list_sockets(struct item *context)
{
	struct sock_common *socket = context->sk_common;
	struct in6_addr address = {};

	if (!socket)
		return 0;
	if (READ_FIELD(socket, skc_family) == AF_INET6)
		address = READ_FIELD(socket, skc_v6_daddr);
	else
		ipv6_addr_set_v4mapped(READ_FIELD(socket, skc_daddr), &address);
	bpf_seq_write(context->meta->seq, &address, sizeof(address));
	return 0;
}

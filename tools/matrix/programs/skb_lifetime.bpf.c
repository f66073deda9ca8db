/* A raw tracepoint with a socket buffer: bytes that were dropped, by device. */
#include <linux/skbuff.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include "helpers.h"

struct dropped {
	u64 bytes;
	u64 true_size;
	u32 mtu;
	u32 namespace;
	u16 protocol;
	u8 segments;
};

HASH_MAP(dropped, int, struct dropped);

/* As skb_end_pointer() does; only kernels of 64 bits have an offset there. */
static unsigned char *end_of(struct sk_buff *buffer)
{
#ifdef NET_SKBUFF_DATA_USES_OFFSET
	return READ_FIELD(buffer, head) + READ_FIELD(buffer, end);
#else
	return READ_FIELD(buffer, end);
#endif
}

SECTION("raw_tracepoint/kfree_skb")
int note_dropped(struct bpf_raw_tracepoint_args *context)
{
	struct sk_buff *buffer = (void *)context->args[0];
	struct net_device *device = READ_FIELD(buffer, dev);
	struct skb_shared_info *shared = (void *)end_of(buffer);
	int key = READ_FIELD(device, ifindex);
	struct dropped record = {};

	record.bytes = READ_FIELD(buffer, len);
	record.true_size = READ_FIELD(buffer, truesize);
	record.mtu = READ_FIELD(device, mtu);
	record.namespace = READ_FIELD(READ_FIELD(device, nd_net.net), ns.inum);
	record.protocol = READ_FIELD(buffer, protocol);
	record.segments = READ_FIELD(shared, nr_frags);
	bpf_map_update_elem(&dropped, &key, &record, BPF_ANY);
	return 0;
}

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

SECTION("raw_tracepoint/kfree_skb")
int note_dropped(struct bpf_raw_tracepoint_args *context)
{
	struct sk_buff *buffer = (void *)context->args[0];
	struct net_device *device = READ_FIELD(buffer, dev);
	unsigned char *head = READ_FIELD(buffer, head);
	struct skb_shared_info *shared = (void *)(head + READ_FIELD(buffer, end));
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

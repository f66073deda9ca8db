/* The length and the protocol of a packet that is dropped. */
#include <linux/skbuff.h>

BPF_HASH(dropped, u16, u64);

RAW_TRACEPOINT_PROBE(kfree_skb)
{
	struct sk_buff *packet = (struct sk_buff *)ctx->args[0];
	u16 protocol = packet->protocol;
	u64 length = packet->len;

	dropped.update(&protocol, &length);
	return 0;
}

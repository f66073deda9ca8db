/* tc: drops TCP segments to a port by the packet's own bytes. */
#include <linux/skbuff.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <uapi/linux/pkt_cls.h>
#include "helpers.h"

#define REFUSED_PORT 9

SECTION("tc")
int refuse_port(struct __sk_buff *packet)
{
	void *start = (void *)(long)packet->data, *end = (void *)(long)packet->data_end;
	struct ethhdr *frame = start;
	struct iphdr *internet = (void *)(frame + 1);
	struct tcphdr *segment = (void *)(internet + 1);

	if ((void *)(segment + 1) > end || frame->h_proto != htons(ETH_P_IP))
		return TC_ACT_OK;
	if (internet->protocol != IPPROTO_TCP || internet->ihl != 5)
		return TC_ACT_OK;
	return segment->dest == htons(REFUSED_PORT) ? TC_ACT_SHOT : TC_ACT_OK;
}

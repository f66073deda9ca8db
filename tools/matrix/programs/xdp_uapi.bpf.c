/* XDP, with headers for programs only: counts UDP datagrams by their IPv6 source. */
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ipv6.h>
#include <uapi/linux/in.h>
#include <uapi/linux/udp.h>
#include "helpers.h"

HASH_MAP(datagrams, struct in6_addr, __u64);

SECTION("xdp")
int count_datagrams(struct xdp_md *context)
{
	void *start = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	struct ethhdr *frame = start;
	struct ipv6hdr *internet = (void *)(frame + 1);
	struct udphdr *datagram = (void *)(internet + 1);
	struct in6_addr source;
	__u64 *count, first = 1;

	if ((void *)(datagram + 1) > end || internet->nexthdr != IPPROTO_UDP)
		return XDP_PASS;
	source = internet->saddr;
	count = bpf_map_lookup_elem(&datagrams, &source);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&datagrams, &source, &first, BPF_ANY);
	return XDP_PASS;
}

/* A kprobe with socket structures: the state of connections that retransmit. */
#include <net/sock.h>
#include <net/inet_sock.h>
#include <linux/tcp.h>
#include <net/tcp.h>
#include "helpers.h"

struct connection {
	u32 source, destination;
	u16 source_port, destination_port;
	u32 smoothed_round_trip, window, unacknowledged;
	u8 state, retransmits;
};

HASH_MAP(connections, u64, struct connection);

SECTION("raw_tracepoint/tcp_retransmit_skb")
int note_connection(struct bpf_raw_tracepoint_args *context)
{
	struct sock *socket = (void *)context->args[0];
	struct inet_sock *internet = (struct inet_sock *)socket;
	struct tcp_sock *transmission = (struct tcp_sock *)socket;
	struct inet_connection_sock *timers = (struct inet_connection_sock *)socket;
	u64 key = (unsigned long)socket;
	struct connection record = {};

	record.source = READ_FIELD(socket, sk_rcv_saddr);
	record.destination = READ_FIELD(socket, sk_daddr);
	record.source_port = READ_FIELD(internet, inet_sport);
	record.destination_port = READ_FIELD(socket, sk_dport);
	record.smoothed_round_trip = READ_FIELD(transmission, srtt_us);
	record.window = READ_FIELD(transmission, snd_cwnd);
	record.unacknowledged = READ_FIELD(transmission, snd_una);
	record.retransmits = READ_FIELD(timers, icsk_retransmits);
	record.state = READ_FIELD(socket, sk_state) == TCP_ESTABLISHED;
	bpf_map_update_elem(&connections, &key, &record, BPF_ANY);
	return 0;
}

/* The ports of a connection that changes its state. */
#include <net/sock.h>
#include <net/tcp.h>

BPF_HASH(states, u32, u64);

RAW_TRACEPOINT_PROBE(inet_sock_set_state)
{
	struct sock *socket = (struct sock *)ctx->args[0];
	u32 port = socket->__sk_common.skc_num;

	states.increment(port);
	return 0;
}

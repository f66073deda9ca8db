/* Raw tracepoints of the block layer: what each request reads or writes. */
#include <linux/blkdev.h>
#include <linux/blk-mq.h>
#include <linux/bio.h>
#include "helpers.h"

struct issued {
	sector_t sector;
	unsigned int bytes;
	unsigned int queue_flags;
	bool writes;
	int number_of_pages;
};

HASH_MAP(issued, u64, struct issued);

SECTION("raw_tracepoint/block_rq_issue")
int note_request(struct bpf_raw_tracepoint_args *context)
{
	struct request *request = (void *)context->args[0];
	struct bio *bio = READ_FIELD(request, bio);
	u64 key = (unsigned long)request;
	struct issued record = {};

	record.sector = READ_FIELD(request, __sector);
	record.bytes = READ_FIELD(request, __data_len);
	record.queue_flags = READ_FIELD(READ_FIELD(request, q), queue_flags);
	record.writes = op_is_write(READ_FIELD(request, cmd_flags) & REQ_OP_MASK);
	record.number_of_pages = READ_FIELD(bio, bi_vcnt);
	bpf_map_update_elem(&issued, &key, &record, BPF_ANY);
	return 0;
}

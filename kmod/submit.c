// SPDX-License-Identifier: GPL-2.0
/* Descriptors out of the submission ring: copied once, judged, made ready and handed on. */
#include "xmit.h"

#include "parameters.h"

#include <linux/sched/signal.h>

/* Frames that are made ready before the first of them leaves. More are sent in several goes. */
#define PREPARE_CHUNK 1024U

/* How many descriptors can be taken now: queued, wanted, and with room for what becomes of them. */
static long count_takeable(struct ktx *ktx, u32 most, u32 *count)
{
	/* Pairs with the user's release: descriptors and frames before the index that covers them. */
	u32 producer = smp_load_acquire(&ktx->header->submission_producer);
	u32 queued = producer - ktx->submission_consumer;
	u64 ceiling = (u64)READ_ONCE(ktrxer_memory_ceiling_kib) << 10;
	u32 room;
	bool full;

	if (queued > ktx->submission_mask + 1)
		return -EINVAL;
	spin_lock_bh(&ktx->lock);
	room = ktx_completion_room(ktx);
	full = ktx->held_bytes >= ceiling;
	spin_unlock_bh(&ktx->lock);
	*count = full ? 0 : min3(queued, room, most ?: queued);
	return queued && !*count ? -EAGAIN : 0;
}

static void copy_descriptor(const struct ktx *ktx, u32 index, struct ktx_descriptor *copy)
{
	const struct ktx_descriptor *shared = &ktx->descriptors[index & ktx->submission_mask];

	/* One read of each field: the compiler may not look again at what the user rewrites. */
	copy->launch_ns = READ_ONCE(shared->launch_ns);
	copy->cookie = READ_ONCE(shared->cookie);
	copy->frame_offset = READ_ONCE(shared->frame_offset);
	copy->frame_length = READ_ONCE(shared->frame_length);
	copy->flags = READ_ONCE(shared->flags);
	copy->queue = READ_ONCE(shared->queue);
	copy->reserved = READ_ONCE(shared->reserved);
}

/* Takes one descriptor; a frame that can be sent joins `prepared`. */
static void take_descriptor(struct ktx *ktx, struct net_device *dev, struct sk_buff_head *prepared)
{
	struct ktx_descriptor descriptor;
	enum ktx_status status = KTX_GONE;
	struct sk_buff *skb;

	copy_descriptor(ktx, ktx->submission_consumer++, &descriptor);
	if (dev)
		status = ktx_prepare(ktx, dev, &descriptor, &skb);
	if (status == KTX_SENT)
		__skb_queue_tail(prepared, skb);
	else
		ktx_refuse(ktx, &descriptor, status);
}

long ktx_submit(struct ktx *ktx, u32 most)
{
	struct sk_buff_head prepared;
	struct net_device *dev;
	long taken = 0;
	long result;
	u32 count;

	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	if (mutex_lock_interruptible(&ktx->submit))
		return -ERESTARTSYS;
	result = count_takeable(ktx, most, &count);
	while (!result && count) {
		u32 chunk = min(count, PREPARE_CHUNK);
		u32 left;

		spin_lock_bh(&ktx->lock);
		dev = ktx->dev;
		if (dev)
			dev_hold(dev);
		spin_unlock_bh(&ktx->lock);
		__skb_queue_head_init(&prepared);
		for (left = chunk; left; left--) {
			take_descriptor(ktx, dev, &prepared);
			cond_resched();
		}
		/* The entries may be filled again. */
		smp_store_release(&ktx->header->submission_consumer, ktx->submission_consumer);
		ktx_xmit(ktx, &prepared);
		if (dev)
			dev_put(dev);
		taken += chunk;
		count -= chunk;
		if (count && (signal_pending(current) || ktx->held_bytes >= (u64)ktrxer_memory_ceiling_kib << 10))
			break;
	}
	mutex_unlock(&ktx->submit);
	return result ?: taken;
}

// SPDX-License-Identifier: GPL-2.0
/* Descriptors out of the submission ring: copied once, judged, made ready and handed on. */
#include "xmit.h"

#include "parameters.h"

#include <linux/sched/signal.h>

/* Frames that are made ready before the first of them leaves. More are sent in several goes. */
#define PREPARE_CHUNK 1024U

/*
 * How many descriptors can be taken now: queued, wanted, and with room for what becomes of them. The room is reserved:
 * rules that send meanwhile do not get it.
 */
static long reserve(struct ktx *ktx, u32 most, u32 *count)
{
	/* Pairs with the user's release: descriptors and frames before the index that covers them. */
	u32 producer = smp_load_acquire(&ktx->header->submission_producer);
	u32 queued = producer - ktx->submission_consumer;

	if (queued > ktx->submission_mask + 1)
		return -EINVAL;
	local_bh_disable();
	spin_lock(&ktx->lock);
	*count = min3(queued, ktx_completion_room(ktx), most ?: queued);
	ktx->reserved = *count;
	ktx_leave(ktx);
	local_bh_enable();
	return queued && !*count ? -EAGAIN : 0;
}

static void unreserve(struct ktx *ktx)
{
	local_bh_disable();
	spin_lock(&ktx->lock);
	ktx->reserved = 0;
	ktx_leave(ktx);
	local_bh_enable();
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

/* Takes one descriptor; a frame that can be sent joins `prepared`. False: frames hold all the memory that they may. */
static bool take_descriptor(struct ktx *ktx, struct net_device *dev, struct sk_buff_head *prepared)
{
	struct ktx_descriptor descriptor;
	enum ktx_status status = KTX_GONE;
	struct sk_buff *skb;

	copy_descriptor(ktx, ktx->submission_consumer, &descriptor);
	if (!ktrxer_frame_hold(descriptor.frame_length))
		return false;
	ktx->submission_consumer++;
	if (dev)
		status = ktx_prepare(ktx, dev, &descriptor, &skb);
	if (status == KTX_SENT)
		__skb_queue_tail(prepared, skb);
	else
		ktx_refuse(ktx, &descriptor, status);
	return true;
}

/* Descriptors between two looks whether somebody else wants the processor. */
#define RESCHED_EVERY 16U

/* Takes up to `most` descriptors and sends them or sees to it that they are. Returns how many. */
static u32 take_chunk(struct ktx *ktx, u32 most)
{
	struct sk_buff_head prepared;
	struct net_device *dev;
	u32 taken = 0;

	spin_lock_bh(&ktx->lock);
	dev = ktx->dev;
	if (dev)
		dev_hold(dev);
	spin_unlock_bh(&ktx->lock);
	__skb_queue_head_init(&prepared);
	while (taken < most && take_descriptor(ktx, dev, &prepared)) {
		if (++taken % RESCHED_EVERY == 0)
			cond_resched();
	}
	/* The entries may be filled again. */
	smp_store_release(&ktx->header->submission_consumer, ktx->submission_consumer);
	ktx_xmit(ktx, &prepared);
	if (dev)
		dev_put(dev);
	return taken;
}

long ktx_submit(struct ktx *ktx, u32 most)
{
	long taken = 0;
	long result;
	u32 count;

	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	if (mutex_lock_interruptible(&ktx->submit))
		return -ERESTARTSYS;
	result = reserve(ktx, most, &count);
	while (!result && count) {
		u32 wanted = min(count, PREPARE_CHUNK);
		u32 got = take_chunk(ktx, wanted);

		taken += got;
		count -= got;
		if (got < wanted)
			result = -EAGAIN;
		else if (count && signal_pending(current))
			break;
	}
	unreserve(ktx);
	mutex_unlock(&ktx->submit);
	return taken ?: result;
}

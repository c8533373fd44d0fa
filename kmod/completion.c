// SPDX-License-Identifier: GPL-2.0
/* Completions: each frame that was taken has one, and room for it was kept from the beginning. */
#include "xmit.h"

#include "parameters.h"

#include <linux/ktime.h>

u32 ktx_completion_room(struct ktx *ktx)
{
	u32 entries = ktx->completion_mask + 1;

	/* What is not published yet has not been consumed, whatever the user says. */
	ktx->completion_consumer = ktrxer_ring_consumed(&ktx->header->completion_consumer, ktx->completion_consumer,
							ktx->published);
	return entries - (ktx->completion_producer - ktx->completion_consumer) - ktx->waiting - ktx->reserved;
}

void ktx_post(struct ktx *ktx, const struct ktx_account *account, enum ktx_status status, u64 stamp)
{
	struct ktx_completion *entry = &ktx->completions[ktx->completion_producer++ & ktx->completion_mask];

	entry->cookie = account->cookie;
	entry->launch_ns = account->launch;
	entry->sent_ns = stamp;
	entry->hardware_ns = 0;
	entry->status = status;
	entry->flags = account->flags & ~KTX_ACCOUNT_STAMP;
	entry->attempts = account->attempts;
	entry->length = account->length;
}

void ktx_finish(struct ktx *ktx, const struct ktx_account *account, enum ktx_status status, u64 stamp)
{
	bool reaction = account->flags & KTX_COMPLETION_REACTION;

	ktrxer_frame_release(account->length);
	if (status == KTX_SENT) {
		ktx->statistics.sent++;
		ktx->statistics.bytes += account->length;
	} else {
		ktx->statistics.failed++;
	}
	if (reaction) {
		if (status == KTX_SENT)
			ktx->statistics.reactions++;
		else
			ktx->statistics.reactions_lost++;
		ktx->reactions_waiting--;
		/* Only frames of the submission ring have an entry kept for them. */
		if (!ktx_completion_room(ktx)) {
			ktx->statistics.completions_lost++;
			return;
		}
	} else {
		ktx->waiting--;
	}
	ktx_post(ktx, account, status, stamp);
}

void ktx_finish_posted(struct ktx *ktx, u32 count, u32 bytes)
{
	ktrxer_frames_release(count, bytes);
	ktx->statistics.sent += count;
	ktx->statistics.bytes += bytes;
	ktx->waiting -= count;
}

void ktx_publish(struct ktx *ktx)
{
	u32 until;

	ktx_post_handed(ktx);
	until = ktx->completion_producer;
	if (unlikely(ktx_stamp_waits(&ktx->stamps)))
		until = ktx_stamp_limit(ktx);
	if (ktx->published == until)
		return;
	ktx->published = until;
	ktx_show_scheduled(ktx);
	/* Pairs with the user's acquire: entries before the index that covers them. */
	smp_store_release(&ktx->header->completion_producer, until);
	ktrxer_wake_up(&ktx->wake, until - READ_ONCE(ktx->header->completion_consumer));
}

void ktx_admit(struct ktx *ktx)
{
	ktx->statistics.submitted++;
	ktx->reserved--;
	ktx->waiting++;
}

void ktx_refuse(struct ktx *ktx, const struct ktx_descriptor *descriptor, enum ktx_status status)
{
	struct ktx_account account = {
		.launch = descriptor->launch_ns,
		.cookie = descriptor->cookie,
		.length = descriptor->frame_length,
		.flags = descriptor->launch_ns ? KTX_COMPLETION_TIMED : 0,
	};

	spin_lock_bh(&ktx->lock);
	ktx_admit(ktx);
	ktx_finish(ktx, &account, status, ktime_get_ns());
	ktx_publish(ktx);
	spin_unlock_bh(&ktx->lock);
}

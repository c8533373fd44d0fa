// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that the driver took: when, and their completions. A burst does not wait for that: a device that has room for
 * a few frames only is full many times within it, and what is done in between keeps it idle. All under ktx->lock.
 */
#include "xmit.h"

#include <linux/delay.h>
#include <linux/math64.h>

bool ktx_found_cycles __read_mostly;

void ktx_xmit_measure(void)
{
	cycles_t begin = get_cycles();

	udelay(2);
	ktx_found_cycles = get_cycles() != begin;
}

/* The instants of the marks of one hold of a queue's lock, from two at which both were read. */
static void marks_to_ns(struct ktx_handed *handed, const struct ktx_hold *hold)
{
	/* Counters of 32 bits go round. Holds are far shorter than 2^32 marks. */
	u32 marks = max_t(u32, (u32)(hold->last_mark - hold->first_mark), 1);
	/* ns a mark, in 2^-24: one division for all, which is dear where registers have 32 bits. */
	u64 scale = div_u64((hold->last_ns - hold->first_ns) << 24, marks);
	unsigned int i;

	if (!ktx_has_cycles())
		return;
	for (i = 0; i < hold->count; i++) {
		u32 mark = (u32)(handed[i].at - hold->first_mark);

		if (!handed[i].account.launch)
			handed[i].at = hold->first_ns + mul_u64_u32_shr(scale, mark, 24);
	}
}

static void post_hold(struct ktx *ktx, struct ktx_handed *handed, const struct ktx_hold *hold)
{
	unsigned int i, sent = 0;
	u32 bytes = 0;

	marks_to_ns(handed, hold);
	for (i = 0; i < hold->count; i++, handed++) {
		enum ktx_status status = net_xmit_eval(handed->result) ? KTX_DROPPED : KTX_SENT;

		handed->account.attempts++;
		if (likely(status == KTX_SENT &&
			   !(handed->account.flags & (KTX_COMPLETION_REACTION | KTX_ACCOUNT_STAMP)))) {
			sent++;
			bytes += handed->account.length;
			ktx_post(ktx, &handed->account, KTX_SENT, handed->at);
		} else {
			ktx_finish_posted(ktx, sent, bytes);
			sent = 0;
			bytes = 0;
			if (handed->account.flags & KTX_ACCOUNT_STAMP)
				ktx_stamp_note(ktx, handed->account.flags, status == KTX_SENT ? handed->at : 0);
			ktx_finish(ktx, &handed->account, status, handed->at);
		}
		handed->account.launch = 0;
	}
	ktx_finish_posted(ktx, sent, bytes);
}

/* Not copied into the loop over bursts, which has no registers to spare. */
noinline void ktx_post_handed(struct ktx *ktx)
{
	struct ktx_handed *handed;
	unsigned int i;

	if (!ktx->hold_count)
		return;
	handed = ktx->handed->frames;
	for (i = 0; i < ktx->hold_count; i++) {
		post_hold(ktx, handed, &ktx->handed->holds[i]);
		handed += ktx->handed->holds[i].count;
	}
	ktx->hold_count = 0;
	ktx->handed_count = 0;
}

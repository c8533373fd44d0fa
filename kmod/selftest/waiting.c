// SPDX-License-Identifier: GPL-2.0
/* Order of launch, whatever the order in which frames come and go. */
#include "../xmit.h"

#include "selftest.h"

#include <linux/slab.h>

#define FRAMES 64U

static struct sk_buff *timed(u64 launch, u64 order)
{
	struct sk_buff *skb = alloc_skb(64, GFP_KERNEL);

	if (!skb)
		return NULL;
	memset(ktx_frame(skb), 0, sizeof(struct ktx_frame));
	ktx_frame(skb)->account.launch = launch;
	ktx_frame(skb)->order = order;
	return skb;
}

bool ktrxer_selftest_waiting(void)
{
	struct ktx *ktx = kzalloc(sizeof(*ktx), GFP_KERNEL);
	struct sk_buff *skb;
	bool good = true;
	u64 launch = 0;
	u64 order = 0;
	unsigned int waiting = 0;
	unsigned int i;

	if (!ktx)
		return true;
	ktx_waiting_init(ktx);
	KTRXER_EXPECT(!ktx_peek(ktx, U64_MAX - 1));
	/* 64 frames at 16 instants, in an order that visits each residue once. */
	for (i = 0; i < FRAMES; i++) {
		skb = timed(1000 + i * 37 % FRAMES / 4, i);
		/* Without memory there are fewer. */
		if (!skb)
			continue;
		ktx_insert_timed(ktx, skb);
		waiting++;
	}
	KTRXER_EXPECT(!ktx_peek(ktx, 999));
	for (i = 0; (skb = ktx_peek(ktx, U64_MAX - 1)); i++) {
		const struct ktx_frame *frame = ktx_frame(skb);

		KTRXER_EXPECT(frame->account.launch > launch ||
			      (frame->account.launch == launch && frame->order > order));
		KTRXER_EXPECT(ktx->next_launch == frame->account.launch);
		launch = frame->account.launch;
		order = frame->order;
		ktx_take(ktx, skb);
		/* One that a busy device gave back comes first again. */
		ktx_put_back(ktx, skb);
		KTRXER_EXPECT(ktx_peek(ktx, U64_MAX - 1) == skb);
		ktx_take(ktx, skb);
		kfree_skb(skb);
	}
	KTRXER_EXPECT(i == waiting && ktx->next_launch == U64_MAX);
	kfree(ktx);
	return good;
}

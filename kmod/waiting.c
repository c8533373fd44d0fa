// SPDX-License-Identifier: GPL-2.0
/* Frames that wait: those for now in a list, timed ones in a tree by launch time. All under ktx->lock. */
#include "xmit.h"

#include <linux/ktime.h>

static void look_at_first(struct ktx *ktx)
{
	ktx->first_timed = rb_first(&ktx->timed);
	ktx->next_launch = ktx->first_timed ? ktx_frame(ktx_of_node(ktx->first_timed))->account.launch : U64_MAX;
}

static bool comes_before(const struct ktx_frame *one, const struct ktx_frame *other)
{
	if (one->account.launch != other->account.launch)
		return one->account.launch < other->account.launch;
	return one->order < other->order;
}

void ktx_insert_timed(struct ktx *ktx, struct sk_buff *skb)
{
	const struct ktx_frame *frame = ktx_frame(skb);
	struct rb_node **link = &ktx->timed.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		const struct ktx_frame *other = ktx_frame(ktx_of_node(*link));

		parent = *link;
		if (comes_before(frame, other))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	/* From here on skb->dev is part of the node. */
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, &ktx->timed);
	look_at_first(ktx);
}

void ktx_take_timed(struct ktx *ktx, struct sk_buff *skb)
{
	rb_erase(&skb->rbnode, &ktx->timed);
	look_at_first(ktx);
	/* The node lay over these. */
	skb->next = NULL;
	skb->prev = NULL;
	skb->dev = ktx->dev;
}

void ktx_put_back(struct ktx *ktx, struct sk_buff *skb)
{
	if (ktx_frame(skb)->account.launch)
		ktx_insert_timed(ktx, skb);
	else
		__skb_queue_head(&ktx->due, skb);
}

void ktx_end(struct ktx *ktx, struct sk_buff *skb, enum ktx_status status, u64 now)
{
	struct ktx_account account = ktx_frame(skb)->account;

	/* Completions are in order: of those that left before, too. */
	ktx_post_handed(ktx);
	ktx_take(ktx, skb);
	ktx_finish(ktx, &account, status, now);
	kfree_skb(skb);
}

void ktx_waiting_init(struct ktx *ktx)
{
	__skb_queue_head_init(&ktx->due);
	ktx->timed = RB_ROOT;
	look_at_first(ktx);
}

/* A cookie means frames of the submission ring: a rule's number may be the same, and is its own affair. */
static bool is_meant(struct sk_buff *skb, const u64 *cookie)
{
	const struct ktx_account *account = &ktx_frame(skb)->account;

	return !cookie || (account->cookie == *cookie && !(account->flags & KTX_COMPLETION_REACTION));
}

int ktx_end_all(struct ktx *ktx, const u64 *cookie, enum ktx_status status)
{
	u64 now = ktime_get_ns();
	struct rb_node *node, *behind;
	struct sk_buff *skb, *next;
	int ended = 0;

	skb_queue_walk_safe(&ktx->due, skb, next) {
		if (!is_meant(skb, cookie))
			continue;
		ended += !(ktx_frame(skb)->account.flags & KTX_COMPLETION_REACTION);
		ktx_end(ktx, skb, status, now);
	}
	for (node = rb_first(&ktx->timed); node; node = behind) {
		behind = rb_next(node);
		skb = ktx_of_node(node);
		if (!is_meant(skb, cookie))
			continue;
		ended += !(ktx_frame(skb)->account.flags & KTX_COMPLETION_REACTION);
		ktx_end(ktx, skb, status, now);
	}
	return ended;
}

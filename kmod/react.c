// SPDX-License-Identifier: GPL-2.0
/* Frames that rules send: copied when the rule is added, completed with fields of each match, and handed on. */
#include "react.h"

#include "compat/unaligned.h"
#include "frame.h"
#include "krx.h"
#include "ktx.h"
#include "netns.h"
#include "parameters.h"

#include <linux/err.h>
#include <linux/in.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

struct krx_reactor {
	struct ktx *ktx;
	u8 *frame;
	bool held; /* its bytes count against memory_ceiling */
	struct krx_reaction reaction;
	struct krx_layout layout;
	atomic_t left; /* matches to react to, where there is a limit */
};

/* A match, as copies see it. */
struct match {
	const struct sk_buff *skb;
	const struct krx_packet *packet;
	int link; /* bytes before the IP header */
	int payload; /* from the IP header; negative: none */
	s64 segment;
};

struct krx_reactor *krx_reactor_new(const struct krx_reaction *reaction, const struct ktrxer_net *kn)
{
	struct krx_reactor *reactor = kzalloc(sizeof(*reactor), GFP_KERNEL_ACCOUNT);
	long error;

	if (!reactor)
		return ERR_PTR(-ENOMEM);
	reactor->reaction = *reaction;
	atomic_set(&reactor->left, reaction->limit);
	reactor->ktx = ktx_get(reaction->ktx, kn);
	if (IS_ERR(reactor->ktx)) {
		error = PTR_ERR(reactor->ktx);
		reactor->ktx = NULL;
		goto failed;
	}
	/* Rules may keep as much as frames that wait may take, together with those. */
	error = -ENOBUFS;
	if (!ktrxer_frame_hold(reaction->frame_length))
		goto failed;
	reactor->held = true;
	reactor->frame = ktx_copy_frame(reactor->ktx, reaction->frame_offset, reaction->frame_length);
	if (IS_ERR(reactor->frame)) {
		error = PTR_ERR(reactor->frame);
		reactor->frame = NULL;
		goto failed;
	}
	krx_layout(&reactor->layout, reactor->frame, reaction->frame_length, reactor->ktx->link_header);
	/* Who wants lengths or checksums made right has to have some. */
	error = -EINVAL;
	if (reaction->flags && !reactor->layout.family)
		goto failed;
	return reactor;

failed:
	krx_reactor_destroy(reactor);
	return ERR_PTR(error);
}

void krx_reactor_destroy(struct krx_reactor *reactor)
{
	if (!reactor)
		return;
	if (reactor->ktx)
		ktx_put(reactor->ktx);
	if (reactor->held)
		ktrxer_frame_release(reactor->reaction.frame_length);
	kfree(reactor->frame);
	kfree(reactor);
}

/* Bytes of the match from `offset` on, counted from the IP header; the link header lies before it. */
static bool read_match(const struct match *match, int offset, u8 *to, int length)
{
	int before;

	if (offset < -match->link || offset + length > (int)match->skb->len)
		return false;
	if (offset < 0) {
		before = min(-offset, length);
		memcpy(to, match->skb->data + offset, before);
		to += before;
		offset += before;
		length -= before;
	}
	return !length || !skb_copy_bits(match->skb, offset, to, length);
}

static bool find_base(const struct match *match, u8 base, int *offset)
{
	switch (base) {
	case KRX_BASE_LINK:
		*offset = -match->link;
		return match->link > 0;
	case KRX_BASE_NETWORK:
		*offset = 0;
		return true;
	case KRX_BASE_TRANSPORT:
		*offset = match->packet->transport;
		break;
	default:
		*offset = match->payload;
		break;
	}
	return *offset >= 0;
}

static u32 read_number(const u8 *from, unsigned int bytes)
{
	return bytes == 1 ? *from : bytes == 2 ? get_unaligned_be16(from) : get_unaligned_be32(from);
}

static void write_number(u8 *to, u32 number, unsigned int bytes)
{
	if (bytes == 1)
		*to = number;
	else if (bytes == 2)
		put_unaligned_be16(number, to);
	else
		put_unaligned_be32(number, to);
}

static bool copy_field(const struct match *match, const struct krx_copy *copy, u8 *frame)
{
	u8 *to = frame + copy->to;
	u32 number;
	int base;

	if (!find_base(match, copy->base, &base) || !read_match(match, base + copy->from, to, copy->length))
		return false;
	if (copy->operation == KRX_COPY_BYTES)
		return true;
	number = read_number(to, copy->length) + copy->addend;
	if (copy->operation == KRX_COPY_ADD_SEGMENT) {
		if (match->segment < 0)
			return false;
		number += match->segment;
	}
	write_number(to, number, copy->length);
	return true;
}

/* Bytes of payload that follow the frame, as far as the interface's longest frame has room; negative: there is none. */
static int appended_bytes(const struct krx_reactor *reactor, const struct match *match)
{
	unsigned int room = reactor->ktx->longest_frame - reactor->reaction.frame_length;

	if (!(reactor->reaction.flags & KRX_REACT_APPEND_PAYLOAD))
		return 0;
	if (match->payload < 0)
		return -1;
	return min(match->skb->len - match->payload, room);
}

/* One frame, or NULL. */
static struct sk_buff *make_frame(const struct krx_reactor *reactor, const struct match *match)
{
	const struct krx_reaction *reaction = &reactor->reaction;
	unsigned int length = reaction->frame_length;
	int appended = appended_bytes(reactor, match);
	struct sk_buff *skb;
	unsigned int i;
	u8 *frame;

	if (appended < 0)
		return NULL;
	skb = ktx_reaction_alloc(reactor->ktx, length + appended);
	if (!skb)
		return NULL;
	frame = skb_put(skb, length + appended);
	memcpy(frame, reactor->frame, length);
	for (i = 0; i < KRX_COPIES && reaction->copies[i].base != KRX_BASE_NONE; i++) {
		if (!copy_field(match, &reaction->copies[i], frame))
			goto failed;
	}
	if (!read_match(match, match->payload, frame + length, appended) && appended)
		goto failed;
	length += appended;
	if (reaction->flags & KRX_REACT_APPEND_PAYLOAD)
		krx_frame_lengths(&reactor->layout, frame, length);
	if (reaction->flags & KRX_REACT_CHECKSUMS)
		krx_frame_checksums(&reactor->layout, frame, length);
	return skb;

failed:
	ktx_reaction_free(skb);
	return NULL;
}

/* When the nth frame leaves; 0: at once. */
static u64 launch_of(const struct krx_reaction *reaction, const struct sk_buff *skb, unsigned int n)
{
	u64 after = reaction->delay_ns + n * reaction->gap_ns;
	u64 realtime, monotonic;

	if (!after)
		return 0;
	krx_arrival(skb, &realtime, &monotonic);
	/* The clock may have been set back since. */
	return min(monotonic, ktime_get_ns()) + after;
}

void krx_react(struct krx_entry *entry, struct sk_buff *skb, const struct krx_packet *packet)
{
	struct krx_reactor *reactor = entry->reactor;
	const struct krx_reaction *reaction = &reactor->reaction;
	struct match match = {
		.skb = skb,
		.packet = packet,
		.link = krx_link_length(skb),
		.payload = krx_payload_offset(skb, packet),
		.segment = krx_segment_length(skb, packet),
	};
	struct sk_buff *frame;
	unsigned int i;

	/* One step for taking and counting, so that processors at the same time do not take the last twice. */
	if (reaction->limit && !atomic_add_unless(&reactor->left, -1, 0))
		return;
	for (i = 0; i < reaction->repeat; i++) {
		frame = make_frame(reactor, &match);
		if (!frame) {
			/* The next one would come to nothing as well. */
			atomic64_add(reaction->repeat - i, &entry->counters->reactions_lost);
			break;
		}
		atomic64_inc(&entry->counters->reactions);
		ktx_react(reactor->ktx, frame, launch_of(reaction, skb, i), reaction->cookie);
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of frames that leave at once. The file keeps a reference of each such skb: when the driver has given up its
 * own, which is all that freeing then means to it, the skb serves again as it is. To make an skb, to free it and to
 * find memory for it is as much work as all the rest of sending a frame.
 *
 * That the driver has an skb which somebody else has as well is what IFF_TX_SKB_SHARING allows (netdevice.h; the
 * kernel's packet generator does it, too). Interfaces on top of others are left out all the same: they hand the skb on
 * to whom nobody asked. There, and for frames that are more than all that are kept, memory is a part of a page: a
 * driver gives it back in a fifth of the time that kfree() takes.
 */
#include "ktx.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

/* Those of a ring of usual size, and of a burst that is made ready meanwhile. */
#define MOST_KEPT 512U
/*
 * Room beside the frame's own: kept skbs serve for frames of other lengths, too, and a driver that has to make an skb
 * larger, for its own header or to fill up a short frame, cannot do so while it is shared.
 */
#define SPARE_HEADROOM NET_SKB_PAD
#define SPARE_TAILROOM 64U
#define LEAST_ROOM 128U

struct ktx_kept {
	void *page; /* of which parts are taken, with a reference of ours; or NULL */
	u32 used; /* bytes of it */
	bool sharing; /* the driver may have an skb that we have, too */
	u32 count; /* of skbs */
	u32 next; /* about the one that was lent the longest ago */
	struct sk_buff *skbs[MOST_KEPT]; /* a circle, each with a reference of ours */
};

int ktx_kept_init(struct ktx *ktx, const struct net_device *dev)
{
	ktx->kept = kvzalloc(sizeof(*ktx->kept), GFP_KERNEL);
	if (!ktx->kept)
		return -ENOMEM;
	ktx->kept->sharing = READ_ONCE(ktrxer_share_skbs) && dev->priv_flags & IFF_TX_SKB_SHARING &&
			     !ktx_is_stacked(dev);
	return 0;
}

void ktx_kept_end(struct ktx *ktx)
{
	struct ktx_kept *kept = ktx->kept;

	if (!kept)
		return;
	while (kept->count) {
		struct sk_buff *skb = kept->skbs[--kept->count];

		ktrxer_frame_release(skb_end_offset(skb));
		consume_skb(skb);
	}
	if (kept->page)
		put_page(virt_to_page(kept->page));
	kvfree(kept);
	ktx->kept = NULL;
}

/* No larger page than four times what a short frame counts as: a frame that waits after all keeps it whole. */
static void *take_part(struct ktx_kept *kept, unsigned int size)
{
	void *part;

	if (PAGE_SIZE > SZ_4K || size > PAGE_SIZE)
		return NULL;
	if (!kept->page || size > PAGE_SIZE - kept->used) {
		/* Not out of what is set aside for interrupts. */
		struct page *page = alloc_page(GFP_KERNEL | __GFP_NOWARN);

		if (!page)
			return NULL;
		if (kept->page)
			put_page(virt_to_page(kept->page));
		kept->page = page_address(page);
		kept->used = 0;
	}
	get_page(virt_to_page(kept->page));
	part = kept->page + kept->used;
	kept->used += size;
	return part;
}

struct sk_buff *ktx_part_skb(struct ktx *ktx, unsigned int headroom, unsigned int room)
{
	unsigned int size = SKB_DATA_ALIGN(headroom + room) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	void *part = take_part(ktx->kept, size);
	struct sk_buff *skb;

	if (!part)
		return NULL;
	skb = compat_build_skb(part, size);
	if (!skb) {
		skb_free_frag(part);
		return NULL;
	}
	skb_reserve(skb, headroom);
	return skb;
}

static void advance(struct ktx_kept *kept)
{
	if (++kept->next >= kept->count)
		kept->next = 0;
}

/* The skb whose turn it is, if the driver has given it up and it is large enough; as it was when it was new. */
static struct sk_buff *lend(struct ktx_kept *kept, unsigned int headroom, unsigned int room)
{
	struct sk_buff *skb = kept->skbs[kept->next];

	if (refcount_read(&skb->users) != 1)
		return NULL;
	/* As skb_unref(): what the driver did with it comes before. */
	smp_rmb();
	if (unlikely(skb_end_offset(skb) < headroom + room || skb_cloned(skb) || skb_is_nonlinear(skb) ||
		     skb_vlan_tag_present(skb))) {
		ktrxer_frame_release(skb_end_offset(skb));
		consume_skb(skb);
		kept->skbs[kept->next] = kept->skbs[--kept->count];
		if (kept->next == kept->count)
			kept->next = 0;
		return NULL;
	}
	advance(kept);
	skb->data = skb->head + headroom;
	skb_reset_tail_pointer(skb);
	skb->len = 0;
	compat_forget_queue(skb);
	return skb_get(skb);
}

/* In the place of the one whose turn it was, which goes to the end. */
static void keep(struct ktx_kept *kept, struct sk_buff *skb)
{
	if (kept->count < MOST_KEPT && ktrxer_frame_keep(skb_end_offset(skb))) {
		kept->skbs[kept->count++] = kept->skbs[kept->next];
		kept->skbs[kept->next] = skb_get(skb);
	}
	advance(kept);
}

struct sk_buff *ktx_kept_skb(struct ktx *ktx, const struct net_device *dev, unsigned int headroom, unsigned int room)
{
	struct ktx_kept *kept = ktx->kept;
	struct sk_buff *skb;

	if (!kept->sharing || ktx_has_lower(dev))
		return ktx_part_skb(ktx, headroom, room);
	headroom += SPARE_HEADROOM;
	room = max(room, LEAST_ROOM) + SPARE_TAILROOM;
	skb = kept->count ? lend(kept, headroom, room) : NULL;
	if (skb)
		return skb;
	skb = ktx_part_skb(ktx, headroom, room);
	if (skb)
		keep(kept, skb);
	return skb;
}

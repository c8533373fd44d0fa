// SPDX-License-Identifier: GPL-2.0
/*
 * Frames into skbs, ahead of their launch: judged, copied or referenced, addressed to a queue. What a descriptor says
 * was copied before; what lies in the frame area may change under our eyes, and decides nothing but bytes on the wire.
 */
#include "ktx.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* Of a referenced frame so much is copied all the same: the headers that virtual devices and drivers look into. */
#define COPIED_HEAD 128U

/* One referenced frame's part in the count. */
struct reference {
	struct ubuf_info shared;
	struct ktx_references *references;
};

static void references_free(struct kref *ref)
{
	kfree(container_of(ref, struct ktx_references, ref));
}

static void references_count(struct ktx_references *references, u32 change)
{
	unsigned long flags;

	spin_lock_irqsave(&references->lock, flags);
	references->count += change;
	if (references->header)
		WRITE_ONCE(references->header->referenced, references->count);
	spin_unlock_irqrestore(&references->lock, flags);
}

static void reference_done(struct ubuf_info *shared)
{
	struct reference *reference = container_of(shared, struct reference, shared);

	/* The module is not unloaded between its last reference and the end of this function: see ktrxer_exit(). */
	rcu_read_lock();
	references_count(reference->references, -1U);
	kref_put(&reference->references->ref, references_free);
	kfree(reference);
	module_put(THIS_MODULE);
	rcu_read_unlock();
}

COMPAT_SHARED_CALLBACK(reference_callback, reference_done);

struct ktx_references *ktx_references_new(struct ktx_header *header)
{
	struct ktx_references *references = kzalloc(sizeof(*references), GFP_KERNEL);

	if (!references)
		return NULL;
	kref_init(&references->ref);
	spin_lock_init(&references->lock);
	references->header = header;
	return references;
}

void ktx_references_end(struct ktx_references *references)
{
	spin_lock_irq(&references->lock);
	references->header = NULL;
	spin_unlock_irq(&references->lock);
	kref_put(&references->ref, references_free);
}

u32 ktx_link_header(const struct net_device *dev)
{
	/* A VLAN interface makes room for its tag in hard_header_len, and adds the tag itself. */
	if (dev->type == ARPHRD_ETHER)
		return ETH_HLEN;
	return dev->header_ops ? dev->hard_header_len : 0;
}

u32 ktx_longest_frame(const struct net_device *dev)
{
	u32 link = ktx_link_header(dev);

	/* A tag that the caller puts into the frame is not part of the MTU. */
	if (dev->type == ARPHRD_ETHER)
		link += VLAN_HLEN;
	return min_t(u32, READ_ONCE(dev->mtu), KTX_LONGEST - link) + link;
}

static enum ktx_status judge_descriptor(const struct ktx *ktx, const struct net_device *dev,
					const struct ktx_descriptor *descriptor)
{
	if (descriptor->flags & ~KTX_FRAME_FLAGS || descriptor->reserved || descriptor->launch_ns > S64_MAX)
		return KTX_BAD_FLAGS;
	if (!(descriptor->flags & KTX_FRAME_QUEUE) && descriptor->queue)
		return KTX_BAD_FLAGS;
	if (!descriptor->frame_length || descriptor->frame_length < ktx_link_header(dev) ||
	    descriptor->frame_length > ktx_longest_frame(dev))
		return KTX_BAD_LENGTH;
	if (descriptor->frame_length > ktx->frame_bytes ||
	    descriptor->frame_offset > ktx->frame_bytes - descriptor->frame_length)
		return KTX_BAD_FRAME;
	if (descriptor->flags & KTX_FRAME_QUEUE && descriptor->queue >= dev->real_num_tx_queues)
		return KTX_BAD_QUEUE;
	return KTX_SENT;
}

/* Where an skb's memory is: its own; a part of a page, if it leaves at once; or with those that are kept for that. */
enum origin { ORIGIN_OWN, ORIGIN_PART, ORIGIN_KEPT };

/* Room for `linear` bytes in one piece, with what the device wants before and behind them. */
static struct sk_buff *alloc(struct ktx *ktx, enum origin origin, const struct net_device *dev, unsigned int linear,
			     gfp_t gfp)
{
	unsigned int headroom = LL_RESERVED_SPACE(dev);
	/* Short frames are filled up to the least that Ethernet allows by drivers that do not do it in hardware. */
	unsigned int tailroom = max_t(unsigned int, dev->needed_tailroom, linear < ETH_ZLEN ? ETH_ZLEN - linear : 0);
	struct sk_buff *skb = NULL;

	if (origin == ORIGIN_KEPT)
		skb = ktx_kept_skb(ktx, dev, headroom, linear + tailroom);
	else if (origin == ORIGIN_PART)
		skb = ktx_part_skb(ktx, headroom, linear + tailroom);
	if (skb)
		return skb;
	skb = alloc_skb(headroom + linear + tailroom, gfp);
	if (skb)
		skb_reserve(skb, headroom);
	return skb;
}

/* What comes after the first `head` bytes, as the pages in which it lies. */
static bool reference_pages(const struct ktx *ktx, struct sk_buff *skb, u8 *start, u32 length)
{
	struct reference *reference;
	unsigned int index = 0;

	if (DIV_ROUND_UP(offset_in_page(start) + length, PAGE_SIZE) > MAX_SKB_FRAGS)
		return false;
	reference = kzalloc(sizeof(*reference), GFP_KERNEL);
	if (!reference)
		return false;
	/* The device reads memory, not this processor's view of it. */
	flush_kernel_vmap_range(start, length);
	while (length) {
		u32 offset = offset_in_page(start);
		u32 part = min_t(u32, length, PAGE_SIZE - offset);
		struct page *page = vmalloc_to_page(start);

		get_page(page);
		/* Who copies the frame reads the page at its own address: an older frame may be cached there. */
		flush_dcache_page(page);
		skb_fill_page_desc(skb, index++, page, offset, part);
		skb->len += part;
		skb->data_len += part;
		skb->truesize += PAGE_SIZE;
		start += part;
		length -= part;
	}
	/* A driver may keep the frame for longer than the file is open. */
	__module_get(THIS_MODULE);
	kref_get(&ktx->references->ref);
	reference->references = ktx->references;
	refcount_set(&reference->shared.refcnt, 1);
	COMPAT_SHARED_SET(&reference->shared, reference_callback);
	compat_skb_share(skb, &reference->shared);
	references_count(ktx->references, 1);
	return true;
}

static bool may_reference(const struct net_device *dev, const struct ktx_descriptor *descriptor)
{
	return descriptor->frame_length > KTX_COPY_LIMIT && !(descriptor->flags & KTX_FRAME_COPY) &&
	       dev->features & NETIF_F_SG && (!IS_ENABLED(CONFIG_HIGHMEM) || dev->features & NETIF_F_HIGHDMA);
}

/* Headers as the stack would have set them, for devices that look. */
static void address(struct sk_buff *skb, struct net_device *dev)
{
	u32 link = ktx_link_header(dev);
	u8 version;

	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, link);
	if (dev->type == ARPHRD_ETHER) {
		skb->protocol = ((struct ethhdr *)skb->data)->h_proto;
	} else if (skb_headlen(skb) > link) {
		version = skb->data[link] >> 4;
		skb->protocol = version == 4 ? htons(ETH_P_IP) : version == 6 ? htons(ETH_P_IPV6) : 0;
	}
}

enum ktx_status ktx_prepare(struct ktx *ktx, struct net_device *dev, const struct ktx_descriptor *descriptor,
			    struct sk_buff **result)
{
	enum ktx_status status = judge_descriptor(ktx, dev, descriptor);
	/* One that waits for its launch would keep its page from those that leave at once. */
	enum origin origin = descriptor->launch_ns ? ORIGIN_OWN : ORIGIN_PART;
	u8 *bytes = ktx->frames + descriptor->frame_offset;
	u32 length = descriptor->frame_length;
	struct ktx_frame *frame;
	struct sk_buff *skb;
	bool referenced = false;
	u16 queue;

	if (status != KTX_SENT)
		return status;
	if (may_reference(dev, descriptor)) {
		skb = alloc(ktx, origin, dev, COPIED_HEAD, GFP_KERNEL | __GFP_NOWARN);
		if (!skb)
			return KTX_NO_MEMORY;
		referenced = reference_pages(ktx, skb, bytes + COPIED_HEAD, length - COPIED_HEAD);
		if (referenced) {
			/* skb_put() is for skbs without pages. */
			memcpy(skb_tail_pointer(skb), bytes, COPIED_HEAD);
			skb->tail += COPIED_HEAD;
			skb->len += COPIED_HEAD;
		} else {
			kfree_skb(skb);
		}
	}
	if (!referenced) {
		if (origin == ORIGIN_PART && !(descriptor->flags & KTX_FRAME_STAMP))
			origin = ORIGIN_KEPT;
		skb = alloc(ktx, origin, dev, length, GFP_KERNEL | __GFP_NOWARN);
		if (!skb)
			return KTX_NO_MEMORY;
		skb_put_data(skb, bytes, length);
	}
	address(skb, dev);
	if (descriptor->flags & KTX_FRAME_QUEUE)
		queue = descriptor->queue;
	else if (ktx->queue != KTX_QUEUE_ANY && ktx->queue < dev->real_num_tx_queues)
		queue = ktx->queue;
	else
		queue = compat_pick_queue(dev, skb);
	skb_set_queue_mapping(skb, queue);

	frame = ktx_frame(skb);
	frame->account.launch = descriptor->launch_ns;
	frame->account.cookie = descriptor->cookie;
	frame->account.length = length;
	frame->account.attempts = 0;
	frame->account.flags = (descriptor->launch_ns ? KTX_COMPLETION_TIMED : 0) |
			       (referenced ? KTX_COMPLETION_REFERENCED : 0);
	frame->order = 0;
	frame->flags = descriptor->flags;
	/* What cannot come is not waited for. */
	if (descriptor->flags & KTX_FRAME_STAMP && ktx_stamp_able(ktx, dev)) {
		frame->account.flags |= KTX_ACCOUNT_STAMP;
		if (ktx_stamp_ask(ktx, skb)) {
			kfree_skb(skb);
			return KTX_NO_MEMORY;
		}
	}
	*result = skb;
	return KTX_SENT;
}

struct sk_buff *ktx_reaction_alloc(struct ktx *ktx, unsigned int length)
{
	struct net_device *dev;
	struct sk_buff *skb = NULL;

	/* While the sender is busy they gather, and nobody counts them: no more than may wait afterwards. */
	if (READ_ONCE(ktx->reactions.qlen) >= KTX_MOST_REACTIONS || !ktrxer_frame_hold(length))
		return NULL;
	rcu_read_lock();
	/* A device whose pointer was seen here stays until the grace period has passed (unregister_netdevice). */
	dev = READ_ONCE(ktx->dev);
	if (dev && length >= max(ktx->link_header, 1U) && length <= ktx_longest_frame(dev))
		skb = alloc(NULL, ORIGIN_OWN, dev, length, GFP_ATOMIC | __GFP_NOWARN);
	rcu_read_unlock();
	if (!skb)
		ktrxer_frame_release(length);
	return skb;
}

void ktx_reaction_free(struct sk_buff *skb)
{
	ktrxer_frame_release(skb->len);
	kfree_skb(skb);
}

void ktx_reaction_address(struct ktx *ktx, struct net_device *dev, struct sk_buff *skb)
{
	address(skb, dev);
	skb_set_queue_mapping(skb, ktx->queue != KTX_QUEUE_ANY && ktx->queue < dev->real_num_tx_queues ?
					   ktx->queue : compat_pick_queue(dev, skb));
}

void *ktx_copy_frame(struct ktx *ktx, u32 offset, u32 length)
{
	void *copy;

	if (!length || length < ktx->link_header || length > ktx->longest_frame)
		return ERR_PTR(-EMSGSIZE);
	if (length > ktx->frame_bytes || offset > ktx->frame_bytes - length)
		return ERR_PTR(-EFAULT);
	copy = kmemdup(ktx->frames + offset, length, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return copy ?: ERR_PTR(-ENOMEM);
}

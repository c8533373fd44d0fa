// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of frames that leave at once: parts of pages that the file keeps. A driver gives a part back in a fifth of the
 * time that kfree() takes, and on a ring that a burst fills many times that is part of the burst; and the page serves
 * again when all of its parts are back, without a way through the allocator.
 */
#include "ktx.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/mm.h>
#include <linux/sizes.h>

/* The page that parts are taken of from now on: the one that was used the longest ago, or a new one. */
static struct page *next_page(struct ktx_parts *parts)
{
	u32 oldest = parts->count ? (parts->current_page + 1) % parts->count : 0;
	struct page *page = parts->pages[oldest];

	if (page && page_ref_count(page) == 1) {
		parts->current_page = oldest;
		return page;
	}
	/* Nobody else's frames keep it, nor does it come out of what is set aside for interrupts. */
	page = alloc_page(GFP_KERNEL | __GFP_NOWARN);
	if (!page)
		return NULL;
	if (parts->count < KTX_PART_PAGES && ktrxer_frame_keep(PAGE_SIZE)) {
		/* Behind the one before, in front of the oldest, which changes places. */
		parts->pages[parts->count] = parts->pages[oldest];
		parts->count++;
	} else if (parts->count) {
		put_page(parts->pages[oldest]);
	} else {
		put_page(page);
		return NULL;
	}
	parts->pages[oldest] = page;
	parts->current_page = oldest;
	return page;
}

/* No larger page than four times what a short frame counts as: a frame that waits after all keeps it whole. */
static void *take_part(struct ktx_parts *parts, unsigned int size)
{
	struct page *page = parts->count ? parts->pages[parts->current_page] : NULL;
	void *part;

	if (PAGE_SIZE > SZ_4K || size > PAGE_SIZE)
		return NULL;
	if (!page || size > PAGE_SIZE - parts->used) {
		page = next_page(parts);
		if (!page)
			return NULL;
		parts->used = 0;
	}
	get_page(page);
	part = page_address(page) + parts->used;
	parts->used += size;
	return part;
}

struct sk_buff *ktx_part_skb(struct ktx_parts *parts, unsigned int bytes)
{
	unsigned int size = SKB_DATA_ALIGN(bytes) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	void *part = take_part(parts, size);
	struct sk_buff *skb;

	if (!part)
		return NULL;
	skb = compat_build_skb(part, size);
	if (!skb)
		skb_free_frag(part);
	return skb;
}

void ktx_parts_end(struct ktx_parts *parts)
{
	while (parts->count) {
		put_page(parts->pages[--parts->count]);
		parts->pages[parts->count] = NULL;
		ktrxer_frame_release(PAGE_SIZE);
	}
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every packet of a namespace pays while there are rules: a look whether any rule of any file might be for it.
 * The filter of an address family is a set of bits (Bloom 1970). Each rule has set two bits that its fields hash to,
 * under the mask of what it compares, so a packet is hashed once for each mask. It says "maybe" too often, never "no"
 * wrongly: a bit is never cleared, a filter without it takes the place of the whole.
 */
#ifndef KTRXER_FILTER_H
#define KTRXER_FILTER_H

#include "compat/unaligned.h"

#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct krx_entry;
struct krx_hooks;

/* Pairs of a tuple's words; of the kind only the protocol counts here. */
#define KRX_PAIRS4 2
#define KRX_PAIRS6 5

struct krx_filter_mask {
	u64 pairs[KRX_PAIRS6];
};

struct krx_filter {
	u64 keys[3]; /* random and odd; nobody knows them */
	/* The mask if there is one only. If there are several, no bits: the hash is 0 then, and that bit is set. */
	struct krx_filter_mask front;
	u8 shift; /* 64 - log2 of the number of bits */
	bool icmp; /* all ICMP messages pass: some rule is for what errors quote, or answers for an address */
	u32 mask_count;
	struct krx_filter_mask *masks;
	u32 bit_count;
	u32 used; /* rules in it, some of them gone; ktrxer_config */
	struct rcu_head rcu;
	unsigned long bits[]; /* then the masks */
};

/* Two words as they lie in memory, one after the other. */
static __always_inline u64 krx_pair(u32 first, u32 second)
{
#ifdef __BIG_ENDIAN
	return (u64)first << 32 | second;
#else
	return (u64)second << 32 | first;
#endif
}

/*
 * Which bit: the upper bits of a sum of products with random odd numbers (multilinear hashing, Dietzfelbinger 1996).
 * The second bit is by the next lower ones.
 */
static __always_inline unsigned long krx_filter_bit(const struct krx_filter *filter, u64 hash)
{
#if BITS_PER_LONG == 64
	return hash >> filter->shift;
#else
	return (u32)(hash >> 32) >> (filter->shift - 32);
#endif
}

static __always_inline unsigned long krx_filter_second_bit(const struct krx_filter *filter, u64 hash)
{
	return krx_filter_bit(filter, hash << (64 - filter->shift));
}

static __always_inline bool krx_filter_has(const struct krx_filter *filter, u64 hash)
{
	return test_bit(krx_filter_bit(filter, hash), filter->bits) &&
	       test_bit(krx_filter_second_bit(filter, hash), filter->bits);
}

/* A hash by the front mask. Of most packets that no rule is for one bit tells; of others all has to be looked at. */
static __always_inline bool krx_filter_rejects(const struct krx_filter *filter, u64 hash)
{
	return likely(!test_bit(krx_filter_bit(filter, hash), filter->bits));
}

static __always_inline u64 krx_filter_hash4(const struct krx_filter *filter, const struct krx_filter_mask *mask,
					    u64 addresses, u64 rest)
{
	return (addresses & mask->pairs[0]) * filter->keys[0] + (rest & mask->pairs[1]) * filter->keys[1];
}

/*
 * The halves of an address are only added up: addresses that differ in both, and yet have the same sum, share a bit. Of
 * a sum's upper bits few bits of the hash depend, and there are the ends of both addresses: one is turned round.
 */
static __always_inline u64 krx_filter_hash6(const struct krx_filter *filter, const struct krx_filter_mask *mask,
					    const void *addresses, u64 rest)
{
	const u64 *pairs = addresses;
	u64 source = (get_unaligned(&pairs[0]) & mask->pairs[0]) + (get_unaligned(&pairs[1]) & mask->pairs[1]);
	u64 destination = (get_unaligned(&pairs[2]) & mask->pairs[2]) + (get_unaligned(&pairs[3]) & mask->pairs[3]);

	return source * filter->keys[0] + rol64(destination, 32) * filter->keys[1] +
	       (rest & mask->pairs[4]) * filter->keys[2];
}

/* Might a rule be for an IPv4 packet of these addresses, and these ports (or 0) and protocol? Under RCU. */
static __always_inline bool krx_filter_passes4(const struct krx_filter *filter, u64 addresses, u64 rest)
{
	u32 i;

	for (i = 0; i < filter->mask_count; i++) {
		if (krx_filter_has(filter, krx_filter_hash4(filter, &filter->masks[i], addresses, rest)))
			return true;
	}
	return false;
}

/* The same of IPv6, whose two addresses lie in memory. */
static __always_inline bool krx_filter_passes6(const struct krx_filter *filter, const void *addresses, u64 rest)
{
	u32 i;

	for (i = 0; i < filter->mask_count; i++) {
		if (krx_filter_has(filter, krx_filter_hash6(filter, &filter->masks[i], addresses, rest)))
			return true;
	}
	return false;
}

/* filter.c, with ktrxer_config held. */
/* Before packets see an entry: lets those through that it is for. May sleep. -ENOMEM. */
int krx_filter_admit(struct krx_hooks *hooks, const struct krx_entry *entry);
/* After entries are gone: does without their bits if it is worth it, and if there is memory for it. May sleep. */
void krx_filter_trim(struct krx_hooks *hooks);
/* At the beginning and the end of the hooks; there are no packets in them. */
void krx_filter_init(struct krx_hooks *hooks);
void krx_filter_destroy(struct krx_hooks *hooks);

#endif

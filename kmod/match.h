/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking up a packet that has passed the filter among a file's rules. Inline, and made twice: IPv4 compares four
 * words, IPv6 ten.
 */
#ifndef KTRXER_MATCH_H
#define KTRXER_MATCH_H

#include "rules.h"

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>

/* Is (priority, order) before the other? */
static __always_inline bool krx_before(s32 priority, u64 order, s32 other_priority, u64 other_order)
{
	return priority > other_priority || (priority == other_priority && order < other_order);
}

/* Two numbers to one, of which every bit depends on all of theirs; without a key nobody knows how. */
static __always_inline u32 krx_mix(u64 left, u64 right)
{
#ifdef CONFIG_ARCH_SUPPORTS_INT128
	return (left * right ^ mul_u64_u64_shr(left, right, 64)) >> 32;
#else
	/* What 32-bit processors do well: the NH family (Black et al. 1999) and one more multiplication. */
	u64 sum = (u64)(u32)left * (u32)(left >> 32) + (u64)(u32)right * (u32)(right >> 32);

	return ((u32)sum ^ (u32)(sum >> 32)) * 0x9E3779B1U;
#endif
}

/* What makes the buckets of each kind others. */
static inline u64 krx_salt(const struct krx_table *table, u32 kind_id)
{
	return table->keys[0] + kind_id * 0x9E3779B97F4A7C15ULL;
}

/* The bucket of an IPv4 packet, given two pairs of words that are masked already. */
static __always_inline struct hlist_head *krx_bucket4(const struct krx_table *table, u64 salt, u64 first, u64 second)
{
	return &table->buckets[krx_mix(first ^ salt, second ^ table->keys[1]) >> table->shift];
}

static __always_inline struct hlist_head *krx_bucket6(const struct krx_table *table, u64 salt, const u64 *pairs,
						      const u64 *masks)
{
	u32 sum = krx_mix((pairs[0] & masks[0]) ^ salt, (pairs[1] & masks[1]) ^ table->keys[1]);

	sum += krx_mix((pairs[2] & masks[2]) ^ table->keys[2], (pairs[3] & masks[3]) ^ table->keys[3]);
	sum += krx_mix((pairs[4] & masks[4]) ^ table->keys[4], table->keys[5]);
	return &table->buckets[sum >> table->shift];
}

static __always_inline struct hlist_head *krx_bucket(const struct krx_table *table, u64 salt, const u32 *words,
						     const u32 *mask, unsigned int count)
{
	const u64 *pairs = (const u64 *)words;
	const u64 *masks = (const u64 *)mask;

	if (count == KRX_WORDS4)
		return krx_bucket4(table, salt, pairs[0] & masks[0], pairs[1] & masks[1]);
	return krx_bucket6(table, salt, pairs, masks);
}

/* What is not hashed. */
static inline bool krx_compare(const struct krx_entry *entry, u32 ports, u32 interface)
{
	const __be16 *port = (const __be16 *)&ports;
	u16 source = ntohs(port[0]);
	u16 destination = ntohs(port[1]);
	u32 wanted = READ_ONCE(entry->interface);

	return (!wanted || wanted == interface) && source >= entry->source_first && source <= entry->source_last &&
	       destination >= entry->destination_first && destination <= entry->destination_last;
}

static __always_inline struct krx_entry *krx_search(const struct krx_table *table, const struct krx_group *group,
						    unsigned int groups, const struct krx_packet *packet, u32 interface,
						    unsigned int count)
{
	const struct krx_group *end = group + groups;
	struct krx_entry *best = NULL;
	struct hlist_node *node;

	for (; group != end; group++) {
		const u32 *words = packet->tuples[group->quoted].words;

		if (best && krx_before(best->priority, best->order, group->priority, group->order))
			break;
		node = rcu_dereference_raw(hlist_first_rcu(krx_bucket(table, group->salt, words, group->mask, count)));
		for (; node; node = rcu_dereference_raw(hlist_next_rcu(node))) {
			struct krx_entry *entry = container_of(node - table->node, struct krx_entry, in_bucket[0]);
			unsigned int i;

			if (entry->kind_id != group->kind_id)
				continue;
			for (i = 0; i < count; i++) {
				if ((words[i] & group->mask[i]) != entry->words[i])
					break;
			}
			if (i < count || (entry->compare && !krx_compare(entry, words[count - 2], interface)))
				continue;
			if (!best || krx_before(entry->priority, entry->order, best->priority, best->order))
				best = entry;
		}
	}
	return best;
}

/* The rule that applies to a packet, or NULL. Under RCU. */
static __always_inline struct krx_entry *krx_match(struct krx_rules *rules, const struct sk_buff *skb,
						   struct krx_packet *packet, u32 interface, unsigned int count)
{
	const struct krx_table *table;
	struct krx_entry *entry;
	unsigned int sequence;

	do {
		sequence = read_seqbegin(&rules->replacing);
		table = rcu_dereference(rules->table);
		if (!table)
			return NULL;
		if (unlikely(table->quoted))
			krx_read_quoted(skb, packet);
		if (count == KRX_WORDS4)
			entry = krx_search(table, table->groups, table->groups4, packet, interface, KRX_WORDS4);
		else
			entry = krx_search(table, table->groups + table->groups4, table->groups6, packet, interface,
					   KRX_WORDS6);
	} while (read_seqretry(&rules->replacing, sequence));
	return entry;
}

#endif

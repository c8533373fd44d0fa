/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of one file, found by tuple space search: rules that compare the same bits of a packet are of one kind, and
 * a packet is looked up once for each kind, in one hash table, under the bits that the kind compares. What that costs
 * depends on the number of kinds alone. Port ranges and interfaces are compared afterwards, among rules that are the
 * same in everything else.
 *
 * Readers are packets, under RCU; writers hold ktrxer_config.
 */
#ifndef KTRXER_RULES_H
#define KTRXER_RULES_H

#include "tuple.h"
#include "uapi/ktrxer_uapi.h"

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct krx_neighbour;
struct krx_reactor;
struct ktrxer_net;

#define KRX_MOST_KINDS 64
/* Rules that are the same in all that is hashed: what a packet may have to be compared with one by one. */
#define KRX_MOST_ALIKE 256

/* krx_entry.interface: the interface that was meant is gone. Its index may come again and mean another. */
#define KRX_INTERFACE_GONE 0xFFFFFFFFU

struct krx_kind {
	u32 mask[KRX_WORDS6] __aligned(8);
	u32 id; /* unique among the kinds of a file */
	u8 family;
	bool errors;
	u32 rules;
	/* No rule of the kind comes before this. May be too early after a rule was removed, which costs time only. */
	s32 priority;
	u64 order;
};

/* What replaced rules leave to those that replace them. */
struct krx_counters {
	atomic64_t packets;
	atomic64_t bytes;
	atomic64_t captured;
	atomic64_t lost;
	atomic64_t reactions;
	atomic64_t reactions_lost;
};

struct krx_entry {
	/* What a look-up reads. */
	struct hlist_node in_bucket[2]; /* two, so that a larger table can be built while this one is in use */
	u32 words[KRX_WORDS6] __aligned(8);
	u32 kind_id;
	s32 priority;
	u64 order; /* of creation: the lower is the older */
	u16 source_first, source_last, destination_first, destination_last; /* host order */
	u32 interface; /* 0: any */
	bool compare; /* the two lines above have to be looked at */

	/* What is done then. */
	u8 operation;
	bool edits;
	u32 id;
	struct krx_counters *counters;
	struct krx_reactor *reactor; /* NULL: none */
	struct krx_neighbour *neighbour; /* NULL: none */

	struct krx_kind *kind;
	struct rb_node by_id;
	/* As given; without the edits and what follows, when neither edits nor reaction are asked for. */
	struct krx_rule *rule;
	bool full; /* with them */
	bool counters_passed_on; /* to the rule that replaced this one */
	struct rcu_work free;
};

/* What a look-up reads of a kind. */
struct krx_group {
	u32 mask[KRX_WORDS6] __aligned(8);
	u64 salt;
	u32 kind_id;
	u32 quoted; /* 0, or 1: which of the packet's tuples */
	s32 priority;
	u64 order;
};

struct krx_table {
	struct rcu_head rcu;
	struct hlist_head *buckets;
	u8 shift; /* 32 - log2 of their number */
	u8 node; /* which of the entries' nodes */
	u8 groups4;
	u8 groups6;
	bool quoted; /* some group looks at what ICMP errors quote */
	u64 keys[6]; /* random */
	struct krx_group groups[]; /* IPv4's, then IPv6's; each by their best rule */
};

struct krx_rules {
	struct krx_table __rcu *table; /* NULL without rules */
	seqlock_t replacing; /* readers that meet it look again */
	struct krx_kind *kinds[KRX_MOST_KINDS + 1]; /* one more while it takes the place of another */
	u32 kind_count;
	u32 count;
	u32 next_kind_id;
	u64 next_order;
	struct rb_root by_id;
};

void krx_rules_init(struct krx_rules *rules);

/* entry.c: -ENOMEM. Takes over nothing; neither table nor reactor are touched. */
struct krx_entry *krx_entry_new(const struct krx_rule *rule);
/* The mask of what an entry compares, by the rule it is of. */
void krx_entry_mask(const struct krx_entry *entry, u32 *mask);
/* At once, of an entry that no packet has seen. */
void krx_entry_destroy(struct krx_entry *entry);
/* When no packet sees it any more. */
void krx_entry_free_later(struct krx_entry *entry);
/* The rule and its counters as the user sees them. */
void krx_entry_describe(const struct krx_entry *entry, struct krx_rule *rule, struct krx_rule_counters *counters);

/* rules.c */
struct krx_entry *krx_rules_find(const struct krx_rules *rules, u32 id);
/* The entry with the lowest id above `after`, or NULL. */
struct krx_entry *krx_rules_after(const struct krx_rules *rules, u32 after);
/* 0, -ENOSPC or -ENOMEM. The id is not taken. May sleep. */
int krx_rules_insert(struct krx_rules *rules, struct krx_entry *entry);
/* Puts `entry` in the place of `old`, whose age it inherits; packets see one of them, never both or neither. */
int krx_rules_replace(struct krx_rules *rules, struct krx_entry *old, struct krx_entry *entry);
void krx_rules_remove(struct krx_rules *rules, struct krx_entry *entry);

#endif

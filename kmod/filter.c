// SPDX-License-Identifier: GPL-2.0
/* The writers' side of the filter: made anew for new masks and for want of room, of all files' rules. */
#include "filter.h"

#include "compat/compat.h"
#include "hook.h"
#include "krx.h"
#include "netns.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/string.h>

#define LEAST_BITS 1024U
/*
 * So many bits for each rule, which sets two of them: one flow in sixteen that no rule is for meets the first bit of
 * some rule at most, and one in 256 both.
 */
#define SPARSITY 32U

/* Of a family without rules. */
static struct krx_filter nothing = {
	.shift = 63,
	.bits = { 0 },
};

static unsigned int pair_count(u8 family)
{
	return family == 4 ? KRX_PAIRS4 : KRX_PAIRS6;
}

static struct krx_filter *current_filter(const struct krx_hooks *hooks, u8 family)
{
	const struct krx_hook *hook = family == 4 ? hooks->hooks4 : hooks->hooks6;

	return rcu_dereference_protected(hook->filter, lockdep_is_held(&ktrxer_config));
}

static void publish_filter(struct krx_hooks *hooks, u8 family, struct krx_filter *filter)
{
	struct krx_hook *hook = family == 4 ? hooks->hooks4 : hooks->hooks6;
	unsigned int i;

	for (i = 0; i < 2; i++)
		rcu_assign_pointer(hook[i].filter, filter);
}

static void free_filter(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct krx_filter, rcu));
}

static void replace_filter(struct krx_hooks *hooks, u8 family, struct krx_filter *filter)
{
	struct krx_filter *old = current_filter(hooks, family);

	publish_filter(hooks, family, filter);
	if (old != &nothing)
		call_rcu(&old->rcu, free_filter);
}

/* What of a kind's mask the filter compares. */
static void set_mask(struct krx_filter_mask *mask, const u32 *words, u8 family)
{
	unsigned int count = pair_count(family);

	memset(mask, 0, sizeof(*mask));
	memcpy(mask->pairs, words, count * sizeof(u64));
	mask->pairs[count - 1] &= krx_pair(~0U, KRX_KIND_PROTOCOL);
}

static bool has_mask(const struct krx_filter *filter, const struct krx_filter_mask *mask)
{
	u32 i;

	for (i = 0; i < filter->mask_count; i++) {
		if (!memcmp(&filter->masks[i], mask, sizeof(*mask)))
			return true;
	}
	return false;
}

/* To a filter that nobody sees yet, which has room for as many masks as there are kinds, and one. */
static void add_mask(struct krx_filter *filter, const struct krx_filter_mask *mask)
{
	if (has_mask(filter, mask))
		return;
	filter->masks[filter->mask_count++] = *mask;
	if (filter->mask_count == 1) {
		filter->front = *mask;
	} else {
		memset(&filter->front, 0, sizeof(filter->front));
		set_bit(0, filter->bits);
	}
}

static void add_entry(struct krx_filter *filter, const struct krx_entry *entry, const struct krx_filter_mask *mask)
{
	const u64 *pairs = (const u64 *)entry->words;
	u64 hash;

	if (entry->rule->family == 4)
		hash = krx_filter_hash4(filter, mask, pairs[0], pairs[1]);
	else
		hash = krx_filter_hash6(filter, mask, pairs, pairs[4]);
	set_bit(krx_filter_bit(filter, hash), filter->bits);
	set_bit(krx_filter_second_bit(filter, hash), filter->bits);
	filter->used++;
}

static bool is_quoted(const struct krx_entry *entry)
{
	return entry->rule->match & KRX_MATCH_ERRORS;
}

static bool needs_icmp(const struct krx_entry *entry)
{
	return is_quoted(entry) || entry->rule->flags & KRX_RULE_NEIGHBOUR;
}

/* How many rules and kinds of a family there are in all files. */
static void count(const struct krx_hooks *hooks, u8 family, u32 *rules, u32 *kinds)
{
	const struct krx *krx;
	u32 i;

	list_for_each_entry(krx, &hooks->files, in_hooks) {
		for (i = 0; i < krx->rules.kind_count; i++) {
			const struct krx_kind *kind = krx->rules.kinds[i];

			if (kind->family != family || !kind->rules)
				continue;
			*rules += kind->rules;
			++*kinds;
		}
	}
}

/* All rules that there are into a filter that nobody sees yet. */
static void fill(struct krx_filter *filter, const struct krx_hooks *hooks, u8 family)
{
	struct krx_filter_mask mask;
	const struct krx *krx;
	struct rb_node *node;

	list_for_each_entry(krx, &hooks->files, in_hooks) {
		for (node = rb_first(&krx->rules.by_id); node; node = rb_next(node)) {
			const struct krx_entry *entry = rb_entry(node, struct krx_entry, by_id);

			if (entry->rule->family != family)
				continue;
			filter->icmp |= needs_icmp(entry);
			if (is_quoted(entry))
				continue;
			set_mask(&mask, entry->kind->mask, family);
			add_mask(filter, &mask);
			add_entry(filter, entry, &mask);
		}
	}
}

/* A filter of all rules of a family, with room for as many, and for one mask that is still to come. */
static struct krx_filter *new_filter(const struct krx_hooks *hooks, u8 family)
{
	u32 rules = 0, kinds = 0, bit_count;
	struct krx_filter *filter;
	unsigned int i;
	size_t masks;

	count(hooks, family, &rules, &kinds);
	bit_count = max_t(u32, LEAST_BITS, roundup_pow_of_two(2 * SPARSITY * (rules + 1)));
	masks = sizeof(*filter) + bit_count / BITS_PER_BYTE;
	filter = kvzalloc(masks + (kinds + 1) * sizeof(filter->masks[0]), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return NULL;
	filter->masks = (void *)filter + masks;
	filter->bit_count = bit_count;
	filter->shift = 64 - ilog2(bit_count);
	get_random_bytes(filter->keys, sizeof(filter->keys));
	for (i = 0; i < ARRAY_SIZE(filter->keys); i++)
		filter->keys[i] |= 1;
	fill(filter, hooks, family);
	return filter;
}

int krx_filter_admit(struct krx_hooks *hooks, const struct krx_entry *entry)
{
	u8 family = entry->rule->family;
	struct krx_filter *filter = current_filter(hooks, family);
	u32 words[KRX_WORDS6] __aligned(8) = { 0 };
	struct krx_filter_mask mask;
	bool fresh;

	krx_entry_mask(entry, words);
	set_mask(&mask, words, family);
	fresh = needs_icmp(entry) && !filter->icmp;
	if (!is_quoted(entry))
		fresh |= !has_mask(filter, &mask) || filter->used >= filter->bit_count / SPARSITY;
	if (fresh) {
		filter = new_filter(hooks, family);
		if (!filter)
			return -ENOMEM;
		filter->icmp |= needs_icmp(entry);
	}
	if (!is_quoted(entry)) {
		add_mask(filter, &mask);
		add_entry(filter, entry, &mask);
	}
	if (fresh)
		replace_filter(hooks, family, filter);
	return 0;
}

static void trim(struct krx_hooks *hooks, u8 family)
{
	struct krx_filter *filter = current_filter(hooks, family);
	u32 rules = 0, kinds = 0;
	struct krx_filter *fresh;

	if (filter == &nothing)
		return;
	count(hooks, family, &rules, &kinds);
	if (!rules) {
		replace_filter(hooks, family, &nothing);
		return;
	}
	/* Kinds of several files may have a mask in common, and those for quoted packets have none. */
	if (filter->used <= 2 * rules + 64 && filter->mask_count <= kinds)
		return;
	fresh = new_filter(hooks, family);
	if (fresh)
		replace_filter(hooks, family, fresh);
}

void krx_filter_trim(struct krx_hooks *hooks)
{
	trim(hooks, 4);
	trim(hooks, 6);
}

void krx_filter_init(struct krx_hooks *hooks)
{
	publish_filter(hooks, 4, &nothing);
	publish_filter(hooks, 6, &nothing);
}

void krx_filter_destroy(struct krx_hooks *hooks)
{
	replace_filter(hooks, 4, &nothing);
	replace_filter(hooks, 6, &nothing);
}

// SPDX-License-Identifier: GPL-2.0
/* The writers' side of the rules: kinds, the table that packets see, and its growth. */
#include "rules.h"

#include "compat/compat.h"
#include "match.h"
#include "netns.h"
#include "parameters.h"

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>

#define LEAST_BUCKETS 64U

void krx_rules_init(struct krx_rules *rules)
{
	seqlock_init(&rules->replacing);
	rules->by_id = RB_ROOT;
	RCU_INIT_POINTER(rules->table, NULL);
}

static struct krx_table *current_table(const struct krx_rules *rules)
{
	return rcu_dereference_protected(rules->table, lockdep_is_held(&ktrxer_config));
}

/* ---- ids ---- */

static struct krx_entry *entry_of(struct rb_node *node)
{
	return rb_entry(node, struct krx_entry, by_id);
}

struct krx_entry *krx_rules_find(const struct krx_rules *rules, u32 id)
{
	struct krx_entry *entry = id ? krx_rules_after(rules, id - 1) : NULL;

	return entry && entry->id == id ? entry : NULL;
}

struct krx_entry *krx_rules_after(const struct krx_rules *rules, u32 after)
{
	struct rb_node *node = rules->by_id.rb_node;
	struct krx_entry *found = NULL;

	while (node) {
		if (entry_of(node)->id > after) {
			found = entry_of(node);
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static void insert_id(struct krx_rules *rules, struct krx_entry *entry)
{
	struct rb_node **link = &rules->by_id.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		parent = *link;
		link = entry->id < entry_of(parent)->id ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&entry->by_id, parent, link);
	rb_insert_color(&entry->by_id, &rules->by_id);
}

/* ---- kinds ---- */

static unsigned int word_count(u8 family)
{
	return family == 4 ? KRX_WORDS4 : KRX_WORDS6;
}

/* The kind of rules that compare what this one does, a new one if need be. `old` is about to leave, or NULL. */
static struct krx_kind *find_kind(struct krx_rules *rules, const struct krx_entry *entry, const struct krx_entry *old)
{
	u32 most = KRX_MOST_KINDS + (old && old->kind->rules == 1);
	u8 family = entry->rule->family;
	u32 mask[KRX_WORDS6] = { 0 };
	struct krx_kind *kind;
	u32 i;

	krx_entry_mask(entry, mask);
	for (i = 0; i < rules->kind_count; i++) {
		kind = rules->kinds[i];
		/* Rules for quoted packets have masks of their own kind: they are looked up with another tuple. */
		if (kind->family == family && kind->errors == !!(entry->rule->match & KRX_MATCH_ERRORS) &&
		    !memcmp(kind->mask, mask, sizeof(mask)))
			return kind;
	}
	if (rules->kind_count >= most)
		return ERR_PTR(-ENOSPC);
	kind = kzalloc(sizeof(*kind), GFP_KERNEL_ACCOUNT);
	if (!kind)
		return ERR_PTR(-ENOMEM);
	memcpy(kind->mask, mask, sizeof(mask));
	kind->family = family;
	kind->errors = entry->rule->match & KRX_MATCH_ERRORS;
	kind->id = ++rules->next_kind_id;
	rules->kinds[rules->kind_count++] = kind;
	return kind;
}

/* Forgets a kind without rules. */
static void drop_kind(struct krx_rules *rules, struct krx_kind *kind)
{
	u32 i;

	if (kind->rules)
		return;
	for (i = 0; rules->kinds[i] != kind; i++)
		;
	rules->kinds[i] = rules->kinds[--rules->kind_count];
	kfree(kind);
}

/* ---- the table ---- */

static struct hlist_head *bucket_of(const struct krx_table *table, const struct krx_entry *entry)
{
	return krx_bucket(table, krx_salt(table, entry->kind_id), entry->words, entry->kind->mask,
			  word_count(entry->rule->family));
}

/* Appends the groups of a family, those first whose best rule is first. */
static unsigned int add_groups(const struct krx_rules *rules, const struct krx_table *table, u8 family,
			       struct krx_group *groups)
{
	unsigned int count = 0;
	unsigned int at;
	u32 i;

	for (i = 0; i < rules->kind_count; i++) {
		const struct krx_kind *kind = rules->kinds[i];

		if (kind->family != family || !kind->rules)
			continue;
		for (at = count++; at; at--) {
			if (!krx_before(kind->priority, kind->order, groups[at - 1].priority, groups[at - 1].order))
				break;
			groups[at] = groups[at - 1];
		}
		memcpy(groups[at].mask, kind->mask, sizeof(kind->mask));
		groups[at].salt = krx_salt(table, kind->id);
		groups[at].kind_id = kind->id;
		groups[at].quoted = kind->errors;
		groups[at].priority = kind->priority;
		groups[at].order = kind->order;
	}
	return count;
}

/* A table with room for all kinds, whose groups are still to be filled in; of `old` it has the buckets. */
static struct krx_table *new_table(const struct krx_rules *rules, const struct krx_table *old)
{
	struct krx_table *table;

	table = kzalloc(sizeof(*table) + rules->kind_count * sizeof(table->groups[0]), GFP_KERNEL_ACCOUNT);
	if (!table || !old)
		return table;
	table->buckets = old->buckets;
	table->shift = old->shift;
	table->node = old->node;
	memcpy(table->keys, old->keys, sizeof(table->keys));
	return table;
}

static void fill_groups(const struct krx_rules *rules, struct krx_table *table)
{
	u32 i;

	table->groups4 = add_groups(rules, table, 4, table->groups);
	table->groups6 = add_groups(rules, table, 6, table->groups + table->groups4);
	for (i = 0; i < rules->kind_count; i++)
		table->quoted |= rules->kinds[i]->errors;
}

static void free_table(struct rcu_head *rcu)
{
	struct krx_table *table = container_of(rcu, struct krx_table, rcu);

	kvfree(table->buckets);
	kfree(table);
}

/* Without rules there is no table either. */
static void drop_table(struct krx_rules *rules)
{
	struct krx_table *table = current_table(rules);

	if (!table || rules->kind_count)
		return;
	RCU_INIT_POINTER(rules->table, NULL);
	call_rcu(&table->rcu, free_table);
}

static void publish_table(struct krx_rules *rules, struct krx_table *table)
{
	struct krx_table *old = rcu_replace_pointer(rules->table, table, lockdep_is_held(&ktrxer_config));

	if (old)
		kfree_rcu(old, rcu);
}

/* Makes room for one more rule: at least two buckets for each. */
static int grow(struct krx_rules *rules)
{
	struct krx_table *old = current_table(rules);
	u32 wanted = max_t(u32, LEAST_BUCKETS, roundup_pow_of_two(2 * (rules->count + 1)));
	struct krx_table *table;
	struct rb_node *node;

	if (old && wanted <= 1U << (32 - old->shift))
		return 0;
	table = new_table(rules, NULL);
	if (!table)
		return -ENOMEM;
	table->buckets = kvcalloc(wanted, sizeof(*table->buckets), GFP_KERNEL_ACCOUNT);
	if (!table->buckets) {
		kfree(table);
		return -ENOMEM;
	}
	table->shift = 32 - ilog2(wanted);
	table->node = old ? !old->node : 0;
	get_random_bytes(table->keys, sizeof(table->keys));
	fill_groups(rules, table);
	for (node = rb_first(&rules->by_id); node; node = rb_next(node)) {
		struct krx_entry *entry = entry_of(node);

		hlist_add_head_rcu(&entry->in_bucket[table->node], bucket_of(table, entry));
	}
	rcu_assign_pointer(rules->table, table);
	if (old) {
		/* Nobody may be in the old table's nodes when they are used for the next. */
		synchronize_rcu();
		kvfree(old->buckets);
		kfree(old);
	}
	return 0;
}

static bool is_alike(const struct krx_entry *entry, const struct krx_entry *other)
{
	return entry->kind_id == other->kind_id && !memcmp(entry->words, other->words, sizeof(entry->words));
}

/* `old` is about to leave, or NULL. */
static bool too_many_alike(const struct krx_table *table, const struct krx_entry *entry, const struct krx_entry *old)
{
	unsigned int most = KRX_MOST_ALIKE + (old && is_alike(old, entry));
	unsigned int count = 0;
	struct hlist_node *node;

	for (node = bucket_of(table, entry)->first; node; node = node->next)
		count += is_alike(container_of(node - table->node, struct krx_entry, in_bucket[0]), entry);
	return count >= most;
}

/* ---- changes ---- */

/*
 * All that can fail of bringing in an entry: room, a kind, a table for new groups (*fresh, or NULL when the present one
 * will do). `old` is the entry that leaves for it, or NULL.
 */
static int prepare(struct krx_rules *rules, struct krx_entry *entry, const struct krx_entry *old,
		   struct krx_table **fresh)
{
	struct krx_kind *kind;
	int result;

	if (rules->count + !old > KTRXER_MOST_RULES)
		return -ENOSPC;
	result = grow(rules);
	if (result)
		return result;
	kind = find_kind(rules, entry, old);
	if (IS_ERR(kind)) {
		drop_table(rules);
		return PTR_ERR(kind);
	}
	entry->kind = kind;
	entry->kind_id = kind->id;
	*fresh = NULL;
	result = -ENOSPC;
	if (too_many_alike(current_table(rules), entry, old))
		goto failed;
	if (kind->rules && !krx_before(entry->priority, entry->order, kind->priority, kind->order))
		return 0;
	result = -ENOMEM;
	*fresh = new_table(rules, current_table(rules));
	if (!*fresh)
		goto failed;
	return 0;

failed:
	drop_kind(rules, kind);
	drop_table(rules);
	return result;
}

/* The rest of it. */
static void bring_in(struct krx_rules *rules, struct krx_entry *entry, struct krx_table *fresh)
{
	struct krx_table *table = current_table(rules);
	struct krx_kind *kind = entry->kind;

	if (!kind->rules++ || krx_before(entry->priority, entry->order, kind->priority, kind->order)) {
		kind->priority = entry->priority;
		kind->order = entry->order;
	}
	hlist_add_head_rcu(&entry->in_bucket[table->node], bucket_of(table, entry));
	if (fresh) {
		fill_groups(rules, fresh);
		publish_table(rules, fresh);
	}
}

static void take_out(struct krx_rules *rules, struct krx_entry *entry)
{
	hlist_del_rcu(&entry->in_bucket[current_table(rules)->node]);
	entry->kind->rules--;
}

/* Readers look no more for kinds that are gone, if there is memory to say so; if not, they look in vain. */
static void forget_kind(struct krx_rules *rules, struct krx_kind *kind)
{
	struct krx_table *fresh;

	if (kind->rules)
		return;
	drop_kind(rules, kind);
	drop_table(rules);
	if (!rules->kind_count)
		return;
	fresh = new_table(rules, current_table(rules));
	if (fresh) {
		fill_groups(rules, fresh);
		publish_table(rules, fresh);
	}
}

int krx_rules_insert(struct krx_rules *rules, struct krx_entry *entry)
{
	struct krx_table *fresh;
	int result;

	entry->order = rules->next_order;
	result = prepare(rules, entry, NULL, &fresh);
	if (result)
		return result;
	rules->next_order++;
	rules->count++;
	insert_id(rules, entry);
	bring_in(rules, entry, fresh);
	return 0;
}

int krx_rules_replace(struct krx_rules *rules, struct krx_entry *old, struct krx_entry *entry)
{
	struct krx_kind *kind = old->kind;
	struct krx_table *fresh;
	int result;

	entry->order = old->order;
	result = prepare(rules, entry, old, &fresh);
	if (result)
		return result;
	rb_replace_node(&old->by_id, &entry->by_id, &rules->by_id);
	write_seqlock_bh(&rules->replacing);
	bring_in(rules, entry, fresh);
	take_out(rules, old);
	write_sequnlock_bh(&rules->replacing);
	forget_kind(rules, kind);
	return 0;
}

void krx_rules_remove(struct krx_rules *rules, struct krx_entry *entry)
{
	struct krx_kind *kind = entry->kind;

	rb_erase(&entry->by_id, &rules->by_id);
	rules->count--;
	take_out(rules, entry);
	forget_kind(rules, kind);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The calls about rules. User memory is touched without locks only: whoever can make a page fault last could otherwise
 * hold up the configuration of all namespaces.
 */
#include "krx.h"

#include "compat/compat.h"
#include "compat/capture.h"
#include "filter.h"
#include "neighbour.h"
#include "netns.h"
#include "parameters.h"
#include "react.h"

#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* Rules that are described under one hold of the lock. */
#define LIST_CHUNK 32U

/*
 * Takes the locks for a change of the file's rules; rules that answer for addresses need the RTNL as well, once there
 * was one. Returns whether it was taken.
 */
static bool lock_rules(struct krx *krx, bool neighbour)
{
	bool rtnl = neighbour || READ_ONCE(krx->neighbours);

	for (;;) {
		if (rtnl)
			rtnl_lock();
		mutex_lock(&ktrxer_config);
		if (rtnl || !krx->neighbours)
			return rtnl;
		mutex_unlock(&ktrxer_config);
		rtnl = true;
	}
}

static void unlock_rules(bool rtnl)
{
	mutex_unlock(&ktrxer_config);
	if (rtnl)
		rtnl_unlock();
}

static bool captures(const struct krx_entry *entry)
{
	return entry->operation == KRX_CAPTURE || entry->operation == KRX_CAPTURE_DROP;
}

/* Packets are stamped on arrival only while somebody asks for it. */
static void count_capturing(struct krx *krx, int change)
{
	bool before = krx->capturing;

	krx->capturing += change;
	if (!before && krx->capturing)
		net_enable_timestamp();
	else if (before && !krx->capturing)
		net_disable_timestamp();
}

/* What an entry has beside the table. */
static void detach_entry(struct krx *krx, struct krx_entry *entry)
{
	krx_neighbour_remove(entry->neighbour);
	entry->neighbour = NULL;
	if (captures(entry))
		count_capturing(krx, -1);
	krx_entry_free_later(entry);
}

/* Is the rule allowed in this namespace? */
static int judge_rule(struct krx *krx, const struct krx_rule *rule)
{
	struct net *net = krx->kn->net;
	int result = 0;

	rcu_read_lock();
	if (rule->match & KRX_MATCH_INTERFACE && !dev_get_by_index_rcu(net, rule->interface_index))
		result = -ENODEV;
	else if (!READ_ONCE(ktrxer_allow_management) && krx_covers_management(net, rule))
		result = -EACCES;
	rcu_read_unlock();
	return result;
}

static int attach_entry(struct krx *krx, struct krx_entry *entry, const struct krx_rule *rule)
{
	if (rule->flags & KRX_RULE_REACT) {
		struct krx_reactor *reactor = krx_reactor_new(&rule->reaction, krx->kn);

		if (IS_ERR(reactor))
			return PTR_ERR(reactor);
		entry->reactor = reactor;
	}
	if (rule->flags & KRX_RULE_NEIGHBOUR) {
		struct krx_neighbour *neighbour = krx_neighbour_add(krx->kn->net, rule);

		if (IS_ERR(neighbour))
			return PTR_ERR(neighbour);
		krx->neighbours = true;
		entry->neighbour = neighbour;
	}
	return 0;
}

static int add(struct krx *krx, struct krx_entry *entry)
{
	int result;

	if (!krx->rules.count) {
		result = krx_hooks_join(krx);
		if (result)
			return result;
	}
	result = krx_filter_admit(krx->kn->hooks, entry) ?: krx_rules_insert(&krx->rules, entry);
	if (result && !krx->rules.count)
		krx_hooks_leave(krx);
	return result;
}

static int replace_entry(struct krx *krx, struct krx_entry *old, struct krx_entry *entry)
{
	struct krx_counters *fresh = entry->counters;
	int result;

	entry->counters = old->counters;
	result = krx_filter_admit(krx->kn->hooks, entry) ?: krx_rules_replace(&krx->rules, old, entry);
	if (result) {
		entry->counters = fresh;
		return result;
	}
	kfree(fresh);
	old->counters_passed_on = true;
	krx_filter_trim(krx->kn->hooks);
	return 0;
}

/* Brings in an entry, for the old one with its id if that is so. */
static int change(struct krx *krx, struct krx_entry *entry, const struct krx_rule *rule, bool replaces)
{
	struct krx_entry *old;
	int result;

	if (!krx->kn)
		return -ENODEV;
	old = krx_rules_find(&krx->rules, rule->id);
	if (replaces && !old)
		return -ENOENT;
	if (!replaces && old)
		return -EEXIST;
	result = judge_rule(krx, rule) ?: attach_entry(krx, entry, rule);
	if (result)
		return result;
	/* From the first packet on that a rule captures there are stamps. */
	if (captures(entry))
		count_capturing(krx, 1);
	result = old ? replace_entry(krx, old, entry) : add(krx, entry);
	if (result) {
		if (captures(entry))
			count_capturing(krx, -1);
		return result;
	}
	if (old)
		detach_entry(krx, old);
	krx_hooks_look(krx->kn);
	return 0;
}

long krx_rule_add(struct krx *krx, const struct krx_rule __user *argument, bool replaces)
{
	struct krx_entry *entry;
	struct krx_rule *rule;
	long result;
	bool rtnl;

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	rule = memdup_user(argument, sizeof(*rule));
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	result = krx_check(rule, krx->admin);
	if (result)
		goto out;
	entry = krx_entry_new(rule);
	result = -ENOMEM;
	if (!entry)
		goto out;
	rtnl = lock_rules(krx, rule->flags & KRX_RULE_NEIGHBOUR);
	result = change(krx, entry, rule, replaces);
	if (result) {
		krx_neighbour_remove(entry->neighbour);
		entry->neighbour = NULL;
	}
	unlock_rules(rtnl);
	if (result)
		krx_entry_destroy(entry);
out:
	kfree(rule);
	return result;
}

static void remove_entry(struct krx *krx, struct krx_entry *entry)
{
	krx_rules_remove(&krx->rules, entry);
	if (!krx->rules.count)
		krx_hooks_leave(krx);
	detach_entry(krx, entry);
}

/* Packets need not be looked at any more for rules that are gone. */
static void trim_filter(struct krx *krx)
{
	if (krx->kn->hooks)
		krx_filter_trim(krx->kn->hooks);
}

long krx_rule_delete(struct krx *krx, u32 id)
{
	struct krx_entry *entry;
	long result = -ENOENT;
	bool rtnl;

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	rtnl = lock_rules(krx, false);
	entry = krx_rules_find(&krx->rules, id);
	if (!krx->kn) {
		result = -ENODEV;
	} else if (entry) {
		remove_entry(krx, entry);
		trim_filter(krx);
		result = 0;
	}
	unlock_rules(rtnl);
	return result;
}

unsigned int krx_rules_clear(struct krx *krx)
{
	unsigned int count = krx->rules.count;
	struct krx_entry *entry;

	while ((entry = krx_rules_after(&krx->rules, 0)))
		remove_entry(krx, entry);
	if (count)
		trim_filter(krx);
	return count;
}

long krx_rule_flush(struct krx *krx)
{
	long result = -ENODEV;
	bool rtnl;

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	rtnl = lock_rules(krx, false);
	if (krx->kn)
		result = krx_rules_clear(krx);
	unlock_rules(rtnl);
	return result;
}

/* Describes up to `most` rules above `after`; returns how many. */
static unsigned int describe_rules(struct krx *krx, u32 after, unsigned int most, struct krx_rule *rules,
				   struct krx_rule_counters *counters)
{
	struct krx_entry *entry;
	unsigned int count = 0;

	mutex_lock(&ktrxer_config);
	while (count < most && (entry = krx_rules_after(&krx->rules, after))) {
		krx_entry_describe(entry, &rules[count], &counters[count]);
		after = entry->id;
		count++;
	}
	mutex_unlock(&ktrxer_config);
	return count;
}

/* Fills in the user's arrays, some at a time. */
static long list_rules(struct krx *krx, struct krx_rule_list *list, struct krx_rule *rules,
		       struct krx_rule_counters *counters)
{
	struct krx_rule __user *to = u64_to_user_ptr(list->rules);
	struct krx_rule_counters __user *counters_to = u64_to_user_ptr(list->counters);
	u32 after = list->after;

	while (list->count < list->capacity) {
		unsigned int most = min(list->capacity - list->count, LIST_CHUNK);
		unsigned int count = describe_rules(krx, after, most, rules, counters);

		if (list->rules && copy_to_user(to + list->count, rules, count * sizeof(*rules)))
			return -EFAULT;
		if (list->counters && copy_to_user(counters_to + list->count, counters, count * sizeof(*counters)))
			return -EFAULT;
		list->count += count;
		if (count < most)
			break;
		after = rules[count - 1].id;
		cond_resched();
	}
	return 0;
}

long krx_rule_list(struct krx *krx, struct krx_rule_list __user *argument)
{
	struct krx_rule_counters *counters;
	struct krx_rule_list list;
	struct krx_rule *rules;
	long result = -ENOMEM;

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	if (copy_from_user(&list, argument, sizeof(list)))
		return -EFAULT;
	if (list.reserved)
		return -EINVAL;
	if (READ_ONCE(krx->gone))
		return -ENODEV;
	list.count = 0;
	rules = kcalloc(LIST_CHUNK, sizeof(*rules), GFP_KERNEL);
	counters = kcalloc(LIST_CHUNK, sizeof(*counters), GFP_KERNEL);
	if (rules && counters)
		result = list_rules(krx, &list, rules, counters);
	kfree(counters);
	kfree(rules);
	if (!result && copy_to_user(argument, &list, sizeof(list)))
		return -EFAULT;
	return result;
}

long krx_statistics(struct krx *krx, struct krx_statistics __user *argument)
{
	struct krx_statistics statistics = { 0 };

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	mutex_lock(&ktrxer_config);
	if (!krx->kn) {
		mutex_unlock(&ktrxer_config);
		return -ENODEV;
	}
	statistics.packets = krx->packets;
	if (krx->rules.count)
		statistics.packets += krx_hooks_packets(krx->kn) - krx->packets_start;
	statistics.rules = krx->rules.count;
	statistics.masks = krx->rules.kind_count;
	statistics.hook_moves = krx_hooks_moves(krx->kn);
	mutex_unlock(&ktrxer_config);
	statistics.matched = atomic64_read(&krx->matched);
	statistics.dropped = atomic64_read(&krx->dropped);
	spin_lock_bh(&krx->lock);
	statistics.captured = krx->captured;
	statistics.lost = krx->lost;
	spin_unlock_bh(&krx->lock);
	return copy_to_user(argument, &statistics, sizeof(statistics)) ? -EFAULT : 0;
}

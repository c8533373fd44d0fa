// SPDX-License-Identifier: GPL-2.0
/* A rule as the user gives it, and the entry of the table that is made of it. */
#include "react.h"
#include "rules.h"

#include "krx.h"

#include <linux/in.h>
#include <linux/slab.h>
#include <linux/string.h>

/* The first `bits` bits of `count` words, as on the wire. */
static void prefix_mask(u32 *mask, unsigned int bits, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		unsigned int here = min(bits, 32U);

		mask[i] = here ? (__force u32)htonl(~0U << (32 - here)) : 0;
		bits -= here;
	}
}

static u32 ports_word(u16 source, u16 destination)
{
	__be16 ports[2] = { htons(source), htons(destination) };
	u32 word;

	memcpy(&word, ports, sizeof(word));
	return word;
}

/* What the ports' word is compared under, and what of the packet's kind has to be there for it. */
static u32 ports_mask(const struct krx_rule *rule, u32 *kind)
{
	u16 source = 0, destination = 0;
	u32 mask = 0;

	if (rule->match & (KRX_MATCH_SOURCE_PORT | KRX_MATCH_DESTINATION_PORT)) {
		*kind |= KRX_KIND_PORTS;
		/* Ranges are compared afterwards. */
		if (rule->match & KRX_MATCH_SOURCE_PORT && rule->source_port_first == rule->source_port_last)
			source = 0xFFFF;
		if (rule->match & KRX_MATCH_DESTINATION_PORT &&
		    rule->destination_port_first == rule->destination_port_last)
			destination = 0xFFFF;
		return ports_word(source, destination);
	}
	if (rule->match & KRX_MATCH_ICMP_TYPE)
		mask |= krx_icmp_word(0xFF, 0, 0);
	if (rule->match & KRX_MATCH_ICMP_CODE)
		mask |= krx_icmp_word(0, 0xFF, 0);
	if (rule->match & KRX_MATCH_ICMP_ID)
		mask |= krx_icmp_word(0, 0, 0xFFFF);
	if (rule->match & (KRX_MATCH_ICMP_TYPE | KRX_MATCH_ICMP_CODE))
		*kind |= KRX_KIND_ICMP;
	if (rule->match & KRX_MATCH_ICMP_ID)
		*kind |= KRX_KIND_ICMP_ID;
	return mask;
}

void krx_entry_mask(const struct krx_entry *entry, u32 *mask)
{
	const struct krx_rule *rule = entry->rule;
	unsigned int address = rule->family == 4 ? 1 : 4;
	u32 kind = KRX_KIND_ERROR;

	if (rule->match & KRX_MATCH_PROTOCOL)
		kind |= KRX_KIND_PROTOCOL;
	prefix_mask(mask, rule->source_prefix, address);
	prefix_mask(mask + address, rule->destination_prefix, address);
	mask[2 * address] = ports_mask(rule, &kind);
	mask[2 * address + 1] = kind;
}

/* The values under that mask. */
static void entry_words(struct krx_entry *entry)
{
	const struct krx_rule *rule = entry->rule;
	unsigned int address = rule->family == 4 ? 1 : 4;
	u32 *words = entry->words;
	u32 kind = rule->protocol;
	u32 mask;

	if (rule->match & KRX_MATCH_ERRORS)
		kind |= KRX_KIND_ERROR;
	mask = ports_mask(rule, &kind);
	memcpy(words, rule->source, 4 * address);
	memcpy(words + address, rule->destination, 4 * address);
	if (kind & KRX_KIND_PORTS)
		words[2 * address] = ports_word(rule->source_port_first, rule->destination_port_first) & mask;
	else
		words[2 * address] = krx_icmp_word(rule->icmp_type, rule->icmp_code, rule->icmp_id) & mask;
	words[2 * address + 1] = kind;
}

static void entry_ranges(struct krx_entry *entry)
{
	const struct krx_rule *rule = entry->rule;
	bool source = rule->match & KRX_MATCH_SOURCE_PORT;
	bool destination = rule->match & KRX_MATCH_DESTINATION_PORT;

	entry->source_first = rule->source_port_first;
	entry->source_last = source ? rule->source_port_last : 0xFFFF;
	entry->destination_first = rule->destination_port_first;
	entry->destination_last = destination ? rule->destination_port_last : 0xFFFF;
	entry->interface = rule->interface_index;
	entry->compare = rule->match & KRX_MATCH_INTERFACE ||
			 (source && rule->source_port_first != rule->source_port_last) ||
			 (destination && rule->destination_port_first != rule->destination_port_last);
}

struct krx_entry *krx_entry_new(const struct krx_rule *rule)
{
	struct krx_entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);

	if (!entry)
		return NULL;
	entry->edits = rule->edits[0].field != KRX_EDIT_NONE;
	entry->full = entry->edits || rule->flags & KRX_RULE_REACT;
	entry->rule = kmemdup(rule, entry->full ? sizeof(*rule) : offsetof(struct krx_rule, edits), GFP_KERNEL_ACCOUNT);
	entry->counters = kzalloc(sizeof(*entry->counters), GFP_KERNEL_ACCOUNT);
	if (!entry->rule || !entry->counters) {
		krx_entry_destroy(entry);
		return NULL;
	}
	entry->id = rule->id;
	entry->priority = rule->priority;
	entry->operation = rule->operation;
	entry_words(entry);
	entry_ranges(entry);
	return entry;
}

void krx_entry_destroy(struct krx_entry *entry)
{
	krx_reactor_destroy(entry->reactor);
	if (!entry->counters_passed_on)
		kfree(entry->counters);
	kfree(entry->rule);
	kfree(entry);
}

static void free_work(struct work_struct *work)
{
	krx_entry_destroy(container_of(to_rcu_work(work), struct krx_entry, free));
}

void krx_entry_free_later(struct krx_entry *entry)
{
	/* In process context, because the sender behind a reaction may end with it. */
	INIT_RCU_WORK(&entry->free, free_work);
	queue_rcu_work(krx_work, &entry->free);
}

void krx_entry_describe(const struct krx_entry *entry, struct krx_rule *rule, struct krx_rule_counters *counters)
{
	memset(rule, 0, sizeof(*rule));
	memcpy(rule, entry->rule, entry->full ? sizeof(*rule) : offsetof(struct krx_rule, edits));
	memset(counters, 0, sizeof(*counters));
	counters->id = entry->id;
	counters->packets = atomic64_read(&entry->counters->packets);
	counters->bytes = atomic64_read(&entry->counters->bytes);
	counters->captured = atomic64_read(&entry->counters->captured);
	counters->lost = atomic64_read(&entry->counters->lost);
	counters->reactions = atomic64_read(&entry->counters->reactions);
	counters->reactions_lost = atomic64_read(&entry->counters->reactions_lost);
}

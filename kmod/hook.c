// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to a packet. Every packet of the namespace comes through here while there is a rule, so the way of one
 * that matches nothing is short: no lock, no atomic operation, no call for IPv4 but those that look for bytes that are
 * not at hand.
 */
#include "hook.h"

#include "compat/compat.h"
#include "compat/capture.h"
#include "edit.h"
#include "krx.h"
#include "match.h"
#include "neighbour.h"
#include "react.h"

#include <linux/ip.h>
#include <linux/skbuff.h>
#include <net/ip.h>

/* So many packets of a processor go by until the hook looks whether it is still the first. */
#define LOOK_EVERY 16

/* What one file wants of a packet. The entry's operation, or -1. */
static noinline int apply(struct krx *krx, struct krx_entry *entry, struct sk_buff *skb,
			  const struct krx_packet *packet, bool *edits)
{
	struct krx_counters *counters = entry->counters;

	atomic64_inc(&krx->matched);
	atomic64_inc(&counters->packets);
	atomic64_add(skb->len, &counters->bytes);
	if (entry->operation == KRX_CAPTURE || entry->operation == KRX_CAPTURE_DROP)
		krx_capture(krx, entry, skb, packet);
	if (entry->reactor)
		krx_react(entry, skb, packet);
	*edits |= entry->edits;
	if (entry->operation != KRX_DROP && entry->operation != KRX_CAPTURE_DROP)
		return NF_ACCEPT;
	atomic64_inc(&krx->dropped);
	return NF_DROP;
}

/* After all files have seen the packet as it came. */
static noinline unsigned int edit(struct krx_hooks *hooks, struct sk_buff *skb, struct krx_packet *packet)
{
	u32 interface = skb->dev->ifindex;
	struct krx_entry *entry;
	struct krx *krx;

	list_for_each_entry_rcu(krx, &hooks->files, in_hooks) {
		if (packet->family == 4)
			entry = krx_match(&krx->rules, skb, packet, interface, KRX_WORDS4);
		else
			entry = krx_match(&krx->rules, skb, packet, interface, KRX_WORDS6);
		if (entry && entry->edits && !krx_edit(skb, packet, entry->rule->edits))
			return NF_DROP; /* no memory to write in: half an edit is worse than a loss */
	}
	return NF_ACCEPT;
}

/*
 * While the hook is put first there are two of it. The new one in front sees each packet; the old one behind sees only
 * those that were on their way before the new one was there. Between the two a packet stays on its processor, and no
 * other comes in between. Is this hook to look at the packet?
 */
static noinline bool is_ours_to_see(struct krx_hook *hook, const struct sk_buff *skb)
{
	struct krx_cpu *cpu = this_cpu_ptr(hook->hooks->cpus);

	switch (READ_ONCE(hook->moving)) {
	case KRX_IN_FRONT:
		cpu->seen = skb;
		return true;
	case KRX_BEHIND:
		return cpu->seen != skb;
	}
	return true;
}

static noinline void look_who_is_first(struct krx_hook *hook)
{
	if (compat_first_hook(hook->hooks->net, hook->family) != hook && READ_ONCE(hook->moving) != KRX_BEHIND)
		krx_hook_overtaken(hook->hooks);
}

/* Counts the packet; false if this hook is not to look at it. */
static __always_inline bool begin(struct krx_hook *hook, const struct sk_buff *skb)
{
	struct krx_cpu *cpu;

	if (unlikely(READ_ONCE(hook->moving)) && !is_ours_to_see(hook, skb))
		return false;
	cpu = this_cpu_ptr(hook->hooks->cpus);
	u64_stats_update_begin(&cpu->sync);
	cpu->packets++;
	u64_stats_update_end(&cpu->sync);
	if (unlikely(!(cpu->packets % LOOK_EVERY)))
		look_who_is_first(hook);
	return true;
}

static __always_inline unsigned int look(struct krx_hooks *hooks, struct sk_buff *skb, struct krx_packet *packet,
					 unsigned int count)
{
	u32 interface = skb->dev->ifindex;
	unsigned int verdict = NF_ACCEPT;
	struct krx_entry *entry;
	bool edits = false;
	struct krx *krx;

	list_for_each_entry_rcu(krx, &hooks->files, in_hooks) {
		entry = krx_match(&krx->rules, skb, packet, interface, count);
		if (unlikely(entry) && apply(krx, entry, skb, packet, &edits) == NF_DROP)
			verdict = NF_DROP;
	}
	if (unlikely(edits) && verdict == NF_ACCEPT)
		verdict = edit(hooks, skb, packet);
	return verdict;
}

static noinline unsigned int look4(struct krx_hooks *hooks, struct sk_buff *skb)
{
	struct krx_packet packet;

	krx_read4(skb, &packet);
	return look(hooks, skb, &packet, KRX_WORDS4);
}

unsigned int krx_hook4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct iphdr *ip = ip_hdr(skb);
	unsigned int transport = ip->ihl * 4;
	struct krx_hook *hook = priv;
	u64 addresses, rest;
	struct krx *krx;

	if (!begin(hook, skb))
		return NF_ACCEPT;
	/* The packet as krx_read4() would read it, without a place in memory. */
	if (unlikely((ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP) ||
		     ip->frag_off & htons(IP_MF | IP_OFFSET) || skb_headlen(skb) < transport + sizeof(u32)))
		return look4(hook->hooks, skb);
	addresses = krx_pair((__force u32)ip->saddr, (__force u32)ip->daddr);
	rest = krx_pair(*(const u32 *)(skb->data + transport), ip->protocol | KRX_KIND_PORTS);
	list_for_each_entry_rcu(krx, &hook->hooks->files, in_hooks) {
		if (unlikely(krx_candidate4(&krx->rules, addresses, rest)))
			return look4(hook->hooks, skb);
	}
	return NF_ACCEPT;
}

unsigned int krx_hook6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct krx_hook *hook = priv;
	struct krx_packet packet;

	if (!begin(hook, skb))
		return NF_ACCEPT;
	krx_read6(skb, &packet);
	if (unlikely(packet.protocol == IPPROTO_ICMPV6))
		krx_neighbour_solicited(hook->hooks->net, skb, &packet);
	return look(hook->hooks, skb, &packet, KRX_WORDS6);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to a packet. Every packet of the namespace comes through here while there is a rule, so the way of one
 * that matches nothing is short: no lock, no atomic operation, no place in memory, no call.
 */
#include "hook.h"

#include "compat/compat.h"
#include "compat/capture.h"
#include "edit.h"
#include "filter.h"
#include "krx.h"
#include "match.h"
#include "neighbour.h"
#include "passage.h"
#include "react.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>

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
static bool is_ours_to_see(struct krx_hook *hook, const struct sk_buff *skb)
{
	struct krx_cpu *cpu = this_cpu_ptr(hook->cpus);

	switch (READ_ONCE(hook->moving)) {
	case KRX_IN_FRONT:
		cpu->seen = skb;
		return true;
	case KRX_BEHIND:
		return cpu->seen != skb;
	}
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

/* ---- what most packets have to pay, and all that they do ---- */

static noinline unsigned int look4(struct krx_hook *hook, struct sk_buff *skb)
{
	struct krx_packet packet;

	if (krx_was_seen4(skb))
		return NF_ACCEPT;
	krx_read4(skb, &packet);
	return look(hook->hooks, skb, &packet, KRX_WORDS4);
}

static noinline unsigned int look6(struct krx_hook *hook, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct krx_packet packet;

	if (krx_was_seen6(skb, state))
		return NF_ACCEPT;
	krx_read6(skb, &packet);
	if (unlikely(packet.protocol == IPPROTO_ICMPV6))
		krx_neighbour_solicited(hook->hooks->net, skb, &packet);
	return look(hook->hooks, skb, &packet, KRX_WORDS6);
}

/* The word of an ICMP message as if it had an identifier; rules that compare one look whether it has. */
static __always_inline u32 icmp_word(const u8 *icmp)
{
	u32 first = get_unaligned((const u16 *)icmp);
	u32 id = get_unaligned((const u16 *)(icmp + 4));

#ifdef __BIG_ENDIAN
	return first << 16 | id;
#else
	return id << 16 | first;
#endif
}

static noinline unsigned int closer4(struct krx_hook *hook, struct sk_buff *skb);
static noinline unsigned int closer6(struct krx_hook *hook, struct sk_buff *skb, const struct nf_hook_state *state);

/* First without a second bit, other masks, and registers for them; closer if need be. */
static __always_inline unsigned int filter4(struct krx_hook *hook, struct sk_buff *skb, bool closer)
{
	const struct iphdr *ip = (const void *)skb->data;
	const u8 *transport = skb->data + sizeof(*ip);
	const struct krx_filter *filter;
	u64 addresses, rest;
	u32 word;

	if (unlikely(*skb->data != 0x45 || ip->frag_off & htons(IP_MF | IP_OFFSET) ||
		     skb_headlen(skb) < sizeof(*ip) + sizeof(struct icmphdr)))
		return look4(hook, skb);
	filter = rcu_dereference(hook->filter);
	/* What takes longest to read is asked for first. */
	if (unlikely(ip->protocol == IPPROTO_ICMP)) {
		if (unlikely(filter->icmp))
			return look4(hook, skb);
		word = icmp_word(transport);
	} else if (likely(ip->protocol == IPPROTO_UDP || ip->protocol == IPPROTO_TCP)) {
		word = get_unaligned((const u32 *)transport);
	} else {
		return look4(hook, skb);
	}
	addresses = get_unaligned((const u64 *)&ip->saddr);
	rest = krx_pair(word, ip->protocol);
	if (closer)
		return krx_filter_passes4(filter, addresses, rest) ? look4(hook, skb) : NF_ACCEPT;
	if (krx_filter_rejects(filter, krx_filter_hash4(filter, &filter->front, addresses, rest)))
		return NF_ACCEPT;
	return closer4(hook, skb);
}

static noinline unsigned int closer4(struct krx_hook *hook, struct sk_buff *skb)
{
	return filter4(hook, skb, true);
}

static __always_inline unsigned int filter6(struct krx_hook *hook, struct sk_buff *skb,
					    const struct nf_hook_state *state, bool closer)
{
	const struct ipv6hdr *ip = (const void *)skb->data;
	const u8 *transport = skb->data + sizeof(*ip);
	const struct krx_filter *filter;
	u64 rest;
	u32 word;

	if (unlikely(skb_headlen(skb) < sizeof(*ip) + sizeof(struct icmp6hdr)))
		return look6(hook, skb, state);
	filter = rcu_dereference(hook->filter);
	if (unlikely(ip->nexthdr == IPPROTO_ICMPV6)) {
		if (unlikely(filter->icmp))
			return look6(hook, skb, state);
		word = icmp_word(transport);
	} else if (likely(ip->nexthdr == IPPROTO_UDP || ip->nexthdr == IPPROTO_TCP)) {
		word = get_unaligned((const u32 *)transport);
	} else {
		return look6(hook, skb, state);
	}
	rest = krx_pair(word, ip->nexthdr);
	if (closer)
		return krx_filter_passes6(filter, &ip->saddr, rest) ? look6(hook, skb, state) : NF_ACCEPT;
	if (krx_filter_rejects(filter, krx_filter_hash6(filter, &filter->front, &ip->saddr, rest)))
		return NF_ACCEPT;
	return closer6(hook, skb, state);
}

static noinline unsigned int closer6(struct krx_hook *hook, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return filter6(hook, skb, state, true);
}

/*
 * What is left to do where the hook is not the first, or is being put first. These packets are few, and calls would
 * cost all others the saving of registers.
 */
static noinline unsigned int not_first(struct krx_hook *hook, struct sk_buff *skb, const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;

	/* Behind a hook that queues packets to a program this is that program's process, open to softirqs. */
	local_bh_disable();
	if (is_ours_to_see(hook, skb)) {
		if (!READ_ONCE(hook->moving))
			krx_hook_overtaken(hook->hooks);
		krx_count_packet(hook->cpus);
		verdict = hook->family == NFPROTO_IPV4 ? closer4(hook, skb) : closer6(hook, skb, state);
	}
	local_bh_enable();
	return verdict;
}

unsigned int krx_hook4(void *hook, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unlikely(!krx_is_first(hook)))
		return not_first(hook, skb, state);
	krx_count_packet(((struct krx_hook *)hook)->cpus);
	return filter4(hook, skb, false);
}

unsigned int krx_hook6(void *hook, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unlikely(!krx_is_first(hook)))
		return not_first(hook, skb, state);
	krx_count_packet(((struct krx_hook *)hook)->cpus);
	return filter6(hook, skb, state, false);
}

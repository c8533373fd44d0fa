// SPDX-License-Identifier: GPL-2.0
/* Packets into the mapped ring. */
#include "krx.h"

#include "compat/compat.h"
#include "compat/capture.h"

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

enum krx_stamp_source krx_arrival(const struct sk_buff *skb, u64 *realtime, u64 *monotonic)
{
	enum krx_stamp_source source = KRX_STAMP_KERNEL;
	ktime_t stamp = compat_receive_stamp(skb);

	if (!stamp) {
		source = KRX_STAMP_HOOK;
		stamp = ktime_get_real();
	}
	*realtime = ktime_to_ns(stamp);
	/* One instant on both clocks: by what is between them now, not by reading the second a little later. */
	*monotonic = ktime_to_ns(ktime_sub(stamp, ktime_mono_to_real(0)));
	/* Stamped before the clock was set, by more than this system is old. */
	if ((s64)*monotonic < 0)
		*monotonic = ktime_get_ns();
	return source;
}

unsigned int krx_link_length(const struct sk_buff *skb)
{
	const unsigned char *link;

	if (!skb->dev->hard_header_len || !skb_mac_header_was_set(skb))
		return 0;
	link = skb_mac_header(skb);
	return link >= skb->head && link < skb->data ? skb->data - link : 0;
}

/* Copies from `offset` after the link header's start; the caller has seen that so much is there. */
static int copy_packet(const struct sk_buff *skb, unsigned int link, unsigned int offset, u8 *to, unsigned int length)
{
	unsigned int before;

	if (offset < link) {
		before = min(link - offset, length);
		memcpy(to, skb->data - link + offset, before);
		to += before;
		offset += before;
		length -= before;
	}
	return length ? skb_copy_bits(skb, offset - link, to, length) : 0;
}

static u8 record_flags(const struct krx_entry *entry, const struct sk_buff *skb, const struct krx_packet *packet)
{
	u8 flags = 0;

	if (packet->fragment)
		flags |= KRX_RECORD_FRAGMENT;
	if (entry->rule->match & KRX_MATCH_ERRORS)
		flags |= KRX_RECORD_ERROR;
	if (entry->operation == KRX_CAPTURE_DROP)
		flags |= KRX_RECORD_DROPPED;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		flags |= KRX_RECORD_CHECKSUM_OPEN;
	else if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		flags |= KRX_RECORD_CHECKSUM_GOOD;
	return flags;
}

/* What the record says and which bytes follow it; returns where they begin, counted from the link header. */
static unsigned int describe(const struct krx *krx, const struct krx_entry *entry, struct sk_buff *skb,
			     const struct krx_packet *packet, struct krx_record *record, unsigned int link)
{
	const struct krx_rule *rule = entry->rule;
	unsigned int shown = rule->flags & KRX_RULE_LINK ? link : 0;
	unsigned int most = krx->slot_bytes - sizeof(*record);
	unsigned int total = shown + skb->len;
	unsigned int offset = min(rule->capture_offset, total);

	if (rule->capture_length)
		most = min(most, rule->capture_length);
	record->source = krx_arrival(skb, &record->realtime_ns, &record->monotonic_ns);
	record->hardware_ns = ktime_to_ns(compat_hardware_stamp(skb));
	if (record->hardware_ns)
		record->source = KRX_STAMP_HARDWARE;
	record->rule_id = entry->id;
	record->interface_index = skb->dev->ifindex;
	record->original_length = skb->len;
	record->captured_length = min(total - offset, most);
	record->capture_offset = offset;
	record->data_offset = sizeof(*record);
	record->network_offset = shown > offset ? shown - offset : 0;
	record->protocol = packet->family == 4 ? ETH_P_IP : ETH_P_IPV6;
	record->flags = record_flags(entry, skb, packet);
	if (record->captured_length < total - offset)
		record->flags |= KRX_RECORD_CUT;
	if (shown)
		record->flags |= KRX_RECORD_LINK;
	return link - shown + offset;
}

void krx_capture(struct krx *krx, struct krx_entry *entry, struct sk_buff *skb, const struct krx_packet *packet)
{
	struct krx_record record = { 0 };
	unsigned int link = krx_link_length(skb);
	unsigned int offset = describe(krx, entry, skb, packet, &record, link);
	u32 filled;
	u8 *slot;

	spin_lock(&krx->lock);
	record.sequence = krx->sequence++;
	krx->consumer = ktrxer_ring_consumed(&krx->header->consumer, krx->consumer, krx->producer);
	filled = krx->producer - krx->consumer;
	slot = krx->ring + (size_t)(krx->producer & (krx->slots - 1)) * krx->slot_bytes;
	if (filled >= krx->slots ||
	    copy_packet(skb, link, offset, slot + sizeof(record), record.captured_length)) {
		krx->lost++;
		WRITE_ONCE(krx->header->lost, (u32)krx->lost);
		spin_unlock(&krx->lock);
		atomic64_inc(&entry->counters->lost);
		return;
	}
	memcpy(slot, &record, sizeof(record));
	krx->captured++;
	krx->producer++;
	/* Pairs with the user's acquire: the slot before the index that covers it. */
	smp_store_release(&krx->header->producer, krx->producer);
	ktrxer_wake_up(&krx->wake, filled + 1);
	spin_unlock(&krx->lock);
	atomic64_inc(&entry->counters->captured);
}

u32 krx_unread(struct krx *krx)
{
	u32 unread;

	spin_lock_bh(&krx->lock);
	krx->consumer = ktrxer_ring_consumed(&krx->header->consumer, krx->consumer, krx->producer);
	unread = krx->producer - krx->consumer;
	spin_unlock_bh(&krx->lock);
	return unread;
}

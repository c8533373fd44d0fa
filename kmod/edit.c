// SPDX-License-Identifier: GPL-2.0
/*
 * Overwrites fields of packets on their way to the system. Checksums are adjusted by the difference, so that one that
 * was wrong stays wrong.
 */
#include "edit.h"

#include "krx.h"
#include "tuple.h"

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/dsfield.h>
#include <net/dst_metadata.h>

/* Makes the first bytes of the packet the skb's own and contiguous. */
static bool writable(struct sk_buff *skb, unsigned int bytes)
{
	return !skb_ensure_writable(skb, min(bytes, skb->len));
}

/* Where the transport checksum lies after its header's start; negative: there is none that sums up bytes. */
static int checksum_offset(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	}
	return -1;
}

/* Brings a difference into the transport checksum, of its pseudo header or of what follows. */
static bool adjust(struct sk_buff *skb, const struct krx_packet *packet, __wsum difference, bool pseudo)
{
	int offset = checksum_offset(packet->protocol);
	__sum16 *checksum;

	if (packet->transport < 0 || offset < 0 || packet->transport + offset + 2 > (int)skb->len)
		return true;
	/* ICMP is the one that leaves the addresses out. */
	if (pseudo && packet->protocol == IPPROTO_ICMP)
		return true;
	offset += packet->transport;
	if (!writable(skb, offset + 2))
		return false;
	checksum = (__sum16 *)(skb->data + offset);
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) == packet->transport) {
		/* It is yet to be made; what is there is the sum of the pseudo header. */
		if (pseudo)
			*checksum = ~csum_fold(csum_add(difference, csum_unfold(*checksum)));
		return true;
	}
	if (packet->protocol == IPPROTO_UDP && !*checksum)
		return true; /* the sender has done without */
	*checksum = csum_fold(csum_add(difference, ~csum_unfold(*checksum)));
	if (packet->protocol == IPPROTO_UDP && !*checksum)
		*checksum = CSUM_MANGLED_0;
	return true;
}

static __wsum difference_of(const void *before, const void *after, unsigned int bytes)
{
	return csum_sub(csum_partial(after, bytes, 0), csum_partial(before, bytes, 0));
}

static bool edit_address(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edit)
{
	bool source = edit->field == KRX_EDIT_SOURCE;
	__wsum difference;
	struct iphdr *ip;
	__be32 *address;
	__be32 fresh;
	void *place;

	if (packet->family == 4) {
		if (!writable(skb, sizeof(*ip)))
			return false;
		ip = ip_hdr(skb);
		address = source ? &ip->saddr : &ip->daddr;
		memcpy(&fresh, edit->value, sizeof(fresh));
		difference = difference_of(address, &fresh, sizeof(fresh));
		csum_replace4(&ip->check, *address, fresh);
		*address = fresh;
	} else {
		if (!writable(skb, sizeof(struct ipv6hdr)))
			return false;
		place = source ? &ipv6_hdr(skb)->saddr : &ipv6_hdr(skb)->daddr;
		difference = difference_of(place, edit->value, sizeof(struct in6_addr));
		memcpy(place, edit->value, sizeof(struct in6_addr));
	}
	/* A route that was found for the old address is none for the new one. */
	if (skb_valid_dst(skb))
		skb_dst_drop(skb);
	return adjust(skb, packet, difference, true);
}

/* Bytes that the transport checksum covers, `offset` after the transport header's start. */
static bool overwrite(struct sk_buff *skb, const struct krx_packet *packet, unsigned int offset, const void *value,
		      unsigned int bytes)
{
	unsigned int place = packet->transport + offset;
	__wsum difference;

	if (place + bytes > skb->len)
		return true;
	/* Of packets that were merged as a list, the next one's bytes, which must stay in its own skb. */
	if (skb_has_frag_list(skb) && place + bytes > skb_headlen(skb))
		return true;
	if (!writable(skb, place + bytes))
		return false;
	difference = csum_block_add(0, difference_of(skb->data + place, value, bytes), offset);
	memcpy(skb->data + place, value, bytes);
	return adjust(skb, packet, difference, false);
}

static bool edit_port(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edit)
{
	if (packet->transport < 0 || (packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_TCP))
		return true;
	return overwrite(skb, packet, edit->field == KRX_EDIT_SOURCE_PORT ? 0 : 2, edit->value, 2);
}

static bool edit_payload(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edit)
{
	int payload = krx_payload_offset(skb, packet);

	if (payload < 0)
		return true;
	return overwrite(skb, packet, payload - packet->transport + edit->offset, edit->value, edit->length);
}

static bool edit_ttl(struct sk_buff *skb, const struct krx_packet *packet, u8 ttl)
{
	struct iphdr *ip;

	if (packet->family == 6) {
		if (!writable(skb, sizeof(struct ipv6hdr)))
			return false;
		ipv6_hdr(skb)->hop_limit = ttl;
		return true;
	}
	if (!writable(skb, sizeof(*ip)))
		return false;
	ip = ip_hdr(skb);
	csum_replace2(&ip->check, htons(ip->ttl << 8), htons(ttl << 8));
	ip->ttl = ttl;
	return true;
}

/* The two bits of congestion notification stay what they are. */
static bool edit_dscp(struct sk_buff *skb, const struct krx_packet *packet, u8 dscp)
{
	if (packet->family == 6) {
		if (!writable(skb, sizeof(struct ipv6hdr)))
			return false;
		ipv6_change_dsfield(ipv6_hdr(skb), INET_ECN_MASK, dscp << 2);
		return true;
	}
	if (!writable(skb, sizeof(struct iphdr)))
		return false;
	ipv4_change_dsfield(ip_hdr(skb), INET_ECN_MASK, dscp << 2);
	return true;
}

static bool edit_field(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edit)
{
	switch (edit->field) {
	case KRX_EDIT_SOURCE:
	case KRX_EDIT_DESTINATION:
		return edit_address(skb, packet, edit);
	case KRX_EDIT_SOURCE_PORT:
	case KRX_EDIT_DESTINATION_PORT:
		return edit_port(skb, packet, edit);
	case KRX_EDIT_TTL:
		return edit_ttl(skb, packet, edit->value[0]);
	case KRX_EDIT_DSCP:
		return edit_dscp(skb, packet, edit->value[0]);
	case KRX_EDIT_PAYLOAD:
		return edit_payload(skb, packet, edit);
	}
	return true;
}

bool krx_edit(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edits)
{
	unsigned int i;

	/* The device's sum is of the bytes as they came: without it the system makes its own. */
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	for (i = 0; i < KRX_EDITS && edits[i].field != KRX_EDIT_NONE; i++) {
		if (!edit_field(skb, packet, &edits[i]))
			return false;
	}
	/* Neither flow nor socket that was found for it early is still right. */
	skb_clear_hash(skb);
	skb_orphan(skb);
	return true;
}

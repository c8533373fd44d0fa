// SPDX-License-Identifier: GPL-2.0
/*
 * Packets into the words that rules compare. Whatever a packet claims of itself, only bytes that it has are read: the
 * IPv4 header and the fixed IPv6 header are there by the receive path's checks, all else comes through
 * skb_header_pointer().
 */
#include "tuple.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>

/* More extension headers than this are nobody's honest packet: what follows them is not looked at. */
#define MOST_EXTENSIONS 16

bool krx_icmp_has_id(u8 protocol, u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
	switch (type) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REQUEST:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESS:
	case ICMP_ADDRESSREPLY:
		return true;
	}
	return false;
}

bool krx_icmp_is_error(u8 protocol, u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type < ICMPV6_INFOMSG_MASK;
	switch (type) {
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return true;
	}
	return false;
}

/* The type of the message that answers, or is answered by, one of this type. */
static u8 opposite_type(u8 protocol, u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return krx_icmp_has_id(protocol, type) ? type ^ 1 : type;
	switch (type) {
	case ICMP_ECHO:
		return ICMP_ECHOREPLY;
	case ICMP_ECHOREPLY:
		return ICMP_ECHO;
	case ICMP_TIMESTAMP:
	case ICMP_INFO_REQUEST:
	case ICMP_ADDRESS:
		return type + 1;
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESSREPLY:
		return type - 1;
	}
	return type;
}

/* Reads ports, or type, code and id, at an offset; kind gets what was there. */
static u32 read_transport(const struct sk_buff *skb, int offset, u8 protocol, u32 *kind)
{
	const struct icmphdr *icmp;
	struct icmphdr icmp_buffer;
	const u32 *ports;
	u32 ports_buffer;
	u16 id = 0;

	if (krx_has_ports(protocol)) {
		ports = skb_header_pointer(skb, offset, sizeof(*ports), &ports_buffer);
		if (!ports)
			return 0;
		*kind |= KRX_KIND_PORTS;
		return *ports;
	}
	if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
		return 0;
	/* ICMPv6 begins as ICMP does. */
	icmp = skb_header_pointer(skb, offset, sizeof(*icmp), &icmp_buffer);
	if (!icmp)
		return 0;
	*kind |= KRX_KIND_ICMP;
	if (krx_icmp_has_id(protocol, icmp->type)) {
		*kind |= KRX_KIND_ICMP_ID;
		id = ntohs(icmp->un.echo.id);
	}
	return krx_icmp_word(icmp->type, icmp->code, id);
}

static bool is_error(u8 protocol, u8 icmp, u32 kind, u32 word)
{
	return protocol == icmp && kind & KRX_KIND_ICMP && krx_icmp_is_error(protocol, krx_icmp_type(word));
}

void krx_read4(const struct sk_buff *skb, struct krx_packet *packet)
{
	const struct iphdr *ip = ip_hdr(skb);
	u32 *words = packet->tuples[0].words;
	u8 protocol = ip->protocol;
	int transport = ip->ihl * 4;
	const u32 *ports;
	u32 buffer;

	words[KRX_SOURCE4] = (__force u32)ip->saddr;
	words[KRX_DESTINATION4] = (__force u32)ip->daddr;
	packet->family = 4;
	packet->protocol = protocol;
	packet->fragment = ip->frag_off & htons(IP_MF | IP_OFFSET);
	packet->error = false;
	if (likely(!packet->fragment && (protocol == IPPROTO_UDP || protocol == IPPROTO_TCP))) {
		packet->transport = transport;
		ports = skb_header_pointer(skb, transport, sizeof(*ports), &buffer);
		words[KRX_PORTS4] = ports ? *ports : 0;
		words[KRX_KIND4] = ports ? protocol | KRX_KIND_PORTS : protocol;
		return;
	}
	words[KRX_KIND4] = protocol;
	words[KRX_PORTS4] = 0;
	packet->transport = -1;
	if (ip->frag_off & htons(IP_OFFSET))
		return;
	packet->transport = transport;
	words[KRX_PORTS4] = read_transport(skb, transport, protocol, &words[KRX_KIND4]);
	packet->error = is_error(protocol, IPPROTO_ICMP, words[KRX_KIND4], words[KRX_PORTS4]);
}

/*
 * Walks the extension headers from `offset` on. Returns the transport header's offset, or -1 if it is not in this
 * packet; *protocol is the last header's either way.
 */
static int walk6(const struct sk_buff *skb, int offset, u8 *protocol, bool *fragment)
{
	const struct ipv6_opt_hdr *header;
	const struct frag_hdr *part;
	struct ipv6_opt_hdr buffer;
	struct frag_hdr part_buffer;
	unsigned int i;

	for (i = 0; i < MOST_EXTENSIONS; i++) {
		switch (*protocol) {
		case NEXTHDR_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DEST:
		case NEXTHDR_AUTH:
			header = skb_header_pointer(skb, offset, sizeof(*header), &buffer);
			if (!header)
				return -1;
			offset += *protocol == NEXTHDR_AUTH ? (header->hdrlen + 2) * 4 : (header->hdrlen + 1) * 8;
			*protocol = header->nexthdr;
			break;
		case NEXTHDR_FRAGMENT:
			part = skb_header_pointer(skb, offset, sizeof(*part), &part_buffer);
			if (!part)
				return -1;
			*fragment = true;
			*protocol = part->nexthdr;
			if (part->frag_off & htons(IP6_OFFSET))
				return -1;
			offset += sizeof(*part);
			break;
		case NEXTHDR_NONE:
			return -1;
		default:
			return offset;
		}
	}
	return -1;
}

void krx_read6(const struct sk_buff *skb, struct krx_packet *packet)
{
	const struct ipv6hdr *ip = ipv6_hdr(skb);
	u32 *words = packet->tuples[0].words;

	memcpy(&words[KRX_SOURCE6], &ip->saddr, sizeof(ip->saddr));
	memcpy(&words[KRX_DESTINATION6], &ip->daddr, sizeof(ip->daddr));
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->fragment = false;
	packet->transport = walk6(skb, sizeof(*ip), &packet->protocol, &packet->fragment);
	words[KRX_KIND6] = packet->protocol;
	words[KRX_PORTS6] = 0;
	packet->error = false;
	if (packet->transport < 0)
		return;
	words[KRX_PORTS6] = read_transport(skb, packet->transport, packet->protocol, &words[KRX_KIND6]);
	packet->error = is_error(packet->protocol, IPPROTO_ICMPV6, words[KRX_KIND6], words[KRX_PORTS6]);
}

/* The ports' word of the packet that would answer the one quoted at `offset`. */
static u32 answer_word(const struct sk_buff *skb, int offset, u8 protocol, u32 *kind)
{
	u32 word = read_transport(skb, offset, protocol, kind);

	if (*kind & KRX_KIND_PORTS)
		return word << 16 | word >> 16;
	if (*kind & KRX_KIND_ICMP)
		return (word & ~krx_icmp_word(0xFF, 0, 0)) |
		       krx_icmp_word(opposite_type(protocol, krx_icmp_type(word)), 0, 0);
	return 0;
}

static void read_quoted4(const struct sk_buff *skb, int offset, u32 *words)
{
	const struct iphdr *ip;
	struct iphdr buffer;

	ip = skb_header_pointer(skb, offset, sizeof(*ip), &buffer);
	if (!ip || ip->version != 4 || ip->ihl < 5)
		return;
	words[KRX_SOURCE4] = (__force u32)ip->daddr;
	words[KRX_DESTINATION4] = (__force u32)ip->saddr;
	words[KRX_PORTS4] = 0;
	words[KRX_KIND4] = KRX_KIND_ERROR | ip->protocol;
	if (!(ip->frag_off & htons(IP_OFFSET)))
		words[KRX_PORTS4] = answer_word(skb, offset + ip->ihl * 4, ip->protocol, &words[KRX_KIND4]);
}

static void read_quoted6(const struct sk_buff *skb, int offset, u32 *words)
{
	const struct ipv6hdr *ip;
	struct ipv6hdr buffer;
	bool fragment;
	u8 protocol;

	ip = skb_header_pointer(skb, offset, sizeof(*ip), &buffer);
	if (!ip || ip->version != 6)
		return;
	memcpy(&words[KRX_SOURCE6], &ip->daddr, sizeof(ip->daddr));
	memcpy(&words[KRX_DESTINATION6], &ip->saddr, sizeof(ip->saddr));
	protocol = ip->nexthdr;
	offset = walk6(skb, offset + sizeof(*ip), &protocol, &fragment);
	words[KRX_PORTS6] = 0;
	words[KRX_KIND6] = KRX_KIND_ERROR | protocol;
	if (offset >= 0)
		words[KRX_PORTS6] = answer_word(skb, offset, protocol, &words[KRX_KIND6]);
}

void krx_read_quoted(const struct sk_buff *skb, struct krx_packet *packet)
{
	u32 *words = packet->tuples[1].words;
	int offset = packet->transport + sizeof(struct icmphdr);

	memset(words, 0, sizeof(packet->tuples[1].words));
	if (!packet->error)
		return;
	if (packet->family == 4)
		read_quoted4(skb, offset, words);
	else
		read_quoted6(skb, offset, words);
}

int krx_payload_offset(const struct sk_buff *skb, const struct krx_packet *packet)
{
	const struct tcphdr *tcp;
	struct tcphdr buffer;
	int offset;

	if (packet->transport < 0)
		return -1;
	switch (packet->protocol) {
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		offset = packet->transport + 8;
		break;
	case IPPROTO_TCP:
		tcp = skb_header_pointer(skb, packet->transport, sizeof(*tcp), &buffer);
		if (!tcp || tcp->doff < 5)
			return -1;
		offset = packet->transport + tcp->doff * 4;
		break;
	default:
		return -1;
	}
	return offset <= (int)skb->len ? offset : -1;
}

s64 krx_segment_length(const struct sk_buff *skb, const struct krx_packet *packet)
{
	const struct tcphdr *tcp;
	struct tcphdr buffer;
	int payload;

	if (packet->protocol != IPPROTO_TCP || packet->fragment)
		return -1;
	payload = krx_payload_offset(skb, packet);
	if (payload < 0)
		return -1;
	tcp = skb_header_pointer(skb, packet->transport, sizeof(*tcp), &buffer);
	return tcp ? skb->len - payload + tcp->syn + tcp->fin : -1;
}

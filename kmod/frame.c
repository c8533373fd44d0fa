// SPDX-License-Identifier: GPL-2.0
/* Layout, lengths and checksums of prepared frames, at any alignment. */
#include "frame.h"

#include "compat/unaligned.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#define MOST_TAGS 3
#define MOST_FRAME_EXTENSIONS 8

/* A transport header with a checksum that the frame has in full. */
static void layout_transport(struct krx_layout *layout, unsigned int offset, u8 protocol, unsigned int length)
{
	unsigned int checksum, header;

	switch (protocol) {
	case IPPROTO_TCP:
		checksum = 16;
		header = 20;
		break;
	case IPPROTO_UDP:
		checksum = 6;
		header = 8;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		checksum = 2;
		header = 4;
		break;
	default:
		return;
	}
	if (offset + header > length)
		return;
	layout->protocol = protocol;
	layout->transport = offset;
	layout->checksum = offset + checksum;
}

static void layout4(struct krx_layout *layout, const u8 *frame, unsigned int length)
{
	const u8 *ip = frame + layout->network;
	unsigned int header;

	if (layout->network + sizeof(struct iphdr) > length)
		return;
	header = (ip[0] & 0xF) * 4;
	if (header < sizeof(struct iphdr) || layout->network + header > length)
		return;
	layout->family = 4;
	/* Of a fragment the transport checksum is not to be had. */
	if (!(get_unaligned_be16(ip + 6) & 0x3FFF))
		layout_transport(layout, layout->network + header, ip[9], length);
}

static void layout6(struct krx_layout *layout, const u8 *frame, unsigned int length)
{
	unsigned int offset = layout->network + sizeof(struct ipv6hdr);
	unsigned int i;
	u8 next;

	if (offset > length)
		return;
	layout->family = 6;
	next = frame[layout->network + 6];
	for (i = 0; i < MOST_FRAME_EXTENSIONS; i++) {
		if (next != NEXTHDR_HOP && next != NEXTHDR_ROUTING && next != NEXTHDR_DEST) {
			layout_transport(layout, offset, next, length);
			return;
		}
		if (offset + 2 > length)
			return;
		/* The checksum is made of the final destination, which is not yet the header's. */
		if (next == NEXTHDR_ROUTING && (offset + 4 > length || frame[offset + 3]))
			return;
		next = frame[offset];
		offset += (frame[offset + 1] + 1) * 8;
	}
}

void krx_layout(struct krx_layout *layout, const u8 *frame, unsigned int length, unsigned int link)
{
	unsigned int i;
	u16 type;

	memset(layout, 0, sizeof(*layout));
	if (length > U16_MAX || link >= length)
		return;
	if (link == ETH_HLEN) {
		type = get_unaligned_be16(frame + link - 2);
		for (i = 0; i < MOST_TAGS && (type == ETH_P_8021Q || type == ETH_P_8021AD); i++) {
			if (link + 4 >= length)
				return;
			link += 4;
			type = get_unaligned_be16(frame + link - 2);
		}
		if (type != ETH_P_IP && type != ETH_P_IPV6)
			return;
	}
	layout->network = link;
	if (frame[link] >> 4 == 4)
		layout4(layout, frame, length);
	else if (frame[link] >> 4 == 6)
		layout6(layout, frame, length);
}

void krx_frame_lengths(const struct krx_layout *layout, u8 *frame, unsigned int length)
{
	u8 *ip = frame + layout->network;

	if (layout->family == 4)
		put_unaligned_be16(length - layout->network, ip + 2);
	else if (layout->family == 6)
		put_unaligned_be16(length - layout->network - sizeof(struct ipv6hdr), ip + 4);
	if (layout->transport && layout->protocol == IPPROTO_UDP)
		put_unaligned_be16(length - layout->transport, frame + layout->transport + 4);
}

static __sum16 transport_checksum(const struct krx_layout *layout, const u8 *frame, unsigned int bytes)
{
	const u8 *ip = frame + layout->network;
	__wsum sum = csum_partial(frame + layout->transport, bytes, 0);
	struct in6_addr source, destination;

	if (layout->family == 6) {
		memcpy(&source, ip + 8, sizeof(source));
		memcpy(&destination, ip + 24, sizeof(destination));
		return csum_ipv6_magic(&source, &destination, bytes, layout->protocol, sum);
	}
	if (layout->protocol == IPPROTO_ICMP)
		return csum_fold(sum);
	return csum_tcpudp_magic(get_unaligned((const __be32 *)(ip + 12)), get_unaligned((const __be32 *)(ip + 16)),
				 bytes, layout->protocol, sum);
}

void krx_frame_checksums(const struct krx_layout *layout, u8 *frame, unsigned int length)
{
	u8 *ip = frame + layout->network;
	unsigned int end, header;
	__sum16 checksum;

	if (layout->family == 4) {
		/* Copies may have changed the header's length: it ends within the frame all the same. */
		header = clamp_t(unsigned int, (ip[0] & 0xF) * 4, sizeof(struct iphdr), length - layout->network);
		put_unaligned_be16(0, ip + 10);
		put_unaligned(ip_compute_csum(ip, header), (__sum16 *)(ip + 10));
		end = layout->network + get_unaligned_be16(ip + 2);
	} else {
		end = layout->network + sizeof(struct ipv6hdr) + get_unaligned_be16(ip + 4);
	}
	if (!layout->transport)
		return;
	/* What the lengths leave out is padding of the link. */
	end = clamp_t(unsigned int, end, layout->checksum + 2, length);
	put_unaligned_be16(0, frame + layout->checksum);
	checksum = transport_checksum(layout, frame, end - layout->transport);
	if (layout->protocol == IPPROTO_UDP && !checksum)
		checksum = CSUM_MANGLED_0;
	put_unaligned(checksum, (__sum16 *)(frame + layout->checksum));
}

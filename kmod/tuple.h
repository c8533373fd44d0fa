/* SPDX-License-Identifier: GPL-2.0 */
/* What rules compare of a packet. */
#ifndef KTRXER_TUPLE_H
#define KTRXER_TUPLE_H

#include <asm/byteorder.h>
#include <linux/types.h>

struct sk_buff;

/*
 * The compared fields as words: for IPv4 source, destination, ports, kind; for IPv6 the addresses take four words each.
 * Addresses and ports are as on the wire (source port first); of ICMP messages the ports' word is type, code and id,
 * as on the wire but for the checksum between.
 */
enum {
	KRX_SOURCE4 = 0,
	KRX_DESTINATION4 = 1,
	KRX_PORTS4 = 2,
	KRX_KIND4 = 3,
	KRX_WORDS4 = 4,

	KRX_SOURCE6 = 0,
	KRX_DESTINATION6 = 4,
	KRX_PORTS6 = 8,
	KRX_KIND6 = 9,
	KRX_WORDS6 = 10,
};

/* The kind: the protocol, and what of it is there. */
#define KRX_KIND_PROTOCOL 0xFFU
#define KRX_KIND_PORTS (1U << 8)
#define KRX_KIND_ICMP (1U << 9) /* type and code */
#define KRX_KIND_ICMP_ID (1U << 10)
#define KRX_KIND_ERROR (1U << 11) /* of a packet that an ICMP error quotes */

struct krx_tuple {
	u32 words[KRX_WORDS6] __aligned(8);
};

struct krx_packet {
	/* [0]: of the packet. [1]: of what it quotes, turned round, when `error` is set; its kind is 0 otherwise. */
	struct krx_tuple tuples[2];
	int transport; /* bytes from the IP header to the transport header; negative: none here */
	u8 family; /* 4 or 6 */
	u8 protocol;
	bool fragment; /* part of a fragmented packet */
	bool error; /* an ICMP error */
};

static inline u32 krx_icmp_word(u8 type, u8 code, u16 id)
{
	return (__force u32)htonl((u32)type << 24 | (u32)code << 16 | id);
}

static inline u8 krx_icmp_type(u32 word)
{
	return ntohl((__force __be32)word) >> 24;
}

/* Do the first four bytes after this protocol's header start with two ports? */
static inline bool krx_has_ports(u8 protocol)
{
	switch (protocol) {
	case 6: /* TCP */
	case 17: /* UDP */
	case 33: /* DCCP */
	case 132: /* SCTP */
	case 136: /* UDP-Lite */
		return true;
	}
	return false;
}

/* ICMP and ICMPv6 messages with an identifier, and errors that quote a packet. `protocol` is 1 or 58. */
bool krx_icmp_has_id(u8 protocol, u8 type);
bool krx_icmp_is_error(u8 protocol, u8 type);

/* Reads a packet whose skb begins at the IP header, which netfilter has in one piece. */
void krx_read4(const struct sk_buff *skb, struct krx_packet *packet);
void krx_read6(const struct sk_buff *skb, struct krx_packet *packet);
/* Fills in tuples[1]. Not part of the above because few tables have rules for it. */
void krx_read_quoted(const struct sk_buff *skb, struct krx_packet *packet);

/* Bytes from the IP header to the payload of UDP, TCP or ICMP; negative: no such header here. */
int krx_payload_offset(const struct sk_buff *skb, const struct krx_packet *packet);
/* Length of a TCP segment as sequence numbers count it; negative: no TCP header here. */
s64 krx_segment_length(const struct sk_buff *skb, const struct krx_packet *packet);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One message from a socket or from its error queue, with everything that the kernel says about it:
 * sender, TTL, timestamp, and for errors the ICMP type and code and who sent it (ip(7), IP_RECVERR;
 * Documentation/networking/timestamping.rst).
 */
#ifndef KTRXER_SYS_MESSAGE_H
#define KTRXER_SYS_MESSAGE_H

#include <stdint.h>

enum ktrxer_message_origin {
	KTRXER_ORIGIN_PEER = 0, /* ordinary data */
	KTRXER_ORIGIN_TRANSMIT_STAMP, /* error queue: a transmit timestamp */
	KTRXER_ORIGIN_ICMP, /* error queue: an ICMP or ICMPv6 error about a packet of ours */
	KTRXER_ORIGIN_LOCAL, /* error queue: this host refused a packet (such as -EMSGSIZE) */
};

struct ktrxer_message {
	uint32_t origin;
	uint32_t length; /* bytes stored; for ICMP errors the quoted packet above UDP or from the ICMP header on */
	uint32_t truncated; /* 1: there was more */
	uint32_t family; /* of from: 4, 6, or 0 when unknown */
	uint8_t from[16]; /* the peer, or who sent the ICMP error */
	uint32_t from_port;
	uint32_t ttl; /* of the received packet; 0 unknown */
	uint32_t icmp_type;
	uint32_t icmp_code;
	uint32_t info; /* second word of the ICMP header, as the kernel hands it over: of errors about size the next hop's MTU */
	uint32_t error; /* positive errno of an error message */
	uint32_t key; /* transmit stamp: n-th send on this socket, from 0 */
	uint32_t extension_offset; /* ICMP extensions (RFC 4884) within the bytes; 0: none */
	uint32_t destination_family; /* ICMP error: of destination, 4 or 6; 0 unknown */
	uint8_t destination[16]; /* ICMP error: where the quoted packet was going */
	int64_t realtime; /* CLOCK_REALTIME ns from the kernel; 0: none */
};

/* Takes one message without waiting. Bytes stored, or -errno (-EAGAIN: none). bytes may be NULL with capacity 0. */
int32_t ktrxer_message_receive(int32_t descriptor, int32_t error_queue, void *bytes, uint32_t capacity,
			       struct ktrxer_message *message);

#endif

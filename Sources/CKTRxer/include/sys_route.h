/* SPDX-License-Identifier: MIT */
/*
 * Routes, over rtnetlink: which interface, source address and next hop the kernel would use. Nothing here
 * needs a privilege. A call is one question and its answer and takes microseconds; it gives up after a
 * second with -ETIMEDOUT.
 */
#ifndef KTRXER_SYS_ROUTE_H
#define KTRXER_SYS_ROUTE_H

#include <stdint.h>

/* What the kernel does with a packet for the destination. */
enum ktrxer_route_type {
	KTRXER_ROUTE_OTHER = 0,
	KTRXER_ROUTE_UNICAST,
	KTRXER_ROUTE_LOCAL, /* this host's own address; IPv6 anycast addresses of this host too */
	KTRXER_ROUTE_BROADCAST,
	KTRXER_ROUTE_MULTICAST,
	/* The tables or rules refuse it. Only `type` is then set. */
	KTRXER_ROUTE_UNREACHABLE,
	KTRXER_ROUTE_BLACKHOLE,
	KTRXER_ROUTE_PROHIBIT,
	KTRXER_ROUTE_THROW,
};

/* The question. `family` is 4 or 6; IPv4 addresses take the first 4 bytes. */
struct ktrxer_route_query {
	uint8_t family;
	uint8_t traffic_class; /* IPv4 TOS or IPv6 traffic class; the two ECN bits do not count */
	uint8_t has_source;
	uint8_t reserved;
	int32_t interface; /* index of the interface it has to leave by; 0 any */
	uint8_t destination[16];
	uint8_t source[16]; /* with has_source; must be an address of this host */
};

/* The answer. */
struct ktrxer_route {
	int32_t interface; /* index; the loopback interface for most local destinations */
	uint32_t mtu; /* bytes, as configured on the route, not as learnt from ICMP; 0: the interface's */
	uint8_t type; /* enum ktrxer_route_type */
	uint8_t has_source;
	uint8_t gateway_family; /* 4 or 6, 0: on-link. An IPv4 route may have an IPv6 next hop (RFC 5549). */
	uint8_t encapsulated; /* the route adds an encapsulation of its own (MPLS, SRv6, …) */
	uint8_t source[16]; /* what the kernel would choose, family of the question */
	uint8_t gateway[16];
};

/*
 * Asks for the route to query->destination. 0, and out filled; -ENETUNREACH: no route; -ENODEV: no such
 * interface; -ETIMEDOUT; other -errno of the netlink socket.
 */
int32_t ktrxer_route_lookup(const struct ktrxer_route_query *query, struct ktrxer_route *out);

/*
 * Reads the kernel's answer to a route question out of one received datagram of `length` bytes, any bytes.
 * `sequence` is the question's netlink sequence number. 1: out filled; 0: the answer is not in it; else
 * -errno, -EBADMSG for a malformed one.
 */
int32_t ktrxer_route_parse(const void *datagram, uint32_t length, uint32_t sequence, struct ktrxer_route *out);

#endif

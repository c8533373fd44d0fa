/* SPDX-License-Identifier: MIT */
/*
 * The kernel's neighbour table (ARP and IPv6 neighbour discovery), over rtnetlink: reading an entry, making
 * the kernel resolve one, and hearing of changes. The kernel does the resolving, so its table stays the only
 * one.
 */
#ifndef KTRXER_SYS_NEIGHBOUR_H
#define KTRXER_SYS_NEIGHBOUR_H

#include <stdint.h>

/* RFC 4861, 7.3.2, and what Linux adds. */
enum ktrxer_neighbour_state {
	KTRXER_NEIGHBOUR_NONE = 0, /* no entry, or one that nobody has asked for yet */
	KTRXER_NEIGHBOUR_INCOMPLETE, /* asked, no answer yet */
	KTRXER_NEIGHBOUR_REACHABLE,
	KTRXER_NEIGHBOUR_STALE, /* has an address, not confirmed lately */
	KTRXER_NEIGHBOUR_DELAY,
	KTRXER_NEIGHBOUR_PROBE,
	KTRXER_NEIGHBOUR_FAILED, /* asked, and given up */
	KTRXER_NEIGHBOUR_NO_ARP, /* an address that needs no asking */
	KTRXER_NEIGHBOUR_PERMANENT,
};

/* The question. IPv4 addresses take the first 4 bytes. */
struct ktrxer_neighbour_query {
	int32_t interface; /* index */
	uint8_t family; /* 4 or 6 */
	uint8_t reserved[3];
	uint8_t address[16];
};

struct ktrxer_neighbour {
	uint8_t state; /* enum ktrxer_neighbour_state */
	uint8_t has_address; /* the 6-byte hardware address is known, and of use by the state */
	uint8_t address[6];
};

/*
 * Reads one entry. 0, and out filled (state NONE when there is no entry), or -errno. Kernels before 5.0
 * cannot be asked for one entry: they are asked for all, with ktrxer_neighbour_scan.
 */
int32_t ktrxer_neighbour_lookup(const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out);
int32_t ktrxer_neighbour_scan(const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out);

/*
 * Makes the kernel resolve an entry that has no address yet, or confirm one that is stale, as a packet for it
 * would. Sends nothing else. 0; -EPERM without CAP_NET_ADMIN; other -errno.
 */
int32_t ktrxer_neighbour_use(const struct ktrxer_neighbour_query *query);
/*
 * The same without that privilege: sends one empty UDP datagram to the neighbour's discard port (RFC 863),
 * out of the interface. 0 or -errno.
 */
int32_t ktrxer_neighbour_knock(const struct ktrxer_neighbour_query *query);

/*
 * A non-blocking descriptor that becomes readable when any entry changes; or -errno. Closed with
 * ktrxer_neighbour_unwatch.
 */
int32_t ktrxer_neighbour_watch(void);
/*
 * Takes in all that the descriptor holds, so that it is readable no more. 1: there was something; 0: nothing.
 */
int32_t ktrxer_neighbour_changed(int32_t descriptor);
void ktrxer_neighbour_unwatch(int32_t descriptor);

/*
 * As ktrxer_route_parse, for the answer to a question for `query`: of several entries, the one that matches
 * it.
 */
int32_t ktrxer_neighbour_parse(const void *datagram, uint32_t length, uint32_t sequence,
			       const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out);

#endif

/* SPDX-License-Identifier: MIT */
#include "sys_neighbour.h"

#include "netlink.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The same on every processor. */
_Static_assert(sizeof(struct ktrxer_neighbour_query) == 24, "layout");
_Static_assert(sizeof(struct ktrxer_neighbour) == 8, "layout");

enum { DISCARD_PORT = 9 };

static uint8_t neighbour_state(uint16_t state)
{
	if (state & NUD_PERMANENT)
		return KTRXER_NEIGHBOUR_PERMANENT;
	if (state & NUD_NOARP)
		return KTRXER_NEIGHBOUR_NO_ARP;
	if (state & NUD_REACHABLE)
		return KTRXER_NEIGHBOUR_REACHABLE;
	if (state & NUD_PROBE)
		return KTRXER_NEIGHBOUR_PROBE;
	if (state & NUD_DELAY)
		return KTRXER_NEIGHBOUR_DELAY;
	if (state & NUD_STALE)
		return KTRXER_NEIGHBOUR_STALE;
	if (state & NUD_INCOMPLETE)
		return KTRXER_NEIGHBOUR_INCOMPLETE;
	if (state & NUD_FAILED)
		return KTRXER_NEIGHBOUR_FAILED;
	return KTRXER_NEIGHBOUR_NONE;
}

static int has_useful_address(uint8_t state)
{
	return state != KTRXER_NEIGHBOUR_NONE && state != KTRXER_NEIGHBOUR_INCOMPLETE &&
	       state != KTRXER_NEIGHBOUR_FAILED;
}

/* 1 when the entry is the one asked for, 0 when it is another, -errno. */
static int32_t read_neighbour(const struct netlink_message *message, const struct ktrxer_neighbour_query *query,
			      struct ktrxer_neighbour *out)
{
	struct ndmsg body;
	struct netlink_rest rest;
	struct netlink_attribute attribute;
	struct ktrxer_neighbour found = { 0 };
	uint32_t address_length;
	uint8_t family;
	int matches = 0;
	int32_t more = netlink_family(query->family, &family, &address_length);

	if (more == 0)
		more = netlink_body(message, &body, sizeof(body), &rest);
	if (more < 0)
		return more;
	if (body.ndm_family != family || body.ndm_ifindex != query->interface || (body.ndm_flags & NTF_PROXY))
		return 0;
	found.state = neighbour_state(body.ndm_state);
	while ((more = netlink_next_attribute(&rest, &attribute)) == 1) {
		if (attribute.type == NDA_DST) {
			matches = attribute.length == address_length &&
				  memcmp(attribute.value, query->address, address_length) == 0;
		} else if (attribute.type == NDA_LLADDR && attribute.length == sizeof(found.address)) {
			memcpy(found.address, attribute.value, sizeof(found.address));
			found.has_address = 1;
		}
	}
	if (more < 0 || !matches)
		return more;
	if (!has_useful_address(found.state)) {
		found.has_address = 0;
		memset(found.address, 0, sizeof(found.address));
	}
	*out = found;
	return 1;
}

int32_t ktrxer_neighbour_parse(const void *datagram, uint32_t length, uint32_t sequence,
			       const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out)
{
	struct netlink_rest rest = { datagram, length };
	struct netlink_message message;
	int32_t more;

	memset(out, 0, sizeof(*out));
	while ((more = netlink_next_message(&rest, &message)) == 1) {
		int32_t result;

		if (message.sequence != sequence)
			continue;
		if (message.type == RTM_NEWNEIGH)
			result = read_neighbour(&message, query, out);
		else
			result = netlink_verdict(&message);
		if (result == -ENOENT)
			return 1;
		if (result != 0)
			return result;
	}
	return more;
}

struct search {
	const struct ktrxer_neighbour_query *query;
	struct ktrxer_neighbour *out;
};

static int32_t parse_answer(const void *datagram, uint32_t length, uint32_t sequence, void *context)
{
	struct search *search = context;

	return ktrxer_neighbour_parse(datagram, length, sequence, search->query, search->out);
}

/* A question about the entry; for a dump the kernel must not be told the address. */
static int32_t begin(struct netlink_question *question, uint16_t type, uint16_t flags,
		     const struct ktrxer_neighbour_query *query)
{
	uint32_t address_length;
	uint8_t family;
	int32_t result = netlink_family(query->family, &family, &address_length);

	if (result < 0)
		return result;
	netlink_begin(question, type, flags, sizeof(question->body.neighbour));
	question->body.neighbour.ndm_family = family;
	if (flags & NLM_F_DUMP)
		return 0;
	question->body.neighbour.ndm_ifindex = query->interface;
	netlink_put(question, NDA_DST, query->address, address_length);
	return 0;
}

static int32_t search_entry(const struct ktrxer_neighbour_query *query, uint16_t flags,
			    struct ktrxer_neighbour *out)
{
	struct search search = { query, out };
	struct netlink_question question;
	int32_t result = begin(&question, RTM_GETNEIGH, flags, query);

	memset(out, 0, sizeof(*out));
	return result < 0 ? result : netlink_ask(&question, parse_answer, &search);
}

int32_t ktrxer_neighbour_scan(const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out)
{
	return search_entry(query, NLM_F_DUMP, out);
}

int32_t ktrxer_neighbour_lookup(const struct ktrxer_neighbour_query *query, struct ktrxer_neighbour *out)
{
	int32_t result = search_entry(query, 0, out);

	return result == -EOPNOTSUPP ? ktrxer_neighbour_scan(query, out) : result;
}

static int32_t parse_acknowledgement(const void *datagram, uint32_t length, uint32_t sequence, void *context)
{
	struct netlink_rest rest = { datagram, length };
	struct netlink_message message;
	int32_t more;

	(void)context;
	while ((more = netlink_next_message(&rest, &message)) == 1) {
		int32_t verdict = message.sequence == sequence ? netlink_verdict(&message) : 0;

		if (verdict != 0)
			return verdict;
	}
	return more;
}

int32_t ktrxer_neighbour_use(const struct ktrxer_neighbour_query *query)
{
	struct netlink_question question;
	int32_t result = begin(&question, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, query);

	if (result < 0)
		return result;
	/* State NONE changes nothing of the entry; NTF_USE then treats it as if a packet had come for it. */
	question.body.neighbour.ndm_state = NUD_NONE;
	question.body.neighbour.ndm_flags = NTF_USE;
	return netlink_ask(&question, parse_acknowledgement, NULL);
}

static int32_t send_empty(int descriptor, const struct ktrxer_neighbour_query *query)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT),
				   .sin6_scope_id = (uint32_t)query->interface };
	const struct sockaddr *to = query->family == 4 ? (void *)&v4 : (void *)&v6;
	socklen_t length = query->family == 4 ? sizeof(v4) : sizeof(v6);

	memcpy(&v4.sin_addr, query->address, 4);
	memcpy(&v6.sin6_addr, query->address, 16);
	return sendto(descriptor, "", 0, MSG_DONTROUTE | MSG_NOSIGNAL, to, length) < 0 ? -errno : 0;
}

int32_t ktrxer_neighbour_knock(const struct ktrxer_neighbour_query *query)
{
	struct ifreq interface = { 0 };
	uint32_t address_length;
	uint8_t family;
	int32_t result = netlink_family(query->family, &family, &address_length);
	int descriptor;

	if (result < 0)
		return result;
	descriptor = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (descriptor < 0)
		return -errno;
	/*
	 * Binding needs CAP_NET_RAW before 5.7. When it is refused, the neighbour is most often reached by the
	 * right interface all the same: it is the next hop of a route.
	 */
	if (if_indextoname((unsigned)query->interface, interface.ifr_name))
		setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, &interface, sizeof(interface));
	result = send_empty(descriptor, query);
	close(descriptor);
	return result;
}

int32_t ktrxer_neighbour_watch(void)
{
	return netlink_open(RTMGRP_NEIGH);
}

int32_t ktrxer_neighbour_changed(int32_t descriptor)
{
	int32_t changed = 0;
	/* The table is read afterwards, so what the messages say does not matter, nor that they are cut. */
	uint8_t first[16];

	for (int taken = 0; taken < 1000; taken++) {
		ssize_t length = recv(descriptor, first, sizeof(first), MSG_DONTWAIT);

		/* ENOBUFS: more changes than the socket could hold. */
		if (length < 0 && errno != EINTR && errno != ENOBUFS)
			break;
		changed = 1;
	}
	return changed;
}

void ktrxer_neighbour_unwatch(int32_t descriptor)
{
	close(descriptor);
}

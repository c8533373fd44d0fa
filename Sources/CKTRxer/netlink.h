/* SPDX-License-Identifier: MIT */
/*
 * Netlink as the route, interface and neighbour files use it: one question, one bounded wait, and a walk over
 * the answer that trusts no length in it. Private to the C floor.
 */
#ifndef KTRXER_NETLINK_H
#define KTRXER_NETLINK_H

#include <stdint.h>

#include <linux/rtnetlink.h>

/* A question under construction: the header, the body of its type, then attributes. */
struct netlink_question {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ifinfomsg link;
		struct ndmsg neighbour;
	} body;
	/* Attributes follow the body at once, whichever it is: the room begins where the shortest ends. */
	uint8_t room[96];
};

/* One message of a received datagram. */
struct netlink_message {
	uint16_t type;
	uint16_t flags;
	uint32_t sequence;
	const uint8_t *payload;
	uint32_t length;
};

struct netlink_attribute {
	uint16_t type;
	uint16_t length;
	const uint8_t *value;
};

/* What is left to walk of a datagram or of a run of attributes. */
struct netlink_rest {
	const uint8_t *bytes;
	uint32_t length;
};

void netlink_begin(struct netlink_question *question, uint16_t type, uint16_t flags, uint32_t body_length);
/* The caller's attributes fit the room. */
void netlink_put(struct netlink_question *question, uint16_t type, const void *value, uint32_t length);
void netlink_put_u32(struct netlink_question *question, uint16_t type, uint32_t value);

/* Reads one datagram for the answer: 1 found, 0 not in this one, -errno. */
typedef int32_t netlink_parser(const void *datagram, uint32_t length, uint32_t sequence, void *context);

/*
 * Asks, and hands what comes to the parser until it returns other than 0. 0 or -errno; -ETIMEDOUT after a
 * second.
 */
int32_t netlink_ask(struct netlink_question *question, netlink_parser *parse, void *context);

/* Opens a route socket, a member of the groups (bits); or -errno. */
int32_t netlink_open(uint32_t groups);

/* The next message or attribute: 1, 0 at the end, -EBADMSG when the lengths do not add up. */
int32_t netlink_next_message(struct netlink_rest *rest, struct netlink_message *out);
int32_t netlink_next_attribute(struct netlink_rest *rest, struct netlink_attribute *out);

/*
 * The attributes that follow a body of body_length bytes in a message, which is copied to body. 0, or
 * -EBADMSG for a shorter message.
 */
int32_t netlink_body(const struct netlink_message *message, void *body, uint32_t body_length,
		     struct netlink_rest *attributes);

/*
 * What a message that ends an exchange says: 1 for the acknowledgement and the end of a dump, -errno for an
 * error, 0 for any other message.
 */
int32_t netlink_verdict(const struct netlink_message *message);

/* An unsigned number of an attribute in host order; 0 when the length is another. */
uint32_t netlink_u32(const struct netlink_attribute *attribute);
uint16_t netlink_u16(const struct netlink_attribute *attribute);

/* AF_INET or AF_INET6 of 4 or 6, and the address length; -EAFNOSUPPORT for others. */
int32_t netlink_family(uint8_t version, uint8_t *family, uint32_t *address_length);

#endif

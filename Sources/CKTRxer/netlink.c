/* SPDX-License-Identifier: MIT */
#include "netlink.h"

#include "sys_clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 1000,
	/*
	 * The kernel builds no datagram of an answer or dump larger than this, unless asked with a larger
	 * buffer.
	 */
	DATAGRAM_SIZE = 16384,
};

void netlink_begin(struct netlink_question *question, uint16_t type, uint16_t flags, uint32_t body_length)
{
	memset(question, 0, sizeof(*question));
	question->header.nlmsg_len = NLMSG_LENGTH(body_length);
	question->header.nlmsg_type = type;
	question->header.nlmsg_flags = NLM_F_REQUEST | flags;
	/* The exchange has a socket of its own, so that any number but 0 (a notification's) tells its answers. */
	question->header.nlmsg_seq = 1;
}

void netlink_put(struct netlink_question *question, uint16_t type, const void *value, uint32_t length)
{
	uint8_t *end = (uint8_t *)question + NLMSG_ALIGN(question->header.nlmsg_len);
	struct rtattr header = { .rta_len = RTA_LENGTH(length), .rta_type = type };

	memcpy(end, &header, sizeof(header));
	memcpy(end + sizeof(header), value, length);
	question->header.nlmsg_len = NLMSG_ALIGN(question->header.nlmsg_len) + RTA_ALIGN(header.rta_len);
}

void netlink_put_u32(struct netlink_question *question, uint16_t type, uint32_t value)
{
	netlink_put(question, type, &value, sizeof(value));
}

int32_t netlink_open(uint32_t groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (descriptor < 0)
		return -errno;
	if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int32_t error = -errno;

		close(descriptor);
		return error;
	}
	return descriptor;
}

static int32_t send_question(int descriptor, const struct netlink_question *question)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	while (sendto(descriptor, question, question->header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Waits for what is left of the patience. 1 readable, or -errno. */
static int32_t wait_readable(int descriptor, int64_t deadline)
{
	for (;;) {
		struct pollfd wait = { .fd = descriptor, .events = POLLIN };
		int64_t left = (deadline - ktrxer_clock_monotonic()) / 1000000;
		int ready;

		if (left <= 0)
			return -ETIMEDOUT;
		ready = poll(&wait, 1, (int)left);
		if (ready > 0)
			return 1;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

static int32_t receive_answer(int descriptor, uint32_t sequence, netlink_parser *parse, void *context)
{
	int64_t deadline = ktrxer_clock_monotonic() + (int64_t)PATIENCE_MS * 1000000;
	/* Aligned for nobody: all reading goes through memcpy. */
	uint8_t datagram[DATAGRAM_SIZE];

	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec room = { .iov_base = datagram, .iov_len = sizeof(datagram) };
		struct msghdr message = {
			.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &room, .msg_iovlen = 1,
		};
		ssize_t length = recvmsg(descriptor, &message, 0);
		int32_t result;

		if (length < 0) {
			if (errno != EAGAIN && errno != EINTR)
				return -errno;
			result = wait_readable(descriptor, deadline);
			if (result < 0)
				return result;
			continue;
		}
		/* Any process may send to a netlink socket; only the kernel is number 0. */
		if (message.msg_namelen < sizeof(from) || from.nl_pid != 0)
			continue;
		if (message.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		result = parse(datagram, (uint32_t)length, sequence, context);
		if (result != 0)
			return result < 0 ? result : 0;
	}
}

int32_t netlink_ask(struct netlink_question *question, netlink_parser *parse, void *context)
{
	int descriptor = netlink_open(0);
	int32_t result;

	if (descriptor < 0)
		return descriptor;
	result = send_question(descriptor, question);
	if (result == 0)
		result = receive_answer(descriptor, question->header.nlmsg_seq, parse, context);
	close(descriptor);
	return result;
}

/* Moves past an item and the padding that follows it, which the last one may lack. */
static void advance(struct netlink_rest *rest, uint32_t length)
{
	uint32_t step = (length + 3) & ~3u;

	if (step > rest->length)
		step = rest->length;
	rest->bytes += step;
	rest->length -= step;
}

int32_t netlink_next_message(struct netlink_rest *rest, struct netlink_message *out)
{
	struct nlmsghdr header;

	if (rest->length == 0)
		return 0;
	if (rest->length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, rest->bytes, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest->length)
		return -EBADMSG;
	out->type = header.nlmsg_type;
	out->flags = header.nlmsg_flags;
	out->sequence = header.nlmsg_seq;
	out->payload = rest->bytes + sizeof(header);
	out->length = header.nlmsg_len - sizeof(header);
	advance(rest, header.nlmsg_len);
	return 1;
}

int32_t netlink_next_attribute(struct netlink_rest *rest, struct netlink_attribute *out)
{
	struct rtattr header;

	if (rest->length == 0)
		return 0;
	if (rest->length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, rest->bytes, sizeof(header));
	if (header.rta_len < sizeof(header) || header.rta_len > rest->length)
		return -EBADMSG;
	/* The two highest bits are flags: nested, and network byte order. */
	out->type = header.rta_type & 0x3FFF;
	out->length = header.rta_len - sizeof(header);
	out->value = rest->bytes + sizeof(header);
	advance(rest, header.rta_len);
	return 1;
}

int32_t netlink_body(const struct netlink_message *message, void *body, uint32_t body_length,
		     struct netlink_rest *attributes)
{
	if (message->length < body_length)
		return -EBADMSG;
	memcpy(body, message->payload, body_length);
	attributes->bytes = message->payload;
	attributes->length = message->length;
	advance(attributes, body_length);
	return 0;
}

int32_t netlink_verdict(const struct netlink_message *message)
{
	int32_t error;

	if (message->type == NLMSG_DONE)
		return 1;
	if (message->type != NLMSG_ERROR)
		return 0;
	if (message->length < sizeof(error))
		return -EBADMSG;
	memcpy(&error, message->payload, sizeof(error));
	if (error == 0)
		return 1;
	/* A negative errno by the kernel's contract; anything else is garbage. */
	return error < 0 && error >= -4095 ? error : -EBADMSG;
}

uint32_t netlink_u32(const struct netlink_attribute *attribute)
{
	uint32_t value = 0;

	if (attribute->length == sizeof(value))
		memcpy(&value, attribute->value, sizeof(value));
	return value;
}

uint16_t netlink_u16(const struct netlink_attribute *attribute)
{
	uint16_t value = 0;

	if (attribute->length == sizeof(value))
		memcpy(&value, attribute->value, sizeof(value));
	return value;
}

int32_t netlink_family(uint8_t version, uint8_t *family, uint32_t *address_length)
{
	switch (version) {
	case 4:
		*family = AF_INET;
		*address_length = 4;
		return 0;
	case 6:
		*family = AF_INET6;
		*address_length = 16;
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

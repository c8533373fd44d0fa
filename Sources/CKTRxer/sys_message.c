/* SPDX-License-Identifier: MIT */
#include "sys_message.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif
#ifndef PACKET_TX_TIMESTAMP
#define PACKET_TX_TIMESTAMP 16
#endif
#ifndef IPV6_RECVERR
#define IPV6_RECVERR 25
#endif

/* Reads a socket address into 16 bytes; returns 4, 6, or 0 when it is none. */
static uint32_t read_address(const void *address, uint8_t *bytes, uint32_t *port)
{
	const struct sockaddr *any = address;

	if (any->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = address;

		memcpy(bytes, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
		return 4;
	}
	if (any->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = address;

		*port = ntohs(v6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			memcpy(bytes, v6->sin6_addr.s6_addr + 12, 4);
			return 4;
		}
		memcpy(bytes, &v6->sin6_addr, 16);
		return 6;
	}
	return 0;
}

static void store_error(struct ktrxer_message *message, const struct cmsghdr *control)
{
	struct sock_extended_err error;

	memcpy(&error, CMSG_DATA(control), sizeof(error));
	switch (error.ee_origin) {
	case SO_EE_ORIGIN_TIMESTAMPING:
		message->origin = KTRXER_ORIGIN_TRANSMIT_STAMP;
		message->key = error.ee_data;
		return;
	case SO_EE_ORIGIN_ICMP:
	case SO_EE_ORIGIN_ICMP6:
		message->origin = KTRXER_ORIGIN_ICMP;
		/* The offender's address follows the structure (SO_EE_OFFENDER). */
		if (control->cmsg_len >= CMSG_LEN(sizeof(error) + sizeof(struct sockaddr_in))) {
			struct sockaddr_in6 offender = { 0 };
			size_t length = control->cmsg_len - CMSG_LEN(sizeof(error));

			memcpy(&offender, CMSG_DATA(control) + sizeof(error),
			       length < sizeof(offender) ? length : sizeof(offender));
			message->family = read_address(&offender, message->from, &message->from_port);
		}
		/* ee_data of ICMP errors holds struct sock_ee_data_rfc4884: u16 len, u8 flags. */
		{
			uint16_t offset;
			uint8_t flags;

			memcpy(&offset, (char *)&error.ee_data, sizeof(offset));
			memcpy(&flags, (char *)&error.ee_data + 2, sizeof(flags));
			message->extension_offset = flags & 1 ? 0 : offset;
		}
		break;
	default:
		message->origin = KTRXER_ORIGIN_LOCAL;
	}
	message->icmp_type = error.ee_type;
	message->icmp_code = error.ee_code;
	message->info = error.ee_info;
	message->error = error.ee_errno;
}

static void store_stamp(struct ktrxer_message *message, const struct cmsghdr *control)
{
	/* struct scm_timestamping: three struct timespec of the C library's own width; the first is the
	 * software one. */
	struct timespec stamp;

	if (control->cmsg_len < CMSG_LEN(sizeof(stamp)))
		return;
	memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
	message->realtime = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
}

int32_t ktrxer_message_receive(int32_t descriptor, int32_t error_queue, void *bytes, uint32_t capacity,
			       struct ktrxer_message *message)
{
	union {
		struct cmsghdr align;
		char space[512];
	} control;
	struct sockaddr_storage peer;
	struct iovec part = { .iov_base = bytes, .iov_len = capacity };
	struct msghdr header = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *entry;
	ssize_t length;

	memset(message, 0, sizeof(*message));
	memset(&peer, 0, sizeof(peer));
	do {
		length = recvmsg(descriptor, &header, MSG_DONTWAIT | (error_queue ? MSG_ERRQUEUE : 0));
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	message->length = (uint32_t)length;
	message->truncated = !!(header.msg_flags & MSG_TRUNC);
	if (error_queue) {
		uint32_t port;

		message->destination_family = read_address(&peer, message->destination, &port);
	} else {
		message->family = read_address(&peer, message->from, &message->from_port);
	}
	for (entry = CMSG_FIRSTHDR(&header); entry; entry = CMSG_NXTHDR(&header, entry)) {
		if (entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_TIMESTAMPING) {
			store_stamp(message, entry);
		} else if ((entry->cmsg_level == IPPROTO_IP && entry->cmsg_type == IP_RECVERR) ||
			   (entry->cmsg_level == IPPROTO_IPV6 && entry->cmsg_type == IPV6_RECVERR) ||
			   (entry->cmsg_level == SOL_PACKET && entry->cmsg_type == PACKET_TX_TIMESTAMP)) {
			if (entry->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err)))
				store_error(message, entry);
		} else if ((entry->cmsg_level == IPPROTO_IP && entry->cmsg_type == IP_TTL) ||
			   (entry->cmsg_level == IPPROTO_IPV6 && entry->cmsg_type == IPV6_HOPLIMIT)) {
			int ttl;

			memcpy(&ttl, CMSG_DATA(entry), sizeof(ttl));
			message->ttl = (uint32_t)ttl;
		}
	}
	return (int32_t)length;
}

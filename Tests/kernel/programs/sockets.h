/* SPDX-License-Identifier: MIT */
/* The system's own sockets, of more than one network namespace, for programs that look at what it gets to see. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "device.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>

static inline socklen_t address(struct sockaddr_storage *out, const char *text, int port)
{
	struct sockaddr_in *four = (void *)out;
	struct sockaddr_in6 *six = (void *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	inet_pton(AF_INET6, text, &six->sin6_addr);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

/* A socket of a namespace, bound there; the caller stays in `home`. */
static inline int bound(int home, int namespace, int type, int protocol, const char *at, int port)
{
	struct sockaddr_storage own;
	socklen_t length = address(&own, at, port);
	int fd, on = 1;

	if (setns(namespace, CLONE_NEWNET))
		die("setns");
	fd = socket(own.ss_family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) || bind(fd, (void *)&own, length))
		die(at);
	if (setns(home, CLONE_NEWNET))
		die("setns");
	return fd;
}

static inline void send_to(int fd, const char *to, int port, const void *bytes, int length)
{
	struct sockaddr_storage peer;
	socklen_t size = address(&peer, to, port);

	if (sendto(fd, bytes, length, 0, (void *)&peer, size) != length)
		die(to);
}

/* What comes within so many ms; empty: nothing. */
static inline const char *heard(int fd, int wait, struct sockaddr_in *from, int *ttl, int *tos)
{
	static char bytes[256];
	char control[128];
	struct iovec into = { bytes, sizeof(bytes) - 1 };
	struct msghdr message = {
		.msg_name = from, .msg_namelen = from ? sizeof(*from) : 0, .msg_iov = &into, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct pollfd one = { .fd = fd, .events = POLLIN };
	ssize_t length = poll(&one, 1, wait) == 1 ? recvmsg(fd, &message, 0) : 0;

	bytes[length < 0 ? 0 : length] = 0;
	for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); length > 0 && each; each = CMSG_NXTHDR(&message, each)) {
		if (ttl && each->cmsg_type == IP_TTL)
			memcpy(ttl, CMSG_DATA(each), sizeof(*ttl));
		if (tos && each->cmsg_type == IP_TOS)
			*tos = *CMSG_DATA(each);
	}
	return bytes;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "sys_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
#endif
#ifndef IPV6_MTU_DISCOVER
#define IPV6_MTU_DISCOVER 23
#endif
#ifndef IPV6_RECVERR
#define IPV6_RECVERR 25
#endif
#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

enum { MTU_DONT = 0, MTU_PROBE = 3 }; /* IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE */

static int set_number(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static socklen_t make_address(struct sockaddr_storage *out, const struct ktrxer_socket_setup *setup,
			      const uint8_t *address, uint32_t port)
{
	memset(out, 0, sizeof(*out));
	if (setup->family == 4) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)out;

		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		memcpy(&v4->sin_addr, address, 4);
		return sizeof(*v4);
	}
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	memcpy(&v6->sin6_addr, address, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&v6->sin6_addr))
		v6->sin6_scope_id = setup->interface_index;
	return sizeof(*v6);
}

static void read_name(int fd, const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name)
{
	struct sockaddr_storage local;
	socklen_t length = sizeof(local);
	int mtu = 0;
	socklen_t mtu_length = sizeof(mtu);

	memset(name, 0, sizeof(*name));
	memset(&local, 0, sizeof(local));
	if (getsockname(fd, (struct sockaddr *)&local, &length) == 0) {
		if (setup->family == 4) {
			struct sockaddr_in *v4 = (struct sockaddr_in *)&local;

			memcpy(name->source, &v4->sin_addr, 4);
			name->source_port = ntohs(v4->sin_port);
		} else {
			struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&local;

			memcpy(name->source, &v6->sin6_addr, 16);
			name->source_port = ntohs(v6->sin6_port);
		}
	}
	if (getsockopt(fd, setup->family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
		       setup->family == 4 ? IP_MTU : IPV6_MTU, &mtu, &mtu_length) == 0 &&
	    mtu > 0)
		name->mtu = (uint32_t)mtu;
}

static int set_common(int fd, const struct ktrxer_socket_setup *setup)
{
	int result = 0;

	if (setup->bind_interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, setup->interface, (socklen_t)strlen(setup->interface) + 1))
		return -errno;
	if (setup->family == 4) {
		result = set_number(fd, IPPROTO_IP, IP_TOS, (int)setup->traffic_class);
		if (!result)
			result = set_number(fd, IPPROTO_IP, IP_MTU_DISCOVER,
					    setup->dont_fragment ? MTU_PROBE : MTU_DONT);
		if (!result)
			result = set_number(fd, IPPROTO_IP, IP_TTL, (int)setup->ttl);
		if (!result)
			result = set_number(fd, IPPROTO_IP, IP_RECVERR, 1);
		if (!result)
			result = set_number(fd, IPPROTO_IP, IP_RECVTTL, 1);
		set_number(fd, IPPROTO_IP, IP_RECVERR_RFC4884, 1);
	} else {
		result = set_number(fd, IPPROTO_IPV6, IPV6_TCLASS, (int)setup->traffic_class);
		if (!result)
			result = set_number(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
					    setup->dont_fragment ? MTU_PROBE : MTU_DONT);
		if (!result)
			result = set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, (int)setup->ttl);
		if (!result)
			result = set_number(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
		if (!result)
			result = set_number(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		set_number(fd, IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 1);
	}
	return result;
}

static int bind_source(int fd, const struct ktrxer_socket_setup *setup, uint32_t port)
{
	static const uint8_t any[16];
	struct sockaddr_storage local;
	socklen_t length = make_address(&local, setup, setup->has_source ? setup->source : any, port);

	if (!setup->has_source && !port)
		return 0;
	return bind(fd, (struct sockaddr *)&local, length) ? -errno : 0;
}

static int connect_target(int fd, const struct ktrxer_socket_setup *setup, uint32_t port)
{
	struct sockaddr_storage target;
	socklen_t length = make_address(&target, setup, setup->destination, port);

	if (!connect(fd, (struct sockaddr *)&target, length))
		return 0;
	/* What the kernel says of blackhole and prohibit routes (rtnetlink(7)): nothing is wrong with the socket. */
	return errno == EINVAL || errno == EACCES ? -EHOSTUNREACH : -errno;
}

static int datagram_socket(const struct ktrxer_socket_setup *setup, int protocol, struct ktrxer_socket_name *name)
{
	int fd = socket(setup->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int result;

	if (fd < 0)
		return -errno;
	result = set_common(fd, setup);
	if (!result)
		result = bind_source(fd, setup, setup->source_port);
	if (!result)
		result = connect_target(fd, setup, protocol == IPPROTO_UDP ? setup->destination_port : 0);
	if (result) {
		close(fd);
		return result;
	}
	/* Kernels without it leave the caller with its own clock readings. */
	set_number(fd, SOL_SOCKET, SO_TIMESTAMPING,
		   SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
			   SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
	read_name(fd, setup, name);
	return fd;
}

int32_t ktrxer_ping_socket(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name)
{
	return datagram_socket(setup, setup->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, name);
}

int32_t ktrxer_udp_socket(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name)
{
	return datagram_socket(setup, IPPROTO_UDP, name);
}

int32_t ktrxer_socket_send(int32_t descriptor, uint32_t family, const void *bytes, uint32_t length, uint32_t ttl)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = length };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *entry;
	int value = (int)ttl;

	memset(&control, 0, sizeof(control));
	entry = CMSG_FIRSTHDR(&header);
	entry->cmsg_level = family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	entry->cmsg_type = family == 4 ? IP_TTL : IPV6_HOPLIMIT;
	entry->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(entry), &value, sizeof(value));
	return sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int32_t ktrxer_tcp_probe(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name)
{
	int fd = socket(setup->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	result = set_common(fd, setup);
	if (!result)
		result = bind_source(fd, setup, 0);
	/* The fewest retransmissions that the kernel allows; ktrxer_tcp_outcome() tells them apart. */
	set_number(fd, IPPROTO_TCP, TCP_SYNCNT, 1);
	if (!result) {
		result = connect_target(fd, setup, setup->destination_port);
		if (result == -EINPROGRESS)
			result = 0;
	}
	if (result) {
		close(fd);
		return result;
	}
	read_name(fd, setup, name);
	return fd;
}

int32_t ktrxer_tcp_outcome(int32_t descriptor, struct ktrxer_tcp_outcome *outcome)
{
	struct pollfd query = { .fd = descriptor, .events = POLLOUT };
	struct tcp_info information;
	socklen_t length = sizeof(information);
	int error = 0;
	socklen_t error_length = sizeof(error);

	memset(outcome, 0, sizeof(*outcome));
	if (poll(&query, 1, 0) <= 0 || !(query.revents & (POLLOUT | POLLERR | POLLHUP)))
		return 0;
	if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_length))
		error = errno;
	outcome->error = error;
	outcome->refused = error == ECONNREFUSED || error == ECONNRESET;
	memset(&information, 0, sizeof(information));
	if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &information, &length) == 0) {
		outcome->round_trip_us = information.tcpi_rtt;
		outcome->retransmits = information.tcpi_total_retrans;
	}
	return 1;
}

void ktrxer_tcp_abort(int32_t descriptor)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(descriptor);
}

int32_t ktrxer_udp_reserve(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name)
{
	struct sock_filter reject[] = { { .code = BPF_RET | BPF_K, .k = 0 } };
	struct sock_fprog program = { .len = 1, .filter = reject };
	int fd = socket(setup->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage local;
	socklen_t length;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	length = make_address(&local, setup, setup->source, setup->source_port);
	if (bind(fd, (struct sockaddr *)&local, length)) {
		int result = -errno;

		close(fd);
		return result;
	}
	read_name(fd, setup, name);
	return fd;
}

void ktrxer_close(int32_t descriptor)
{
	if (descriptor >= 0)
		close(descriptor);
}

int32_t ktrxer_wait(const int32_t *descriptors, const uint8_t *writable, uint8_t *ready, uint32_t count,
		    int64_t timeout)
{
	struct pollfd entries[1024];
	struct timespec limit = { .tv_sec = (time_t)(timeout / 1000000000), .tv_nsec = timeout % 1000000000 };
	int found;

	if (count > sizeof(entries) / sizeof(entries[0]))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		entries[i].fd = descriptors[i];
		entries[i].events = writable[i] ? POLLOUT : POLLIN;
		entries[i].revents = 0;
	}
	found = ppoll(entries, count, timeout < 0 ? NULL : &limit, NULL);
	if (found < 0)
		return -errno;
	for (uint32_t i = 0; i < count; i++)
		ready[i] = entries[i].revents != 0;
	return found;
}

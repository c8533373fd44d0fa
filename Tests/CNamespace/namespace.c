/* SPDX-License-Identifier: MIT */
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int32_t test_shell(const char *script)
{
	int status = system(script);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int32_t test_namespace_enter(const char *name)
{
	char path[128];
	int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int target;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	target = open(path, O_RDONLY | O_CLOEXEC);
	if (before < 0 || target < 0 || setns(target, CLONE_NEWNET) < 0)
		return -errno;
	close(target);
	return before;
}

int32_t test_namespace_leave(int32_t before)
{
	int32_t result = setns(before, CLONE_NEWNET) < 0 ? -errno : 0;

	close(before);
	return result;
}

int32_t test_set_network_admin(int32_t allowed)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	if (allowed)
		sets[0].effective |= 1u << CAP_NET_ADMIN;
	else
		sets[0].effective &= ~(1u << CAP_NET_ADMIN);
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int32_t test_tun_open(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (descriptor < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(descriptor, TUNSETIFF, &request) < 0) {
		int32_t error = -errno;

		close(descriptor);
		return error;
	}
	return descriptor;
}

int32_t test_wait_readable(int32_t descriptor, int32_t milliseconds)
{
	struct pollfd wait = { .fd = descriptor, .events = POLLIN };

	return poll(&wait, 1, milliseconds) > 0;
}

int32_t test_udp_open(uint16_t port)
{
	struct sockaddr_in6 here = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT,
	};
	int descriptor = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&here, sizeof(here)) < 0)
		return -errno;
	return descriptor;
}

void test_close(int32_t descriptor)
{
	close(descriptor);
}

/* Appends an answer for the name of the question. */
static size_t add_answer(uint8_t *packet, size_t length, uint8_t type, uint8_t last)
{
	static const uint8_t v6[] = { 0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	const uint8_t head[] = { 0xC0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, type == 1 ? 4 : 16 };

	memcpy(packet + length, head, sizeof(head));
	length += sizeof(head);
	if (type == 1) {
		memcpy(packet + length, (uint8_t[]){ 192, 0, 2, last }, 4);
		length += 4;
	} else {
		memcpy(packet + length, v6, sizeof(v6));
		packet[length + 15] = last;
		length += 16;
	}
	packet[7]++;
	return length;
}

/* Makes a reply of a question in place; its length, 0 for none. */
static size_t answer_question(uint8_t *packet, size_t length)
{
	const char *name = (const char *)packet + 13;
	size_t end = 12;
	uint8_t type;
	int known;

	while (end < length && packet[end])
		end += 1u + packet[end];
	end += 5;
	if (end > length || strncmp(name, "mute", 4) == 0)
		return 0;
	type = packet[end - 3];
	packet[2] = 0x85;
	packet[3] = 0x80;
	/* One question, and none of the additional records that it may have brought. */
	memset(packet + 6, 0, 6);
	known = strncmp(name, "both", 4) == 0 || strncmp(name, "four", 4) == 0 || strncmp(name, "six", 3) == 0 ||
		strncmp(name, "many", 4) == 0;
	if (strncmp(name, "fail", 4) == 0)
		packet[3] |= 2;
	else if (!known)
		packet[3] |= 3;
	else if (strncmp(name, "many", 4) == 0 && type == 1)
		for (uint8_t last = 1; last <= 12; last++)
			end = add_answer(packet, end, 1, last);
	else if ((type == 1 && name[0] != 's') || (type == 28 && name[0] != 'f' && name[0] != 'm'))
		end = add_answer(packet, end, type, type == 1 ? 80 : 0x80);
	return end;
}

void test_name_server(int32_t descriptor)
{
	for (;;) {
		struct sockaddr_in6 from;
		socklen_t from_length = sizeof(from);
		uint8_t packet[1024];
		ssize_t length = recvfrom(descriptor, packet, 512, 0, (struct sockaddr *)&from, &from_length);
		size_t reply = length > 17 ? answer_question(packet, (size_t)length) : 0;

		if (length <= 0)
			break;
		if (reply)
			sendto(descriptor, packet, reply, 0, (struct sockaddr *)&from, from_length);
	}
	close(descriptor);
}

void test_name_server_stop(int32_t descriptor)
{
	shutdown(descriptor, SHUT_RDWR);
}

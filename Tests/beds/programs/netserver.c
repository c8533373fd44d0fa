// SPDX-License-Identifier: MIT
// The server at the far end of a bed: UDP echo on port 7 and an open TCP port 80, IPv4 and IPv6 alike; and a name
// server that knows no name.
// Says one line when it is ready and then goes on in the background.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Dual stack; answers must leave from the address that was asked.
static int bound(int type, int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type, 0), off = 0, on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		perror("netserver");
		exit(1);
	}
	return fd;
}

static void echo(int fd)
{
	static char payload[65536], control[256];
	struct sockaddr_in6 from;
	struct iovec io = { payload, sizeof(payload) };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &io,
				  .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t length = recvmsg(fd, &message, 0);

	if (length < 0)
		return;
	io.iov_len = length;
	sendmsg(fd, &message, 0);
}

// Of dual* it says that its IPv4 address is 192.0.2.80, and that it has no other; of fail* that it failed, of refuse* that it
// will not tell, of mute* nothing, of others that there is none (RFC 1035, 4.1).
static void answer_name(int fd)
{
	char packet[512];
	struct sockaddr_in6 from;
	socklen_t from_length = sizeof(from);
	ssize_t length = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_length);

	if (length < 17 || memcmp(packet + 13, "mute", 4) == 0)
		return;
	packet[2] = (char)0x81;
	if (memcmp(packet + 13, "dual", 4) == 0) {
		// A compressed name, type A, class IN, an hour, four bytes.
		static const char address[] = { '\xc0', 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, '\xc0', 0, 2, 80 };

		packet[3] = 0;
		if (packet[length - 3] == 1 && length + sizeof(address) <= sizeof(packet)) {
			memcpy(packet + length, address, sizeof(address));
			length += sizeof(address);
			packet[7] = 1;
		}
		sendto(fd, packet, (size_t)length, 0, (struct sockaddr *)&from, from_length);
		return;
	}
	packet[3] = memcmp(packet + 13, "fail", 4) == 0 ? 2 : memcmp(packet + 13, "refu", 4) == 0 ? 5 : 3;
	sendto(fd, packet, (size_t)length, 0, (struct sockaddr *)&from, from_length);
}

int main(void)
{
	int on = 1, udp = bound(SOCK_DGRAM, 7), tcp = bound(SOCK_STREAM, 80), names = bound(SOCK_DGRAM, 53);
	struct pollfd fds[3] = { { udp, POLLIN, 0 }, { tcp, POLLIN, 0 }, { names, POLLIN, 0 } };

	setsockopt(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (listen(tcp, 64))
		return 1;
	puts("netserver: UDP echo on 7, TCP open on 80, DNS on 53");
	fflush(stdout);
	if (daemon(0, 0))
		return 1;
	while (poll(fds, 3, -1) >= 0) {
		if (fds[0].revents)
			echo(udp);
		if (fds[1].revents)
			close(accept(tcp, NULL, NULL));
		if (fds[2].revents)
			answer_name(names);
	}
	return 1;
}

// SPDX-License-Identifier: MIT
// The server at the far end of a bed: UDP echo on port 7 and an open TCP port 80, IPv4 and IPv6 alike.
// Says one line when it is ready and then goes on in the background.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(void)
{
	int on = 1, udp = bound(SOCK_DGRAM, 7), tcp = bound(SOCK_STREAM, 80);
	struct pollfd fds[2] = { { udp, POLLIN, 0 }, { tcp, POLLIN, 0 } };

	setsockopt(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (listen(tcp, 64))
		return 1;
	puts("netserver: UDP echo on 7, TCP open on 80");
	fflush(stdout);
	if (daemon(0, 0))
		return 1;
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents)
			echo(udp);
		if (fds[1].revents)
			close(accept(tcp, NULL, NULL));
	}
	return 1;
}

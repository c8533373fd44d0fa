// SPDX-License-Identifier: MIT
/* A raw IPv4 socket that is given the IP header: routes and neighbours are the kernel's. */
#include "sockets.h"

static int fd;

void method_open(struct input *input)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr = input->destination };

	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, input->interface, strlen(input->interface) + 1) ||
	    connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		fail("raw");
}

void method_train(const struct input *input)
{
	socket_train(input, fd, IP_AT);
}

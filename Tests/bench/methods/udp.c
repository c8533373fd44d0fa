// SPDX-License-Identifier: MIT
/* A connected UDP socket, as most programs send. */
#include "sockets.h"

#include <string.h>

static int fd;

void method_open(struct input *input)
{
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, input->interface, strlen(input->interface) + 1))
		fail("udp");
}

void method_train(const struct input *input)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(input->port), .sin_addr = input->destination };

	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		fail("connect");
	socket_train(input, fd, PAYLOAD_AT);
}

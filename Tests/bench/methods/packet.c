// SPDX-License-Identifier: MIT
/* A packet socket: whole frames, through the queueing discipline or past it. */
#include "sockets.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#ifndef BYPASS
#define BYPASS 0
#endif

static int fd;

void method_open(struct input *input)
{
	struct sockaddr_ll local = { .sll_family = AF_PACKET, .sll_ifindex = input->interface_index };
	int bypass = BYPASS;

	/* Protocol 0: it receives nothing. */
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)))
		fail("packet");
}

void method_train(const struct input *input)
{
	socket_train(input, fd, 0);
}

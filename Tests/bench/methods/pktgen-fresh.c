// SPDX-License-Identifier: MIT
/* The kernel's packet generator, which makes each frame anew, or sends one frame again and again. */
#include "input.h"

#include <stdarg.h>
#include <stdio.h>

#ifndef CLONES
#define CLONES 0
#endif

static char device[64];

/* Tells a file of it something. */
static void tell(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "w");
	va_list arguments;

	if (!file)
		fail(path);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	/* The file pgctrl takes the last character for this one. */
	fputc('\n', file);
	va_end(arguments);
	if (fclose(file))
		fail(path);
}

void method_open(struct input *input)
{
	const unsigned char *to = input->to;
	unsigned int destination = ntohl(input->destination.s_addr);

	snprintf(device, sizeof(device), "/proc/net/pktgen/%s", input->interface);
	tell("/proc/net/pktgen/kpktgend_0", "rem_device_all");
	tell("/proc/net/pktgen/kpktgend_0", "add_device %s", input->interface);
	tell(device, "delay 0");
	tell(device, "dst_mac %02x:%02x:%02x:%02x:%02x:%02x", to[0], to[1], to[2], to[3], to[4], to[5]);
	tell(device, "dst %u.%u.%u.%u", destination >> 24, destination >> 16 & 255, destination >> 8 & 255, destination & 255);
}

void method_train(const struct input *input)
{
	tell(device, "count %u", input->count);
	tell(device, "clone_skb %u", CLONES ? input->count : 0);
	tell(device, "pkt_size %u", input->length);
	tell(device, "udp_dst_min %u", input->port);
	tell(device, "udp_dst_max %u", input->port);
	/* Comes back when all were sent. */
	tell("/proc/net/pktgen/pgctrl", "start");
}

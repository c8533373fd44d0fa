/* SPDX-License-Identifier: MIT */
/* A way to capture packets, as capture.c drives it. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Rules are for UDP from SOURCE to DESTINATION, to the ports from FIRST_PORT on, one each. */
#define SOURCE 0xCB007105u /* 203.0.113.5 */
#define DESTINATION 0xC6336401u /* 198.51.100.1 */
#define FIRST_PORT 20000
/* Frames that arrive before the program has a look. */
#define BURST 64

struct capture {
	const char *name;
	void (*open)(const char *interface, unsigned int rules);
	unsigned int (*drain)(void); /* reads what is there; returns how many packets it was */
	void (*settle)(void); /* waits for what may still be under way; NULL: nothing ever is */
};

extern const struct capture ktrxer, ktrxer_drop, packet, nftables, nftables_set;

/* What a program that looks at a packet does at least: so that no way is spared the memory accesses. */
extern uint64_t looked_at;
static inline void look(uint64_t stamp, const unsigned char *ip)
{
	looked_at += stamp + ip[9] + (ip[22] << 8 | ip[23]);
}

static inline void die(const char *what)
{
	fprintf(stderr, "capture: %s: %s\n", what, strerror(errno));
	exit(1);
}

#endif

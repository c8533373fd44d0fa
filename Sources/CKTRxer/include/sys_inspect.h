/* SPDX-License-Identifier: MIT */
/* What this device is and allows, for the doctor: capabilities, timers, network cards. */
#ifndef KTRXER_SYS_INSPECT_H
#define KTRXER_SYS_INSPECT_H

#include <stdint.h>

/* Effective capabilities of this process. */
enum { KTRXER_CAPABILITY_NET_ADMIN = 1, KTRXER_CAPABILITY_NET_RAW = 2 };
int32_t ktrxer_capabilities(void);

/* ns: 1 with high-resolution timers, the tick without. */
int64_t ktrxer_timer_resolution(void);
/* Sleeps 50 times for 1 ms. By how much the sleeps ended late, ns: the median is returned. */
int64_t ktrxer_wake_lateness(int64_t *worst);
/* Looks at the clock for `watch` ns without a pause: the longest time between two looks, ns. */
int64_t ktrxer_longest_interruption(int64_t watch);

/* ns before a launch at which the module's timer fires, of a sender on an interface that sends nothing; or -errno. */
int64_t ktrxer_timer_lead(int32_t interface);

enum ktrxer_card_flag {
	KTRXER_CARD_GRO = 1, /* received packets are merged before they are seen */
	KTRXER_CARD_LRO = 2, /* the same, by the device */
	KTRXER_CARD_GSO = 4,
	KTRXER_CARD_TSO = 8,
	KTRXER_CARD_STAMPS_SENT = 16, /* the driver stamps what it sends (software) */
	KTRXER_CARD_HARDWARE_SENT = 32, /* timestamps of the device */
	KTRXER_CARD_HARDWARE_RECEIVED = 64,
	KTRXER_CARD_HARDWARE_CLOCK = 128, /* it has a clock of its own (PTP) */
};

struct ktrxer_card {
	char driver[32]; /* ended by a NUL; empty: not told */
	uint32_t flags; /* enum ktrxer_card_flag */
};

/* Fills in what ethtool requests tell of an interface; what they do not tell is empty. 0 or -errno (no socket). */
int32_t ktrxer_card(const char *interface, struct ktrxer_card *out);

#endif

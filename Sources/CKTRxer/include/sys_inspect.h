/* SPDX-License-Identifier: MIT */
/* What this device is and allows, for the doctor: capabilities, timers, network cards. */
#ifndef KTRXER_SYS_INSPECT_H
#define KTRXER_SYS_INSPECT_H

#include <stdint.h>

/* Effective capabilities of this process. */
enum { KTRXER_CAPABILITY_NET_ADMIN = 1, KTRXER_CAPABILITY_NET_RAW = 2 };
int32_t ktrxer_capabilities(void);

/* Release of the running kernel and its machine, both ended by a NUL. */
struct ktrxer_kernel_name {
	char release[65];
	char machine[65];
};
void ktrxer_kernel_name(struct ktrxer_kernel_name *out);

/* ns: 1 with high-resolution timers, the tick without. */
int64_t ktrxer_timer_resolution(void);
/* Sleeps until an instant of CLOCK_MONOTONIC. How late it woke up, ns. */
int64_t ktrxer_sleep_lateness(int64_t until);

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

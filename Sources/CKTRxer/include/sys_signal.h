/* SPDX-License-Identifier: MIT */
/* Signals as events on a descriptor, and what a long-running prober wants of its process. */
#ifndef KTRXER_SYS_SIGNAL_H
#define KTRXER_SYS_SIGNAL_H

#include <stdint.h>

enum ktrxer_signal {
	KTRXER_SIGNAL_NONE = 0,
	KTRXER_SIGNAL_STOP, /* SIGTERM, SIGINT; SIGHUP of who does not reload */
	KTRXER_SIGNAL_RELOAD, /* SIGHUP */
};

/*
 * Turns SIGTERM, SIGINT and SIGHUP into events of the returned descriptor, ignores SIGPIPE and SIGXFSZ
 * (their system calls fail instead), and asks for timers without slack. A descriptor or -errno.
 */
int32_t ktrxer_signal_open(void);
/* The next signal (enum ktrxer_signal), without waiting. `reloads`: SIGHUP is no reason to stop. */
int32_t ktrxer_signal_next(int32_t descriptor, int32_t reloads);
/* 1 once ktrxer_signal_next() has told of a stop. */
int32_t ktrxer_signal_stopped(void);

#endif

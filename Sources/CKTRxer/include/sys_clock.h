/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping. */
#ifndef KTRXER_SYS_CLOCK_H
#define KTRXER_SYS_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, ns. The time base of every launch time and timestamp in the library. */
int64_t ktrxer_clock_monotonic(void);
/* CLOCK_BOOTTIME, ns: like monotonic, and goes on while the device is suspended. */
int64_t ktrxer_clock_boottime(void);
/* CLOCK_REALTIME, ns since 1970. */
int64_t ktrxer_clock_realtime(void);
/*
 * CLOCK_REALTIME - CLOCK_MONOTONIC, ns. Changes only when the wall clock is set: slewing moves both. Read again when
 * something came in between, as it does on a busy machine; a moment there would look as if the clock had been set.
 */
int64_t ktrxer_clock_offset(void);
/* 1 when the kernel says that the wall clock is disciplined (adjtimex: not STA_UNSYNC), else 0. */
int32_t ktrxer_clock_synchronised(void);

/* Broken-down local time (TZ, /etc/localtime or /etc/TZ as the C library finds it). */
struct ktrxer_local_time {
	int32_t year; /* 2026 */
	int32_t month; /* 1-12 */
	int32_t day; /* 1-31 */
	int32_t hour; /* 0-23 */
	int32_t minute; /* 0-59 */
	int32_t second; /* 0-60 */
	int32_t weekday; /* 0 = Sunday */
	int32_t utc_offset; /* seconds east of UTC */
};

/* Seconds since 1970 to local time. 0 or -errno. */
int32_t ktrxer_local_time(int64_t unix_seconds, struct ktrxer_local_time *out);

#endif

/* SPDX-License-Identifier: MIT */
#include "sys_clock.h"

#include <errno.h>
#include <sys/timex.h>
#include <time.h>

#include "bionic.h"

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t ktrxer_clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t ktrxer_clock_boottime(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t ktrxer_clock_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t ktrxer_clock_offset(void)
{
	int64_t narrowest = INT64_MAX;
	int64_t offset = 0;

	for (int attempt = 0; attempt < 8 && narrowest > 100000; attempt++) {
		int64_t before = ktrxer_clock_monotonic();
		int64_t wall = ktrxer_clock_realtime();
		int64_t width = ktrxer_clock_monotonic() - before;

		if (width < narrowest) {
			narrowest = width;
			offset = wall - (before + width / 2);
		}
	}
	return offset;
}

int32_t ktrxer_clock_synchronised(void)
{
	struct timex query = { .modes = 0 };

	if (adjtimex(&query) < 0)
		return 0;
	return !(query.status & STA_UNSYNC);
}

int32_t ktrxer_local_time(int64_t unix_seconds, struct ktrxer_local_time *out)
{
	time_t when = (time_t)unix_seconds;
	struct tm local;

	if (when != unix_seconds || !localtime_r(&when, &local))
		return -EOVERFLOW;
	out->year = local.tm_year + 1900;
	out->month = local.tm_mon + 1;
	out->day = local.tm_mday;
	out->hour = local.tm_hour;
	out->minute = local.tm_min;
	out->second = local.tm_sec;
	out->weekday = local.tm_wday;
	out->utc_offset = (int32_t)local.tm_gmtoff;
	return 0;
}

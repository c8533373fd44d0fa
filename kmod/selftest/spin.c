// SPDX-License-Identifier: GPL-2.0
/* The share of spinning: never more than the share of the time and what may be saved up, and not much less. */
#include "../xmit.h"

#include "../parameters.h"
#include "selftest.h"

#include <linux/ktime.h>

#define SAVED_NS (5 * NSEC_PER_MSEC)

/* What is spun in 10 s by files that spin 100 us whenever they may. */
static u64 spun_under(unsigned int share)
{
	unsigned int before = ktrxer_spin_share_percent;
	u64 now = 5ULL * NSEC_PER_SEC;
	u64 end = now + 10ULL * NSEC_PER_SEC;
	u64 spun = 0;
	s64 saved = 0;
	u64 at = 0;

	ktrxer_spin_share_percent = share;
	while (now < end) {
		ktx_spin_reckon(&saved, &at, now);
		if (saved > 0) {
			saved -= 100 * NSEC_PER_USEC;
			spun += 100 * NSEC_PER_USEC;
		}
		now += 100 * NSEC_PER_USEC;
		/* A processor that has read the clock before does not count time twice. */
		ktx_spin_reckon(&saved, &at, now - NSEC_PER_MSEC);
	}
	ktrxer_spin_share_percent = before;
	return spun;
}

bool ktrxer_selftest_spin(void)
{
	const u64 time = 10ULL * NSEC_PER_SEC;
	bool good = true;

	KTRXER_EXPECT(spun_under(0) == 0);
	KTRXER_EXPECT(spun_under(50) >= time / 2 && spun_under(50) <= time / 2 + SAVED_NS + NSEC_PER_MSEC);
	KTRXER_EXPECT(spun_under(10) >= time / 10 && spun_under(10) <= time / 10 + SAVED_NS + NSEC_PER_MSEC);
	KTRXER_EXPECT(spun_under(100) == time);
	KTRXER_EXPECT(spun_under(1000) == time);
	return good;
}

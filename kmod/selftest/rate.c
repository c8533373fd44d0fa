// SPDX-License-Identifier: GPL-2.0
/* The rate ceiling: never more than rate times time and what may be saved up, and not much less. */
#include "../parameters.h"

#include "selftest.h"

#include <linux/ktime.h>

bool ktrxer_selftest_rate(void)
{
	unsigned int rate = ktrxer_rate_ceiling;
	u64 begin = ktime_get_ns();
	u64 now = begin;
	u64 again = 0;
	u64 taken = 0;
	bool good = true;

	ktrxer_rate_ceiling = 1000;
	/* In 10 s of asking for as much as there is, each time as soon as something is promised. */
	while (now < begin + 10ULL * NSEC_PER_SEC) {
		unsigned int got = ktrxer_rate_take(64, now, &again);

		taken += got;
		if (!got) {
			KTRXER_EXPECT(again > now && again <= now + NSEC_PER_SEC / 1000);
			if (!good)
				break;
			now = again;
		}
	}
	KTRXER_EXPECT(taken >= 10000 && taken <= 10000 + 2 * ktrxer_burst() + 10);
	/* What was not sent is there again. */
	now += NSEC_PER_SEC;
	taken = ktrxer_rate_take(5, now, &again);
	ktrxer_rate_return(taken);
	KTRXER_EXPECT(taken == 5 && ktrxer_rate_take(5, now, &again) == 5);
	/* Without a ceiling all is given. */
	ktrxer_rate_ceiling = 0;
	KTRXER_EXPECT(ktrxer_rate_take(1000000, now, &again) == 1000000);
	ktrxer_rate_reset();
	ktrxer_rate_ceiling = rate;
	return good;
}

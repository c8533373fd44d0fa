// SPDX-License-Identifier: GPL-2.0
/* Indices that a hostile user writes, judged against the kernel's own. */
#include "../ring.h"

#include "selftest.h"

bool ktrxer_selftest_ring(void)
{
	bool good = true;
	u32 shared;
	u32 base;

	KTRXER_EXPECT(ktrxer_ring_check(0, 1024) == -EINVAL);
	KTRXER_EXPECT(ktrxer_ring_check(1, 1024) == -EINVAL);
	KTRXER_EXPECT(ktrxer_ring_check(3, 1024) == -EINVAL);
	KTRXER_EXPECT(ktrxer_ring_check(U32_MAX, 1024) == -EINVAL);
	KTRXER_EXPECT(ktrxer_ring_check(2, 1024) == 0);
	KTRXER_EXPECT(ktrxer_ring_check(1024, 1024) == 0);
	KTRXER_EXPECT(ktrxer_ring_check(2048, 1024) == -E2BIG);
	KTRXER_EXPECT(ktrxer_ring_check(1U << 31, 1024) == -E2BIG);

	/* Everywhere on the number circle, where it closes above all. */
	for (base = U32_MAX - 5; base != 6; base++) {
		/* Known: base. Produced: base + 4. What lies between them is believed, and nothing else. */
		for (shared = base - 8; shared != base + 13; shared++) {
			bool between = shared - base <= 4;

			KTRXER_EXPECT(ktrxer_ring_consumed(&shared, base, base + 4) == (between ? shared : base));
		}
		shared = base + (1U << 31);
		KTRXER_EXPECT(ktrxer_ring_consumed(&shared, base, base + 4) == base);
		/* A ring in which nothing was produced: nothing can be consumed. */
		shared = base + 1;
		KTRXER_EXPECT(ktrxer_ring_consumed(&shared, base, base) == base);
	}
	return good;
}

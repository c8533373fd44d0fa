// SPDX-License-Identifier: MIT
/*
 * SO_TXTIME with the queueing discipline ETF, which has a card without launch times of its own send a little early. What has no
 * launch time it throws away: prio keeps that from it.
 */
/* The only clock that it takes. */
#define TXTIME_CLOCK CLOCK_TAI
#include "txtime.h"

/*
 * So early, ns: all frames alike, as intervals go. It throws away what comes to its turn later than its launch time, which
 * timers of a busy device would have it do if this were less.
 */
#define DELTA 300000

static inline void txtime_disciplines(const struct input *input)
{
	/* Interactive frames into the first band, others into the second. */
	struct tc_prio_qopt bands = { .bands = 3, .priomap = { 1, 1, 1, 1, 1, 1, [TXTIME_PRIORITY] = 0, 1, 1, 1, 1, 1, 1, 1, 1, 1 } };
	struct tc_etf_qopt options = { .delta = DELTA, .clockid = CLOCK_TAI };

	txtime_discipline(input, TC_H_ROOT, 0x10000, "prio", 0, &bands, sizeof(bands));
	txtime_discipline(input, 0x10001, 0x20000, "etf", TCA_ETF_PARMS, &options, sizeof(options));
}

// SPDX-License-Identifier: MIT
/* SO_TXTIME with the queueing discipline fq. */
#define TXTIME_CLOCK CLOCK_MONOTONIC
#include "txtime.h"

static inline void txtime_disciplines(const struct input *input)
{
	/* Packets of one flow; 100 would be too few for frames that are near to one another. */
	uint32_t flow_limit = 10000;

	txtime_discipline(input, TC_H_ROOT, 0, "fq", TCA_FQ_FLOW_PLIMIT, &flow_limit, sizeof(flow_limit));
}

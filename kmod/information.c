// SPDX-License-Identifier: GPL-2.0
/* What the loaded module is and allows. */
#include "information.h"

#include "parameters.h"
#include "version.h"

#include <linux/hrtimer.h>
#include <linux/string.h>
#include <linux/uaccess.h>

long ktrxer_information(struct ktrxer_info __user *argument, u32 timer_lead_ns)
{
	struct ktrxer_info info = {
		.abi = KTRXER_ABI,
		.version = KTRXER_VERSION,
		.most_entries = KTRXER_MOST_ENTRIES,
		.most_frame_bytes = KTRXER_MOST_FRAME_BYTES,
		.most_rules = KTRXER_MOST_RULES,
		.most_spin_ns = READ_ONCE(ktrxer_spin_ceiling_ns),
		.rate_ceiling = READ_ONCE(ktrxer_rate_ceiling),
		.burst_ceiling = ktrxer_burst(),
		.timer_lead_ns = timer_lead_ns,
		.timer_resolution_ns = hrtimer_resolution,
		.memory_bytes = ktrxer_memory_used(),
		.memory_ceiling = (u64)READ_ONCE(ktrxer_memory_ceiling_kib) << 10,
	};

	return copy_to_user(argument, &info, sizeof(info)) ? -EFAULT : 0;
}

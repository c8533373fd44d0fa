/* SPDX-License-Identifier: GPL-2.0 */
/* KTRXER_IOC_INFO, the same on both devices. */
#ifndef KTRXER_INFORMATION_H
#define KTRXER_INFORMATION_H

#include "uapi/ktrxer_uapi.h"

/* Fills in the user's structure. 0 or -EFAULT. */
long ktrxer_information(struct ktrxer_info __user *argument, u32 timer_lead_ns);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* What kernel versions call the wish for a hardware timestamp of a frame that is sent. */
#ifndef KTRXER_COMPAT_STAMP_H
#define KTRXER_COMPAT_STAMP_H

#include <linux/skbuff.h>

#ifdef SKBTX_HW_TSTAMP /* from 6.15 on a macro of two bits, one of which is BPF's */
#define COMPAT_HARDWARE_STAMP SKBTX_HW_TSTAMP_NOBPF
#else
#define COMPAT_HARDWARE_STAMP SKBTX_HW_TSTAMP
#endif

#endif

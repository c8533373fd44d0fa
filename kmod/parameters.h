/* SPDX-License-Identifier: GPL-2.0 */
/* The module's parameters, which only root sets, and the ceilings that they put on all files together. */
#ifndef KTRXER_PARAMETERS_H
#define KTRXER_PARAMETERS_H

#include <linux/types.h>

/* Bounds that no parameter moves. */
#define KTRXER_MOST_ENTRIES 16384U
#define KTRXER_MOST_FRAME_BYTES (16U << 20)
#define KTRXER_MOST_RULES 65536U

extern unsigned int ktrxer_spin_ceiling_ns;
extern unsigned int ktrxer_spin_share_percent;
extern unsigned int ktrxer_rate_ceiling;
extern unsigned int ktrxer_burst_ceiling;
extern unsigned int ktrxer_memory_ceiling_kib;
extern bool ktrxer_allow_management;
extern char *ktrxer_interrupt_drivers;
extern bool ktrxer_share_skbs;

/* Frames that may leave back to back: burst_ceiling, and never 0. */
unsigned int ktrxer_burst(void);

/*
 * Takes up to `wanted` frames from the allowance that rate_ceiling gives at `now`. Returns how many may leave; when
 * that is 0, *again says when to ask next.
 */
unsigned int ktrxer_rate_take(unsigned int wanted, u64 now, u64 *again);
/* Gives back what was taken and not sent. */
void ktrxer_rate_return(unsigned int unused);

/* Forgets what was saved up and when. */
void ktrxer_rate_reset(void);

/* Memory that files map, all together. 0 or -ENOBUFS. */
int ktrxer_memory_charge(size_t bytes);
void ktrxer_memory_uncharge(size_t bytes);
u64 ktrxer_memory_used(void);

/*
 * Memory of frames that wait or that rules keep, all together, bounded by the same ceiling once more. False: they hold
 * all that they may. Any context.
 */
bool ktrxer_frame_hold(u32 length);
/* The same for what is kept for frames to come: a quarter of the ceiling at most, frames have the rest. */
bool ktrxer_frame_keep(u32 length);
void ktrxer_frame_release(u32 length);
/* Of several, so many bytes long together. */
void ktrxer_frames_release(u32 count, u32 bytes);

#endif

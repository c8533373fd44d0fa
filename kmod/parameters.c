// SPDX-License-Identifier: GPL-2.0
/* Module parameters and the ceilings on all files together: rate, burst, memory. */
#include "parameters.h"

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/spinlock.h>
#include <linux/time.h>

unsigned int ktrxer_spin_ceiling_ns = 100000;
module_param_named(spin_ceiling_ns, ktrxer_spin_ceiling_ns, uint, 0600);
MODULE_PARM_DESC(spin_ceiling_ns, "longest spin before a launch, ns");

unsigned int ktrxer_spin_share_percent = 50;
module_param_named(spin_share_percent, ktrxer_spin_share_percent, uint, 0600);
MODULE_PARM_DESC(spin_share_percent, "how much of a processor's time all files together may spin, 100: all of it");

unsigned int ktrxer_rate_ceiling = 250000;
module_param_named(rate_ceiling, ktrxer_rate_ceiling, uint, 0600);
MODULE_PARM_DESC(rate_ceiling, "frames a second over all files, 0: no ceiling");

unsigned int ktrxer_burst_ceiling = 128;
module_param_named(burst_ceiling, ktrxer_burst_ceiling, uint, 0600);
MODULE_PARM_DESC(burst_ceiling, "frames that leave back to back before the system gets its turn");

unsigned int ktrxer_memory_ceiling_kib = 64 << 10;
module_param_named(memory_ceiling_kib, ktrxer_memory_ceiling_kib, uint, 0600);
MODULE_PARM_DESC(memory_ceiling_kib, "memory that all files map together, and as much again for frames that wait or that rules keep, KiB");

bool ktrxer_allow_management;
module_param_named(allow_management, ktrxer_allow_management, bool, 0600);
MODULE_PARM_DESC(allow_management, "allow rules that could cut off SSH and the web interface of this device");

char *ktrxer_interrupt_drivers = "e1000,pcnet32,virtio_net";
module_param_named(interrupt_drivers, ktrxer_interrupt_drivers, charp, 0400);
MODULE_PARM_DESC(interrupt_drivers, "drivers of network cards that may be called from the interrupts of timers, separated by commas");

bool ktrxer_share_skbs = true;
module_param_named(share_skbs, ktrxer_share_skbs, bool, 0600);
MODULE_PARM_DESC(share_skbs, "send the same skbs again when drivers that allow for it have given them up");

unsigned int ktrxer_burst(void)
{
	return max(READ_ONCE(ktrxer_burst_ceiling), 1U);
}

/*
 * A bucket that fills with time: `allowance` is the time, in ns, that has been saved up, of which a frame takes a
 * second divided by the rate. It never saves more than 10 ms or two bursts: a pause is not made good by a flood.
 */
static DEFINE_SPINLOCK(rate_lock);
static u64 allowance;
static u64 allowance_at;

unsigned int ktrxer_rate_take(unsigned int wanted, u64 now, u64 *again)
{
	unsigned int rate = READ_ONCE(ktrxer_rate_ceiling);
	unsigned int cost, taken;
	u64 most;

	if (!rate || !wanted)
		return wanted;
	cost = max_t(unsigned int, NSEC_PER_SEC / rate, 1);
	most = max_t(u64, 10 * NSEC_PER_MSEC, 2ULL * cost * ktrxer_burst());
	spin_lock_bh(&rate_lock);
	/* Time does not run backwards here, but processors may ask in another order than they read the clock. */
	if (now > allowance_at) {
		allowance = min(allowance + (now - allowance_at), most);
		allowance_at = now;
	}
	taken = min_t(u64, div_u64(allowance, cost), wanted);
	allowance -= (u64)taken * cost;
	if (!taken)
		*again = now + cost - allowance;
	spin_unlock_bh(&rate_lock);
	return taken;
}

void ktrxer_rate_return(unsigned int unused)
{
	unsigned int rate = READ_ONCE(ktrxer_rate_ceiling);

	if (!rate || !unused)
		return;
	spin_lock_bh(&rate_lock);
	allowance += (u64)unused * max_t(unsigned int, NSEC_PER_SEC / rate, 1);
	spin_unlock_bh(&rate_lock);
}

void ktrxer_rate_reset(void)
{
	spin_lock_bh(&rate_lock);
	allowance = 0;
	allowance_at = 0;
	spin_unlock_bh(&rate_lock);
}

static DEFINE_SPINLOCK(memory_lock);
static u64 memory_used;

int ktrxer_memory_charge(size_t bytes)
{
	u64 ceiling = (u64)READ_ONCE(ktrxer_memory_ceiling_kib) << 10;
	int result = 0;

	spin_lock(&memory_lock);
	if (bytes > ceiling || memory_used > ceiling - bytes)
		result = -ENOBUFS;
	else
		memory_used += bytes;
	spin_unlock(&memory_lock);
	return result;
}

void ktrxer_memory_uncharge(size_t bytes)
{
	spin_lock(&memory_lock);
	memory_used -= bytes;
	spin_unlock(&memory_lock);
}

u64 ktrxer_memory_used(void)
{
	u64 used;

	spin_lock(&memory_lock);
	used = memory_used;
	spin_unlock(&memory_lock);
	return used;
}

/* What an skb takes beside the frame's bytes, about. */
#define FRAME_OVERHEAD 1024U

static atomic_long_t frames_hold;

/* No frame is longer than that: whoever says so is refused, and holds no more meanwhile. */
static long frame_bytes(u32 length)
{
	return min_t(u32, length, U16_MAX) + FRAME_OVERHEAD;
}

static bool hold_below(u32 length, u64 ceiling)
{
	if ((u64)atomic_long_add_return(frame_bytes(length), &frames_hold) <= ceiling)
		return true;
	ktrxer_frame_release(length);
	return false;
}

bool ktrxer_frame_hold(u32 length)
{
	return hold_below(length, (u64)READ_ONCE(ktrxer_memory_ceiling_kib) << 10);
}

bool ktrxer_frame_keep(u32 length)
{
	return hold_below(length, ((u64)READ_ONCE(ktrxer_memory_ceiling_kib) << 10) / 4);
}

void ktrxer_frames_release(u32 count, u32 bytes)
{
	atomic_long_sub((long)count * FRAME_OVERHEAD + bytes, &frames_hold);
}

void ktrxer_frame_release(u32 length)
{
	atomic_long_sub(frame_bytes(length), &frames_hold);
}

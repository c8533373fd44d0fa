// SPDX-License-Identifier: GPL-2.0
/*
 * What waiting for instants may cost the system. Each wait is short, but files are many, and while a timer's callback
 * spins nothing else that is not an interrupt runs on its processor: all files together have spin_share_percent of it.
 * What is not used is saved up, as much as a train of launches needs that lie too near for timers.
 */
#include "xmit.h"

#include "parameters.h"

#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/percpu.h>

/*
 * Timers' callbacks that follow one another send and spin for so long, well below what makes the kernel put softirqs
 * off to a thread.
 */
#define SPELL_NS (500 * NSEC_PER_USEC)
/* Whoever comes so soon after another was not waited for by the system: it has had no turn between them. */
#define NO_TURN_NS (10 * NSEC_PER_USEC)
#define MOST_SAVED_NS (5 * NSEC_PER_MSEC)

struct spinning {
	s64 saved; /* ns that may be spun; negative: spun in advance */
	u64 at; /* when that was reckoned */
	const struct ktx *last; /* whose callback was the last; only compared */
	u64 last_end;
	u64 spell_end;
};

static DEFINE_PER_CPU(struct spinning, spinning);

/* The same for interrupts, apart: one may come in the middle of what is done to the other. Only `saved` and `at`. */
static DEFINE_PER_CPU(struct spinning, interrupts);

void ktx_spin_reckon(s64 *saved, u64 *at, u64 now)
{
	unsigned int share = min(READ_ONCE(ktrxer_spin_share_percent), 100U);

	/* Processors may ask in another order than they read the clock. */
	if (now <= *at)
		return;
	/* Longer than it takes to save all that can be saved. */
	*saved = min_t(s64, *saved + div_u64(min_t(u64, now - *at, NSEC_PER_SEC) * share, 100), MOST_SAVED_NS);
	*at = now;
}

u64 ktx_spin_begin(const struct ktx *ktx, u64 now)
{
	struct spinning *here = this_cpu_ptr(&spinning);

	if (here->last == ktx || now > here->last_end + NO_TURN_NS)
		here->spell_end = now + SPELL_NS;
	return here->spell_end;
}

void ktx_spin_end(const struct ktx *ktx, u64 now)
{
	struct spinning *here = this_cpu_ptr(&spinning);

	here->last = ktx;
	here->last_end = now;
}

static bool is_allowed(struct spinning *here, u64 now)
{
	ktx_spin_reckon(&here->saved, &here->at, now);
	return here->saved > 0;
}

bool ktx_spin_allowed(u64 now)
{
	return is_allowed(this_cpu_ptr(&spinning), now);
}

bool ktx_spin_interrupt_allowed(u64 now)
{
	return is_allowed(this_cpu_ptr(&interrupts), now);
}

void ktx_spin_interrupt_charge(u64 spun)
{
	this_cpu_sub(interrupts.saved, spun);
}

void ktx_spin_charge(u64 spun)
{
	struct spinning *here = this_cpu_ptr(&spinning);

	/* A long wait of one file's is no reason for all of them to go without for longer than it was saved for. */
	here->saved = max_t(s64, here->saved - (s64)spun, -(s64)MOST_SAVED_NS);
}

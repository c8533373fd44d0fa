/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of arithmetic that is hard to reach from outside, run when a debug build is loaded; one that fails makes the
 * loading fail. `make module-debug` builds them in.
 */
#ifndef KTRXER_SELFTEST_H
#define KTRXER_SELFTEST_H

#include <linux/printk.h>
#include <linux/types.h>

#ifdef KTRXER_SELFTEST
/* All of them; says which failed. */
bool ktrxer_selftest(void);
#else
static inline bool ktrxer_selftest(void)
{
	return true;
}
#endif

bool ktrxer_selftest_ring(void);
bool ktrxer_selftest_rate(void);
bool ktrxer_selftest_waiting(void);
bool ktrxer_selftest_spin(void);

/* In a function with a bool `good`: says what is not so, and goes on. */
#define KTRXER_EXPECT(condition)                                                     \
	do {                                                                         \
		if (!(condition)) {                                                  \
			pr_err("ktrxer: self-test %s: not %s\n", __func__, #condition); \
			good = false;                                                \
		}                                                                    \
	} while (0)

#endif

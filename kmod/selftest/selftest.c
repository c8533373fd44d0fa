// SPDX-License-Identifier: GPL-2.0
/* Runs the self-tests. */
#include "selftest.h"

#include <linux/kernel.h>

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "ring", ktrxer_selftest_ring },
	{ "rate", ktrxer_selftest_rate },
	{ "waiting", ktrxer_selftest_waiting },
	{ "spin", ktrxer_selftest_spin },
};

bool ktrxer_selftest(void)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		bool passed = tests[i].run();

		pr_info("ktrxer: self-test %s: %s\n", tests[i].name, passed ? "pass" : "FAIL");
		good &= passed;
	}
	return good;
}

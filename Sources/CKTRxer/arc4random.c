/* SPDX-License-Identifier: MIT */
/*
 * What Embedded Swift's runtime asks of a C library beside what POSIX has, and musl does not give: the seed of its hash
 * tables. A program that is linked without --gc-sections keeps the reference, whether it is used or not. Not part of the
 * host build, whose C library has its own.
 */
#include "sys_process.h"

#include <stddef.h>

void arc4random_buf(void *bytes, size_t count)
{
	ktrxer_random(bytes, (uint32_t)count);
}

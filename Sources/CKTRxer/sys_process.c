/* SPDX-License-Identifier: MIT */
#include "sys_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "bionic.h"

void ktrxer_exit(int32_t status)
{
	_exit(status);
}

/* Linux 5.6; earlier kernels answer -EINVAL. */
#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

/* Before the kernel has gathered randomness, soon after boot: tokens need only differ, they are no secret. */
static uint64_t improvised(uint64_t state)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state += ((uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec) + 0x9E3779B97F4A7C15u;
	clock_gettime(CLOCK_REALTIME, &now);
	state ^= (uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid() << 40;
	/* splitmix64 (Steele, Lea, Flood 2014) spreads the few bits that differ. */
	state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9u;
	state = (state ^ state >> 27) * 0x94D049BB133111EBu;
	return state ^ state >> 31;
}

void ktrxer_random(void *bytes, uint32_t count)
{
	uint8_t *cursor = bytes;
	unsigned int flags = GRND_INSECURE;
	uint64_t state = 0;

	while (count) {
		ssize_t done = getrandom(cursor, count, flags);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EINVAL && flags == GRND_INSECURE) {
				flags = GRND_NONBLOCK;
				continue;
			}
			break;
		}
		cursor += done;
		count -= (uint32_t)done;
	}
	while (count) {
		state = improvised(state);
		*cursor++ = (uint8_t)state;
		count--;
	}
}

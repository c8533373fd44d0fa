/* SPDX-License-Identifier: MIT */
#include "sys_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int32_t ktrxer_write_all(int32_t descriptor, const void *bytes, uint32_t count)
{
	const char *cursor = bytes;

	while (count) {
		ssize_t done = write(descriptor, cursor, count);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		cursor += done;
		count -= (uint32_t)done;
	}
	return 0;
}

void ktrxer_exit(int32_t status)
{
	_exit(status);
}

void ktrxer_random(void *bytes, uint32_t count)
{
	uint8_t *cursor = bytes;

	while (count) {
		ssize_t done = getrandom(cursor, count, 0);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		cursor += done;
		count -= (uint32_t)done;
	}
	/* A kernel older than 3.17: tokens need only differ, they are no secret. */
	while (count) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		*cursor++ = (uint8_t)(now.tv_nsec ^ (now.tv_nsec >> 8) ^ getpid() ^ count);
		count--;
	}
}

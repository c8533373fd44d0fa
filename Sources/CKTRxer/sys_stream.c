/* SPDX-License-Identifier: MIT */
#include "sys_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys_signal.h"

/* Signals that are handled are blocked, and interrupt no waiting: they are looked for this often, ms. */
#define SLICE 100
#define STOPPING 1000

/* Bit N: the reader of descriptor N was too slow. */
static uint32_t slow;

static int signal_pending(void)
{
	sigset_t pending;

	return !sigpending(&pending) && (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) ||
					 sigismember(&pending, SIGHUP));
}

/* Until it takes something, or fails: 0, or the error. `left`, ms, is used up; below 0: as long as it takes. */
static int wait_for_room(int descriptor, int *left)
{
	for (;;) {
		int slice = *left < 0 || *left > SLICE ? SLICE : *left;
		struct pollfd room = { .fd = descriptor, .events = POLLOUT };
		int result = poll(&room, 1, slice);

		if (result > 0)
			return 0;
		if (result < 0 && errno != EINTR)
			return errno;
		if (*left < 0) {
			if (signal_pending())
				return EINTR;
		} else {
			*left -= slice;
			if (!*left)
				return EAGAIN;
		}
	}
}

int64_t ktrxer_stream_write(int32_t descriptor, const void *bytes, uint32_t count, int64_t timeout)
{
	uint32_t bit = descriptor < 32 ? 1u << descriptor : 0;
	int left = timeout < 0 ? ktrxer_signal_stopped() ? STOPPING : -1 : (int)(timeout / 1000000);
	uint32_t have = 0;
	struct stat kind;
	/* What has room takes so much without waiting. A file takes a record whole, whoever else writes to it. */
	uint32_t most = !fstat(descriptor, &kind) && S_ISREG(kind.st_mode) ? UINT32_MAX : PIPE_BUF;
	int error = 0;

	if ((slow & bit) && left > 0)
		left = 0;
	while (have < count) {
		ssize_t done;

		error = wait_for_room(descriptor, &left);
		if (error)
			break;
		done = write(descriptor, (const char *)bytes + have, count - have < most ? count - have : most);
		if (done >= 0) {
			have += (uint32_t)done;
			continue;
		}
		error = errno;
		if (error != EINTR && error != EAGAIN)
			break;
		/* Others may have taken the room. */
		if (error == EAGAIN && left >= 0 && (left -= SLICE) <= 0)
			break;
		if (error == EAGAIN)
			poll(NULL, 0, SLICE);
	}
	slow = error == EAGAIN && have < count ? slow | bit : slow & ~bit;
	return have || !count ? (int64_t)have : -error;
}

void ktrxer_stream_open_standard(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", O_RDWR);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor >= 0)
		close(descriptor);
}

/* SPDX-License-Identifier: MIT */
/* What user space does to be on time: real-time priority, memory that is there, and sleep until an instant. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "sockets.h"

#include <sched.h>
#include <sys/mman.h>
#include <time.h>

static inline void schedule_open(void)
{
	struct sched_param priority = { .sched_priority = 50 };

	if (mlockall(MCL_CURRENT | MCL_FUTURE) || sched_setscheduler(0, SCHED_FIFO, &priority))
		fail("SCHED_FIFO");
}

static inline void sleep_until(uint64_t instant)
{
	struct timespec until = { .tv_sec = instant / 1000000000, .tv_nsec = instant % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Sleeps until each frame's launch time, and sends it then: all of a frame from so many bytes on. */
static inline void nanosleep_train(const struct input *input, int fd, unsigned int headers)
{
	for (unsigned int i = 0; i < input->count; i++) {
		sleep_until(input->start + i * input->gap);
		/*
		 * Where a queue is full the frame is lost. Asking again at once would keep the processor, at this priority,
		 * from whoever empties it.
		 */
		if (send(fd, input_frame(input, i) + headers, input->length - headers, 0) < 0 && errno != ENOBUFS && errno != EAGAIN)
			fail("send");
	}
}

#endif

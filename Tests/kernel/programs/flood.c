/* SPDX-License-Identifier: MIT */
/*
 * Submits frames endlessly, by so many files of a process of its own each, until it is killed; or for so many
 * milliseconds, and then prints what the files' statistics say, one JSON object each.
 *
 *	flood INTERFACE FILES MILLISECONDS now|timed [GAP]
 *
 * Timed frames are GAP us apart, or 20: too near for a timer each.
 */
#include "device.h"

#include <sys/wait.h>

#define ENTRIES 1024

static void flood(const char *interface, unsigned long long end, unsigned int gap)
{
	struct sender sender = sender_open(interface, ENTRIES, 65536);
	struct ktx_statistics statistics;
	unsigned long long begin = monotonic();
	unsigned int calls = 0;

	while (monotonic() < end) {
		unsigned int room = ENTRIES - (sender.header->submission_producer - sender.header->submission_consumer);
		struct pollfd polled = { .fd = sender.fd, .events = POLLIN };

		sender_drain(&sender);
		if (room)
			sender_queue(&sender, room, 100, gap ? 50000 : 0, gap * 1000, 0);
		if (sender_submit(&sender) < 0)
			poll(&polled, 1, 10);
		calls++;
	}
	ioctl(sender.fd, KTX_IOC_STATISTICS, &statistics);
	printf("{\"sent\": %llu, \"failed\": %llu, \"spin\": %llu, \"wakes\": %llu, \"held_back\": %llu, \"calls\": %u, \"time\": %llu}\n",
	       (unsigned long long)statistics.sent, (unsigned long long)statistics.failed, (unsigned long long)statistics.spin_ns,
	       (unsigned long long)statistics.timer_wakes, (unsigned long long)statistics.held_back, calls, monotonic() - begin);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long long end;
	unsigned int gap = 0;

	if (argc != 5 && argc != 6)
		return 64;
	if (argv[4][0] == 't')
		gap = argc == 6 ? atoi(argv[5]) : 20;
	end = monotonic() + atoi(argv[3]) * 1000000ULL;
	for (int i = 0; i < atoi(argv[2]); i++) {
		if (fork())
			continue;
		flood(argv[1], end, gap);
		return 0;
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

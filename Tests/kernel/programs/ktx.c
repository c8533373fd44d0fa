/* SPDX-License-Identifier: MIT */
/*
 * Sends UDP frames through /dev/ktx and prints one JSON object for each completion, then one with the statistics.
 * What the tests of sending are made of; speaks to the module directly, without the library.
 *
 *	ktx -i INTERFACE [options]
 */
#include "ktrxer_uapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned int interface, count, length, flags, attempts, retry, spin, queue, frame_queue, wait, entries, cancel, group, stride, stamp, quit;
	unsigned long long start, gap;
	unsigned char to[6], from[6];
	struct in_addr source, destination;
	int port, order, hold;
} option = {
	.count = 1,
	.length = 100,
	.queue = KTX_QUEUE_ANY,
	.wait = 1000,
	.entries = 1024,
	.to = { 255, 255, 255, 255, 255, 255 },
	.from = { 2, 0, 0, 0, 0, 1 },
	.port = 9,
};

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void fail(const char *what)
{
	printf("{\"error\": \"%s\", \"errno\": %d}\n", what, errno);
	exit(1);
}

static unsigned int sum(const unsigned char *bytes, unsigned int length)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < length; i += 2)
		total += bytes[i] << 8 | (i + 1 < length ? bytes[i + 1] : 0);
	while (total >> 16)
		total = (total & 0xFFFF) + (total >> 16);
	return total;
}

/* An Ethernet frame, or a bare IP packet where the link has no header, with `number` in its payload. */
static void build(unsigned char *frame, unsigned int link, unsigned int length, unsigned int number)
{
	unsigned char *ip = frame + link;
	unsigned int total = length - link;
	unsigned int check;

	memset(frame, 0, length);
	if (link >= 14) {
		memcpy(frame, option.to, 6);
		memcpy(frame + 6, option.from, 6);
		frame[12] = 8;
	}
	if (total < 32)
		return;
	ip[0] = 0x45;
	ip[2] = total >> 8;
	ip[3] = total;
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, &option.source, 4);
	memcpy(ip + 16, &option.destination, 4);
	check = ~sum(ip, 20);
	ip[10] = check >> 8;
	ip[11] = check;
	ip[20] = 0x80;
	ip[22] = option.port >> 8;
	ip[23] = option.port;
	ip[24] = (total - 20) >> 8;
	ip[25] = total - 20;
	for (int i = 0; i < 4; i++)
		ip[28 + i] = number >> (24 - 8 * i);
}

static void parse(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "i:n:l:s:g:f:a:r:S:q:u:w:e:c:G:m:M:A:B:p:oh:t:Q:")) != -1) {
		unsigned char *mac = letter == 'm' ? option.to : option.from;
		unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (letter) {
		case 'i': option.interface = if_nametoindex(optarg) ?: number; break;
		case 'n': option.count = number; break;
		case 'l': option.length = number; break;
		case 's': option.start = number; break; /* ns from now; 0: now */
		case 'g': option.gap = number; break; /* ns */
		case 'f': option.flags = number; break;
		case 'a': option.attempts = number; break;
		case 'r': option.retry = number; break;
		case 'S': option.spin = number; break;
		case 'q': option.queue = number; break;
		case 'u': option.frame_queue = number; break; /* of each frame, with KTX_FRAME_QUEUE */
		case 'w': option.wait = number; break; /* ms without a completion */
		case 'e': option.entries = number; break;
		case 'c': option.cancel = number; break; /* ms after submission */
		case 'G': option.group = number; break; /* descriptors a submit call */
		case 'm':
		case 'M':
			sscanf(optarg, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5);
			break;
		case 'A': inet_aton(optarg, &option.source); break;
		case 'B': inet_aton(optarg, &option.destination); break;
		case 'p': option.port = number; break;
		case 't': option.stamp = number; break; /* a hardware timestamp for each so many-th frame */
		case 'Q': option.quit = number; break; /* ms after submission: ends without a look at completions */
		case 'o': option.order = 1; break; /* launch times in reverse */
		case 'h': option.hold = number; break; /* ms between bind and submission */
		default: exit(64);
		}
	}
}

int main(int argc, char **argv)
{
	struct ktx_bind bind = { 0 };
	struct ktx_statistics statistics;
	struct ktx_header *header;
	struct ktx_descriptor *descriptors;
	struct ktx_completion *completions;
	unsigned char *map;
	unsigned int seen = 0, given = 0, stride;
	unsigned long long start;
	int fd;

	parse(argc, argv);
	fd = open("/dev/ktx", O_RDWR);
	if (fd < 0)
		fail("open");
	/* Powers of two: a frame that straddles no pages is one piece less for a device that gathers. */
	for (stride = 64; stride < option.length && stride < 65536; stride *= 2)
		;
	bind.interface_index = option.interface;
	bind.submission_entries = bind.completion_entries = option.entries;
	bind.frame_bytes = option.entries * stride > 1 << 20 ? 1 << 20 : option.entries * stride;
	bind.queue = option.queue;
	bind.attempts = option.attempts;
	bind.retry_ns = option.retry;
	bind.spin_ns = option.spin;
	if (ioctl(fd, KTX_IOC_BIND, &bind))
		fail("bind");
	map = mmap(NULL, bind.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	header = (void *)(map + bind.header_offset);
	descriptors = (void *)(map + bind.submission_offset);
	completions = (void *)(map + bind.completion_offset);
	if (option.hold)
		usleep(option.hold * 1000);
	start = now() + option.start;
	while (seen < option.count) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		unsigned int produced, before = seen;

		while (given < option.count && given - header->submission_consumer < option.entries) {
			struct ktx_descriptor *descriptor = &descriptors[given & (option.entries - 1)];
			unsigned int slots = bind.frame_bytes / stride;
			unsigned int offset = given % slots * stride;
			unsigned int place = option.order ? option.count - 1 - given : given;

			if (option.length >= bind.link_header && option.length <= bind.longest_frame)
				build(map + bind.frame_offset + offset, bind.link_header, option.length, given);
			*descriptor = (struct ktx_descriptor){
				.launch_ns = option.start || option.gap ? start + place * option.gap : 0,
				.cookie = given,
				.frame_offset = offset,
				.frame_length = option.length,
				.flags = option.flags | (option.stamp && given % option.stamp == 0 ? KTX_FRAME_STAMP : 0),
				.queue = option.frame_queue,
			};
			given++;
			__atomic_store_n(&header->submission_producer, given, __ATOMIC_RELEASE);
		}
		if (header->submission_consumer != given && ioctl(fd, KTX_IOC_SUBMIT, option.group) < 0 && errno != EAGAIN)
			fail("submit");
		if (option.quit) {
			usleep(option.quit * 1000);
			printf("{\"left\": %u}\n", header->completion_producer);
			break;
		}
		if (option.cancel) {
			usleep(option.cancel * 1000);
			printf("{\"cancelled\": %d}\n", ioctl(fd, KTX_IOC_CANCEL, NULL));
			option.cancel = 0;
		}
		produced = __atomic_load_n(&header->completion_producer, __ATOMIC_ACQUIRE);
		for (; header->completion_consumer != produced; seen++) {
			struct ktx_completion *done = &completions[header->completion_consumer & (option.entries - 1)];

			printf("{\"cookie\": %llu, \"launch\": %llu, \"sent\": %llu, \"status\": %u, \"flags\": %u, "
			       "\"attempts\": %u, \"length\": %u, \"hardware\": %llu, \"seen\": %llu}\n",
			       (unsigned long long)done->cookie, (unsigned long long)done->launch_ns,
			       (unsigned long long)done->sent_ns, done->status, done->flags, done->attempts, done->length,
			       (unsigned long long)done->hardware_ns, now());
			__atomic_store_n(&header->completion_consumer, header->completion_consumer + 1, __ATOMIC_RELEASE);
		}
		if (given < option.count && given - header->submission_consumer < option.entries)
			continue;
		/* There was no room for all, and now there is. */
		if (header->submission_consumer != given && seen != before)
			continue;
		if (seen < option.count && poll(&wait, 1, option.wait) <= 0) {
			printf("{\"missing\": %u}\n", option.count - seen);
			break;
		}
	}
	if (ioctl(fd, KTX_IOC_STATISTICS, &statistics))
		fail("statistics");
	printf("{\"submitted\": %llu, \"sent_frames\": %llu, \"failed\": %llu, \"retries\": %llu, \"timer_wakes\": %llu, "
	       "\"spin\": %llu, \"held_back\": %llu, \"lead\": %u, \"lateness_least\": %u, \"lateness_most\": %u, "
	       "\"referenced\": %u, \"device_flags\": %u, \"link_header\": %u, \"longest_frame\": %u}\n",
	       (unsigned long long)statistics.submitted, (unsigned long long)statistics.sent,
	       (unsigned long long)statistics.failed, (unsigned long long)statistics.retries,
	       (unsigned long long)statistics.timer_wakes, (unsigned long long)statistics.spin_ns,
	       (unsigned long long)statistics.held_back, statistics.lead_ns, statistics.lateness_least_ns,
	       statistics.lateness_most_ns, header->referenced, bind.device_flags, bind.link_header, bind.longest_frame);
	return seen < option.count;
}

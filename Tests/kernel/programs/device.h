/* SPDX-License-Identifier: MIT */
/* What the hostile programs share: opening, binding and mapping the devices without the library. */
#ifndef DEVICE_H
#define DEVICE_H

#include "ktrxer_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A bound and mapped /dev/ktx. */
struct sender {
	int fd;
	struct ktx_bind bind;
	unsigned char *map, *frames;
	struct ktx_header *header;
	struct ktx_descriptor *descriptors;
	struct ktx_completion *completions;
};

/* A /dev/krx that is set up and mapped. */
struct capturer {
	int fd;
	struct krx_setup setup;
	unsigned char *map;
	struct krx_header *header;
};

static inline void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline unsigned long long monotonic(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* The same numbers from the same seed everywhere. */
static inline unsigned long long random_number(unsigned long long *state)
{
	/* SplitMix64: a counter that is mixed, so that seeds that differ by one have nothing in common. */
	unsigned long long mixed = *state += 0x9E3779B97F4A7C15ULL;

	mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9ULL;
	mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBULL;
	return mixed ^ mixed >> 31;
}

static inline struct ktx_bind binding(const char *interface, unsigned int entries, unsigned int frame_bytes)
{
	return (struct ktx_bind){
		.interface_index = if_nametoindex(interface),
		.submission_entries = entries,
		.completion_entries = entries,
		.frame_bytes = frame_bytes,
		.queue = KTX_QUEUE_ANY,
	};
}

/* Maps a bound file anew, somewhere else. */
static inline int sender_map(struct sender *sender)
{
	sender->map = mmap(NULL, sender->bind.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, sender->fd, 0);
	if (sender->map == MAP_FAILED)
		return -1;
	sender->header = (void *)(sender->map + sender->bind.header_offset);
	sender->descriptors = (void *)(sender->map + sender->bind.submission_offset);
	sender->completions = (void *)(sender->map + sender->bind.completion_offset);
	sender->frames = sender->map + sender->bind.frame_offset;
	return 0;
}

/* Binds an open file and maps it; -1 and errno if one of them fails. */
static inline int sender_bind(struct sender *sender, int fd, const struct ktx_bind *bind)
{
	sender->fd = fd;
	sender->bind = *bind;
	return ioctl(fd, KTX_IOC_BIND, &sender->bind) ? -1 : sender_map(sender);
}

static inline struct sender sender_open(const char *interface, unsigned int entries, unsigned int frame_bytes)
{
	struct ktx_bind bind = binding(interface, entries, frame_bytes);
	struct sender sender;
	int fd = open("/dev/ktx", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open");
	if (sender_bind(&sender, fd, &bind))
		die("bind");
	return sender;
}

static inline void sender_close(struct sender *sender)
{
	munmap(sender->map, sender->bind.map_bytes);
	close(sender->fd);
}

/* Queues `count` frames, the first `start` ns from now (0: for now), `gap` ns apart; to the void, from nobody. */
static inline void sender_queue(struct sender *sender, unsigned int count, unsigned int length,
				unsigned long long start, unsigned long long gap, unsigned int flags)
{
	unsigned int producer = sender->header->submission_producer;
	unsigned long long first = start ? monotonic() + start : 0;

	memset(sender->frames, 0, length);
	memcpy(sender->frames, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	for (unsigned int i = 0; i < count; i++, producer++)
		sender->descriptors[producer & (sender->bind.submission_entries - 1)] = (struct ktx_descriptor){
			.launch_ns = first ? first + i * gap : 0,
			.cookie = producer,
			.frame_length = length,
			.flags = flags,
		};
	__atomic_store_n(&sender->header->submission_producer, producer, __ATOMIC_RELEASE);
}

static inline int sender_submit(struct sender *sender)
{
	return ioctl(sender->fd, KTX_IOC_SUBMIT, 0);
}

/* Reads all completions that are there; returns how many. */
static inline unsigned int sender_drain(struct sender *sender)
{
	unsigned int producer = __atomic_load_n(&sender->header->completion_producer, __ATOMIC_ACQUIRE);
	unsigned int count = producer - sender->header->completion_consumer;

	__atomic_store_n(&sender->header->completion_consumer, producer, __ATOMIC_RELEASE);
	return count;
}

static inline int capturer_setup(struct capturer *capturer, int fd, unsigned int slots, unsigned int slot_bytes)
{
	capturer->fd = fd;
	capturer->setup = (struct krx_setup){ .slots = slots, .slot_bytes = slot_bytes };
	if (ioctl(fd, KRX_IOC_SETUP, &capturer->setup))
		return -1;
	capturer->map = mmap(NULL, capturer->setup.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (capturer->map == MAP_FAILED)
		return -1;
	capturer->header = (void *)(capturer->map + capturer->setup.header_offset);
	return 0;
}

static inline struct capturer capturer_open(unsigned int slots, unsigned int slot_bytes)
{
	struct capturer capturer;
	int fd = open("/dev/krx", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open krx");
	if (capturer_setup(&capturer, fd, slots, slot_bytes))
		die("setup");
	return capturer;
}

/* UDP to port 9, which has a destination that no machine of the tests has. */
static inline struct krx_rule plain_rule(unsigned int id, unsigned int operation)
{
	return (struct krx_rule){
		.id = id,
		.match = KRX_MATCH_PROTOCOL | KRX_MATCH_DESTINATION_PORT | KRX_MATCH_DESTINATION,
		.family = 4,
		.operation = operation,
		.protocol = 17,
		.destination = { 198, 51, 100, 1 },
		.destination_prefix = 32,
		.destination_port_first = 9,
		.destination_port_last = 9,
	};
}

#endif

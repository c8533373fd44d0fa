/* SPDX-License-Identifier: MIT */
/*
 * Submits descriptors while other threads rewrite them, the frames and the indices, with values that are wrong in every
 * way; then checks that each descriptor that was taken has had exactly one completion, and that the file still works.
 *
 *	rewrite INTERFACE SEED FRAMES [indices]
 *
 * With `indices` the user's indices are rewritten too, so that completions are overwritten by the user's own will: then
 * only the counts of the kernel are compared.
 */
#include "device.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#define ENTRIES 64
#define FRAME_BYTES 8192

static struct sender sender;
static unsigned long long seed;
static int indices;
static volatile int over;
static unsigned int wanted;
static unsigned int taken; /* by both submitters, counting round */
static unsigned int rewrites; /* by all rewriters, in batches */

static unsigned int a_length(unsigned long long number)
{
	static const unsigned int lengths[] = { 0, 13, 14, 60, 128, 129, 256, 257, 1400, 1518, 1519, 65535, 65536, -1U };

	return number & 1 ? lengths[(number >> 1) % 14] : 60 + (number >> 1) % 1400;
}

/* One value in four may be anything at all: of the frames some are to be sent, or there is nothing to be mixed up. */
static void rewrite_descriptor(unsigned long long *state)
{
	struct ktx_descriptor *descriptor = &sender.descriptors[random_number(state) % ENTRIES];
	unsigned long long number = random_number(state);
	int wild = random_number(state) % 4 == 0;

	switch (random_number(state) % 7) {
	case 0: descriptor->frame_length = wild ? a_length(number) : 60 + number % 1400; break;
	case 1: descriptor->frame_offset = wild ? number : number % FRAME_BYTES; break;
	/* A stamp is asked for seldom: until it is given up the completion keeps its room. */
	case 2: descriptor->flags = wild && number & 16 ? number : number & (wild ? KTX_FRAME_FLAGS : KTX_FRAME_FLAGS & ~KTX_FRAME_STAMP); break;
	case 3: descriptor->launch_ns = !wild ? 0 : number & 1 ? number << 20 : monotonic() + number % 3000000; break;
	case 4: descriptor->queue = wild ? number : 0; break;
	case 5: descriptor->reserved = wild ? number : 0; break;
	case 6: descriptor->cookie = number; break;
	}
}

static void rewrite_index(unsigned long long *state)
{
	unsigned int *index = (unsigned int *)sender.header + random_number(state) % 32;
	unsigned int known = random_number(state) & 1 ? sender.header->submission_consumer : sender.header->completion_producer;
	static const int steps[] = { 0, 1, -1, ENTRIES, ENTRIES + 1, -ENTRIES, 0x7FFFFFFF, 0x40000000 };
	unsigned long long number = random_number(state) >> 8;

	__atomic_store_n(index, number & 8 ? number >> 10 : known + steps[number & 7], __ATOMIC_RELAXED);
}

static void *rewriting(void *argument)
{
	unsigned long long state = seed * 77 + (uintptr_t)argument;

	while (!over) {
		for (int i = 0; i < 50; i++) {
			rewrite_descriptor(&state);
			sender.frames[random_number(&state) % FRAME_BYTES] = state;
			if (indices)
				rewrite_index(&state);
		}
		__atomic_fetch_add(&rewrites, 1, __ATOMIC_RELAXED);
		/* On one processor the others would have to wait for the end of the time slice. */
		sched_yield();
	}
	return NULL;
}

/*
 * Two threads submit at once, and never twice with nothing rewritten in between. They sleep, since virtual time stands
 * still for those who turn in circles. The second makes sure that there is something to take and room for what becomes
 * of it.
 */
static void *submitting(void *argument)
{
	unsigned long long state = seed + (uintptr_t)argument;

	while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < wanted) {
		unsigned int before = __atomic_load_n(&rewrites, __ATOMIC_RELAXED);
		long result;

		while (__atomic_load_n(&rewrites, __ATOMIC_RELAXED) == before)
			usleep(50);
		if (argument) {
			unsigned int consumer = __atomic_load_n(&taken, __ATOMIC_RELAXED);

			if (indices)
				__atomic_store_n(&sender.header->completion_consumer, consumer - random_number(&state) % 4,
						 __ATOMIC_RELEASE);
			else
				sender_drain(&sender);
			__atomic_store_n(&sender.header->submission_producer, consumer + random_number(&state) % (ENTRIES + 1),
					 __ATOMIC_RELEASE);
		}
		result = ioctl(sender.fd, KTX_IOC_SUBMIT, random_number(&state) % 100);
		if (result > 0)
			__atomic_fetch_add(&taken, result, __ATOMIC_RELAXED);
		if (result > ENTRIES)
			printf("%ld descriptors taken at once\n", result);
		if (random_number(&state) % 8 == 0)
			ioctl(sender.fd, KTX_IOC_CANCEL, NULL);
		usleep(50);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct ktx_statistics statistics;
	pthread_t writers[3], submitters[2];
	unsigned int failures = 0;

	if (argc < 4)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = strtoull(argv[2], NULL, 0) * 2654435761U + 1;
	indices = argc > 4;
	sender = sender_open(argv[1], ENTRIES, FRAME_BYTES);
	wanted = atoi(argv[3]);
	for (int i = 0; i < ENTRIES; i++)
		sender.descriptors[i].frame_length = 60;
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&writers[i], NULL, rewriting, (void *)i);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&submitters[i], NULL, submitting, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(submitters[i], NULL);
	over = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	ioctl(sender.fd, KTX_IOC_CANCEL, NULL);
	/* Completions may still be kept for a stamp that the device could give. */
	for (int i = 0; i < 1000 && sender.header->scheduled; i++)
		usleep(1000);
	if (ioctl(sender.fd, KTX_IOC_STATISTICS, &statistics))
		die("statistics");
	if (statistics.submitted != taken)
		failures++, printf("%llu submitted instead of %u\n", (unsigned long long)statistics.submitted, taken);
	if (statistics.sent + statistics.failed != taken)
		failures++, printf("%llu completed instead of %u\n", (unsigned long long)(statistics.sent + statistics.failed), taken);
	if (!indices && sender.header->completion_producer != taken)
		failures++, printf("%u completions for %u frames\n", sender.header->completion_producer, taken);

	/* The file does its work all the same once its owner behaves. The kernel counts from 0: where it is, is known. */
	sender.header->completion_consumer = taken;
	sender.header->submission_producer = taken;
	sender_queue(&sender, 1, 60, 0, 0, 0);
	if (sender_submit(&sender) != 1)
		failures++, printf("nothing is taken any more: %s\n", strerror(errno));
	else if (sender.header->completion_producer != taken + 1 || sender.header->submission_consumer != taken + 1)
		failures++, printf("the kernel has lost count\n");
	else if (sender.completions[taken & (ENTRIES - 1)].status != KTX_SENT)
		failures++, printf("nothing is sent any more\n");
	printf("%u taken, %llu sent, %llu failed\n", taken, (unsigned long long)statistics.sent,
	       (unsigned long long)statistics.failed);
	return failures != 0;
}

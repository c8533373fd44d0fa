// SPDX-License-Identifier: MIT
/*
 * Frames through /dev/ktx, built in the area that is mapped, and submitted together. They are copied ahead of their launch
 * (KTX_FRAME_COPY), or with -DBY_REFERENCE left where they are, if they are long and the card gathers.
 */
#include "input.h"
#include "ktrxer_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef BY_REFERENCE
#define BY_REFERENCE 0
#endif

#define ENTRIES 1024U
/* A frame area is no larger. */
#define MOST_BYTES (16U << 20)

static int fd;
static unsigned char *area;
static struct ktx_header *header;
static struct ktx_descriptor *descriptors;

void method_open(struct input *input)
{
	struct ktx_bind bind = {
		.interface_index = input->interface_index,
		.submission_entries = ENTRIES,
		.completion_entries = ENTRIES,
		.queue = KTX_QUEUE_ANY,
	};
	unsigned char *map;

	input->stride = input->longest <= 256 ? 256 : (input->longest + 63) & ~63U;
	/* A frame that straddles no page is one piece less for a device that gathers: two to a page, if there is room. */
	if (BY_REFERENCE && input->stride > 256 && input->pieces <= MOST_BYTES / 2048)
		input->stride = 2048;
	bind.frame_bytes = input->pieces * input->stride;
	fd = open("/dev/ktx", O_RDWR);
	if (fd < 0 || ioctl(fd, KTX_IOC_BIND, &bind))
		fail("/dev/ktx");
	map = mmap(NULL, bind.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	header = (void *)(map + bind.header_offset);
	descriptors = (void *)(map + bind.submission_offset);
	area = input->frames = map + bind.frame_offset;
}

static void read_completions(void)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	unsigned int produced = __atomic_load_n(&header->completion_producer, __ATOMIC_ACQUIRE);

	if (produced == header->completion_consumer && poll(&one, 1, -1) < 0)
		fail("poll");
	__atomic_store_n(&header->completion_consumer, produced, __ATOMIC_RELEASE);
}

void method_train(const struct input *input)
{
	unsigned int producer = header->submission_producer, begin = producer, sent = 0;

	while (sent < input->count) {
		unsigned int group = input_group(input, sent, ENTRIES / 2);

		while (producer - header->completion_consumer + group > ENTRIES)
			read_completions();
		for (unsigned int i = 0; i < group; i++, sent++, producer++)
			descriptors[producer & (ENTRIES - 1)] = (struct ktx_descriptor){
				.launch_ns = input->start ? input->start + sent * input->gap : 0,
				.cookie = producer,
				.frame_offset = input_frame(input, sent) - area,
				.frame_length = input->length,
				.flags = BY_REFERENCE ? 0 : KTX_FRAME_COPY,
			};
		__atomic_store_n(&header->submission_producer, producer, __ATOMIC_RELEASE);
		while (header->submission_consumer != producer)
			if (ioctl(fd, KTX_IOC_SUBMIT, 0) < 0 && errno != EAGAIN)
				fail("submit");
	}
	/* Each frame has one completion, and until a device has read a long one it is not built anew. */
	while (header->completion_consumer - begin != input->count)
		read_completions();
	while (BY_REFERENCE && __atomic_load_n(&header->referenced, __ATOMIC_ACQUIRE))
		usleep(20);
}

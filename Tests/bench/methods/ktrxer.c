// SPDX-License-Identifier: MIT
/* Frames through /dev/ktx: copied into the area that is mapped, and submitted together. */
#include "input.h"
#include "ktrxer_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES 1024U

static int fd;
static unsigned int stride, slots;
static unsigned char *area;
static struct ktx_header *header;
static struct ktx_descriptor *descriptors;

void method_open(const struct input *input)
{
	struct ktx_bind bind = {
		.interface_index = input->interface_index,
		.submission_entries = ENTRIES,
		.completion_entries = ENTRIES,
		.queue = KTX_QUEUE_ANY,
	};
	unsigned char *map;

	/* Powers of two: a frame that straddles no pages is one piece less for a device that gathers. */
	for (stride = 64; stride < input->longest; stride *= 2)
		;
	bind.frame_bytes = ENTRIES * stride;
	fd = open("/dev/ktx", O_RDWR);
	if (fd < 0 || ioctl(fd, KTX_IOC_BIND, &bind))
		fail("/dev/ktx");
	map = mmap(NULL, bind.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	slots = bind.frame_bytes / stride;
	header = (void *)(map + bind.header_offset);
	descriptors = (void *)(map + bind.submission_offset);
	area = map + bind.frame_offset;
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
		/* A device may read long frames late, where they lie. */
		while (__atomic_load_n(&header->referenced, __ATOMIC_ACQUIRE) + group > slots)
			usleep(20);
		for (unsigned int i = 0; i < group; i++, sent++, producer++) {
			unsigned int offset = producer % slots * stride;

			memcpy(area + offset, input_frame(input, sent), input->length);
			descriptors[producer & (ENTRIES - 1)] = (struct ktx_descriptor){
				.launch_ns = input->start ? input->start + sent * input->gap : 0,
				.cookie = producer,
				.frame_offset = offset,
				.frame_length = input->length,
			};
		}
		__atomic_store_n(&header->submission_producer, producer, __ATOMIC_RELEASE);
		while (header->submission_consumer != producer)
			if (ioctl(fd, KTX_IOC_SUBMIT, 0) < 0 && errno != EAGAIN)
				fail("submit");
	}
	/* Each frame has one completion. */
	while (header->completion_consumer - begin != input->count)
		read_completions();
}

// SPDX-License-Identifier: MIT
/* AF_XDP without the driver's help: frames are built in memory that the kernel knows, and copied from there by the kernel. */
#include "input.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the rings; each frame has a slot of its own in memory. */
#define SLOTS 1024U
#define SLOT_BYTES 2048U

struct ring {
	uint32_t *producer, *consumer;
	void *entries;
};

static int fd;
static unsigned char *memory;
static struct ring sending, done;
static unsigned int next;

static struct ring mapped(const struct xdp_ring_offset *offset, size_t entry, uint64_t place)
{
	unsigned char *map = mmap64(NULL, offset->desc + SLOTS * entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, place);

	if (map == MAP_FAILED)
		fail("mmap");
	return (struct ring){ (void *)(map + offset->producer), (void *)(map + offset->consumer), map + offset->desc };
}

void method_open(struct input *input)
{
	struct sockaddr_xdp local = { .sxdp_family = AF_XDP, .sxdp_ifindex = input->interface_index, .sxdp_flags = XDP_COPY };
	struct xdp_umem_reg umem = { .len = (uint64_t)input->pieces * SLOT_BYTES, .chunk_size = SLOT_BYTES };
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	int slots = SLOTS;

	memory = mmap(NULL, umem.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	umem.addr = (uintptr_t)memory;
	fd = socket(AF_XDP, SOCK_RAW, 0);
	/* A ring for frames that it might receive is asked for in any case. */
	if (fd < 0 || setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &slots, sizeof(slots)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &slots, sizeof(slots)) ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &slots, sizeof(slots)) ||
	    getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
		fail("xdp");
	sending = mapped(&offsets.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	done = mapped(&offsets.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)))
		fail("bind");
	input->frames = memory;
	input->stride = SLOT_BYTES;
}

/* Has the kernel take what is queued, which it does a few dozen at a time, and takes note of what is done. */
static void kick(void)
{
	if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
		fail("send");
	__atomic_store_n(done.consumer, __atomic_load_n(done.producer, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

void method_train(const struct input *input)
{
	unsigned int sent = 0;

	while (sent < input->count) {
		unsigned int group = input_group(input, sent, SLOTS / 2);

		/* Each frame that was sent has a completion. */
		while (next + group - *done.consumer > SLOTS) {
			kick();
			if (next + group - *done.consumer > SLOTS)
				usleep(20);
		}
		for (unsigned int i = 0; i < group; i++, sent++, next++) {
			struct xdp_desc *entry = (struct xdp_desc *)sending.entries + next % SLOTS;

			entry->addr = input_frame(input, sent) - memory;
			entry->len = input->length;
		}
		__atomic_store_n(sending.producer, next, __ATOMIC_RELEASE);
		while (__atomic_load_n(sending.consumer, __ATOMIC_ACQUIRE) != next)
			kick();
	}
}

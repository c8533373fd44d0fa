// SPDX-License-Identifier: MIT
/* A packet socket with a mapped ring, past the queueing discipline: frames are built in it, and one call sends many. */
#include "input.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOT_BYTES 2048U
#define FRAME_AT (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

static int fd;
static unsigned char *ring;
static unsigned int slots, next;

void method_open(struct input *input)
{
	struct sockaddr_ll local = { .sll_family = AF_PACKET, .sll_ifindex = input->interface_index };
	struct tpacket_req request = { .tp_block_size = 2 * SLOT_BYTES, .tp_frame_size = SLOT_BYTES };
	int version = TPACKET_V2, bypass = 1;

	slots = input->pieces;
	request.tp_frame_nr = slots;
	request.tp_block_nr = slots / 2;
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)))
		fail("packet ring");
	ring = mmap(NULL, slots * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		fail("mmap");
	input->frames = ring + FRAME_AT;
	input->stride = SLOT_BYTES;
}

static struct tpacket2_hdr *slot(unsigned int number)
{
	return (void *)(ring + (size_t)(number % slots) * SLOT_BYTES);
}

static unsigned int status(unsigned int number)
{
	return __atomic_load_n(&slot(number)->tp_status, __ATOMIC_ACQUIRE);
}

void method_train(const struct input *input)
{
	unsigned int sent = 0;

	while (sent < input->count) {
		unsigned int group = input_group(input, sent, slots);

		for (unsigned int i = 0; i < group; i++, sent++, next++) {
			struct tpacket2_hdr *header = slot(next);

			/* Its frame before is not with the device any more. */
			while (status(next) != TP_STATUS_AVAILABLE)
				usleep(20);
			header->tp_len = input->length;
			__atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		}
		/* It does not wait until the device has given them back. */
		do {
			if (send(fd, NULL, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS)
				fail("send");
		} while (status(next - 1) == TP_STATUS_SEND_REQUEST);
	}
}

/* SPDX-License-Identifier: MIT */
/* Capturing by /dev/krx: an exact rule a port. Captured packets go on into the stack, or end there (ktrxer-drop). */
#include "capture.h"

#include "ktrxer_uapi.h"

#include <fcntl.h>

#define SLOTS 256
#define SLOT_BYTES 256

static struct krx_header *header;
static unsigned char *ring;

static void open_krx(unsigned int rules, unsigned int operation)
{
	struct krx_setup setup = { .slots = SLOTS, .slot_bytes = SLOT_BYTES };
	struct krx_rule rule = {
		.match = KRX_MATCH_SOURCE | KRX_MATCH_DESTINATION | KRX_MATCH_PROTOCOL | KRX_MATCH_DESTINATION_PORT,
		.family = 4, .operation = operation, .protocol = 17, .source_prefix = 32, .destination_prefix = 32,
	};
	uint32_t source = htonl(SOURCE), destination = htonl(DESTINATION);
	unsigned char *map;
	int fd = open("/dev/krx", O_RDWR);

	if (fd < 0 || ioctl(fd, KRX_IOC_SETUP, &setup))
		die("/dev/krx");
	map = mmap(NULL, setup.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	header = (void *)(map + setup.header_offset);
	ring = map + setup.ring_offset;
	memcpy(rule.source, &source, sizeof(source));
	memcpy(rule.destination, &destination, sizeof(destination));
	for (unsigned int i = 0; i < rules; i++) {
		rule.id = i + 1;
		rule.destination_port_first = rule.destination_port_last = FIRST_PORT + i;
		if (ioctl(fd, KRX_IOC_RULE_ADD, &rule))
			die("rule");
	}
}

static void ktrxer_open(const char *interface, unsigned int rules)
{
	(void)interface;
	open_krx(rules, KRX_CAPTURE);
}

static void ktrxer_drop_open(const char *interface, unsigned int rules)
{
	(void)interface;
	open_krx(rules, KRX_CAPTURE_DROP);
}

static unsigned int ktrxer_drain(void)
{
	uint32_t producer = __atomic_load_n(&header->producer, __ATOMIC_ACQUIRE), consumer = header->consumer;
	unsigned int count = producer - consumer;

	for (; consumer != producer; consumer++) {
		const struct krx_record *record = (void *)(ring + (consumer & (SLOTS - 1)) * SLOT_BYTES);

		look(record->realtime_ns, (const unsigned char *)record + record->data_offset);
	}
	__atomic_store_n(&header->consumer, consumer, __ATOMIC_RELEASE);
	return count;
}

const struct capture ktrxer = { .name = "ktrxer", .open = ktrxer_open, .drain = ktrxer_drain };
const struct capture ktrxer_drop = { .name = "ktrxer-drop", .open = ktrxer_drop_open, .drain = ktrxer_drain };

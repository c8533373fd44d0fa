/* SPDX-License-Identifier: MIT */
#include "sys_packet.h"

#include "sys_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Drivers account 2,304 bytes for a packet in half a page, and twice what they use in the worst case. */
#define BUFFER_BYTES (KTRXER_PACKET_BUFFERED * 4608)

/* Where the kernel looks for the frame in a send slot (af_packet.c: tpacket_parse_header). */
#define SEND_DATA_OFFSET ((uint32_t)(TPACKET2_HDRLEN - sizeof(struct sockaddr_ll)))

/* Where packets are received that come without a ring, one at a time; only touched pages count. */
static uint8_t received[1 << 16];

static struct tpacket2_hdr *ring_slot(const struct ktrxer_packet *packet, uint32_t offset, uint32_t block,
				      uint32_t slot_size, uint32_t slot)
{
	uint32_t per_block = block / slot_size;

	return (struct tpacket2_hdr *)(packet->map + offset + slot / per_block * block +
				       slot % per_block * slot_size);
}

static struct tpacket2_hdr *send_slot(const struct ktrxer_packet *packet, uint32_t slot)
{
	return ring_slot(packet, packet->send_offset, packet->send_block, packet->send_slot_size, slot);
}

static struct tpacket2_hdr *receive_slot(const struct ktrxer_packet *packet)
{
	return ring_slot(packet, 0, packet->receive_block, packet->receive_slot_size, packet->receive_next);
}

static int attach_filter(int fd, const uint64_t *code, uint32_t length)
{
	struct sock_filter program[128];
	struct sock_fprog attached = { .len = (unsigned short)length, .filter = program };

	if (length > sizeof(program) / sizeof(program[0]))
		return -EINVAL;
	for (uint32_t i = 0; i < length; i++) {
		program[i].code = (uint16_t)(code[i] >> 48);
		program[i].jt = (uint8_t)(code[i] >> 40);
		program[i].jf = (uint8_t)(code[i] >> 32);
		program[i].k = (uint32_t)code[i];
	}
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof(attached)) ? -errno : 0;
}

/* One ring; returns its size in bytes in *bytes and that of a block in *block. */
static int make_ring(int fd, int option, uint32_t slots, uint32_t slot_size, uint32_t *bytes, uint32_t *block)
{
	uint32_t page = (uint32_t)getpagesize();
	struct tpacket_req request;

	*block = slot_size > page ? slot_size : page;
	if (slots * slot_size < *block)
		slots = *block / slot_size;
	request.tp_block_size = *block;
	request.tp_block_nr = slots * slot_size / *block;
	request.tp_frame_size = slot_size;
	request.tp_frame_nr = slots;
	*bytes = slots * slot_size;
	return setsockopt(fd, SOL_PACKET, option, &request, sizeof(request)) ? -errno : 0;
}

static int set_number(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* Send slots without rings: memory of ours, laid out as a ring's. */
static int make_slots(struct ktrxer_packet *packet, const struct ktrxer_packet_setup *setup)
{
	packet->send_slots = setup->send_slots;
	packet->send_slot_size = setup->send_slot_size;
	packet->send_block = setup->send_slots * setup->send_slot_size;
	packet->send_next = 0;
	packet->map = mmap(NULL, packet->send_block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (packet->map == MAP_FAILED) {
		packet->map = NULL;
		return -errno;
	}
	packet->map_length = packet->send_block;
	return 0;
}

/* Each ring makes the kernel wait for its other processors (af_packet.c: packet_set_ring, synchronize_net). */
static int map_rings(struct ktrxer_packet *packet, const struct ktrxer_packet_setup *setup)
{
	uint32_t receive_bytes = 0, send_bytes, receive_slots = setup->receive_slots;
	int fd = packet->descriptor;
	int result = set_number(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);

	/*
	 * The kernel leaves what follows the link header in the ring's pages. Devices without such a header look for
	 * the IP header in the packet's linear part (WireGuard refuses it otherwise): a prefix says how much goes there.
	 */
	if (!result && !setup->link_header) {
		packet->prefix = sizeof(struct virtio_net_hdr);
		result = set_number(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	}
	/* Without CAP_NET_ADMIN the buffer stays as it is, and may be too small for what a ring was not asked for. */
	if (!receive_slots && set_number(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES))
		receive_slots = KTRXER_PACKET_BUFFERED;
	if (!result && receive_slots)
		result = make_ring(fd, PACKET_RX_RING, receive_slots, setup->receive_slot_size, &receive_bytes,
				   &packet->receive_block);
	if (!result)
		result = make_ring(fd, PACKET_TX_RING, setup->send_slots, setup->send_slot_size, &send_bytes,
				   &packet->send_block);
	if (result)
		return result;
	packet->receive_slots = receive_bytes / setup->receive_slot_size;
	packet->receive_slot_size = setup->receive_slot_size;
	packet->send_slots = send_bytes / setup->send_slot_size;
	packet->send_slot_size = setup->send_slot_size;
	packet->send_offset = receive_bytes;
	packet->map = mmap(NULL, receive_bytes + send_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (packet->map == MAP_FAILED) {
		packet->map = NULL;
		return -errno;
	}
	packet->map_length = receive_bytes + send_bytes;
	/* As sys_device.c. */
	madvise(packet->map, packet->map_length, MADV_DONTFORK);
	return 0;
}

int32_t ktrxer_packet_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Older kernels and some drivers lack these; the caller then gets user-space timestamps. Asked for as early as
	 * can be: the kernel switches its receive timestamps on in the background. */
	set_number(fd, SOL_SOCKET, SO_TIMESTAMPING,
		   SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
			   SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
	set_number(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	return fd;
}

int32_t ktrxer_packet_open(struct ktrxer_packet *packet, int32_t descriptor, const struct ktrxer_packet_setup *setup)
{
	struct sockaddr_ll local = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons((uint16_t)setup->ethertype),
		.sll_ifindex = (int)setup->interface_index,
	};
	int result;

	memset(packet, 0, sizeof(*packet));
	packet->descriptor = descriptor;
	packet->mapped = setup->mapped;
	packet->link_length = setup->link_header ? ETH_HLEN : 0;
	result = attach_filter(descriptor, setup->filter, setup->filter_length);
	if (!result)
		result = setup->mapped ? map_rings(packet, setup) : make_slots(packet, setup);
	/* Bound last: until now the socket has no protocol and so receives nothing unfiltered. */
	if (!result && bind(descriptor, (struct sockaddr *)&local, sizeof(local)))
		result = -errno;
	if (result)
		ktrxer_packet_close(packet);
	return result;
}

int32_t ktrxer_packet_park(struct ktrxer_packet *packet)
{
	/* BPF_RET | BPF_K: nothing passes. */
	static const uint64_t nothing = (uint64_t)(BPF_RET | BPF_K) << 48;

	if (!packet->mapped && packet->map) {
		munmap(packet->map, packet->map_length);
		packet->map = NULL;
	}
	return attach_filter(packet->descriptor, &nothing, 1);
}

int32_t ktrxer_packet_resume(struct ktrxer_packet *packet, const struct ktrxer_packet_setup *setup)
{
	struct ktrxer_transmit_stamp stamp;
	struct ktrxer_captured left;
	int result = 0;

	/* What passed the former filter, and is told of former frames. */
	while (ktrxer_packet_peek(packet, &left))
		ktrxer_packet_next(packet);
	while (ktrxer_packet_transmit_stamp(packet, &stamp))
		;
	ktrxer_packet_lost(packet);
	if (!packet->mapped)
		result = make_slots(packet, setup);
	return result ? result : attach_filter(packet->descriptor, setup->filter, setup->filter_length);
}

void ktrxer_packet_close(struct ktrxer_packet *packet)
{
	if (packet->map)
		munmap(packet->map, packet->map_length);
	if (packet->descriptor >= 0)
		close(packet->descriptor);
	packet->map = NULL;
	packet->descriptor = -1;
}

uint32_t ktrxer_packet_slot_capacity(const struct ktrxer_packet *packet)
{
	return packet->send_slot_size - SEND_DATA_OFFSET - packet->prefix;
}

uint8_t *ktrxer_packet_slot(const struct ktrxer_packet *packet, uint32_t slot)
{
	return (uint8_t *)send_slot(packet, slot) + SEND_DATA_OFFSET + packet->prefix;
}

void ktrxer_packet_mark(struct ktrxer_packet *packet, uint32_t slot, uint32_t length)
{
	struct tpacket2_hdr *header = send_slot(packet, slot);

	if (packet->prefix) {
		struct virtio_net_hdr prefix = { .hdr_len = (uint16_t)(length < 0xFFFF ? length : 0xFFFF) };

		memcpy((uint8_t *)header + SEND_DATA_OFFSET, &prefix, sizeof(prefix));
	}
	header->tp_len = length + packet->prefix;
	/* Pairs with the kernel's read barrier in __packet_get_status(): frame before status. */
	__atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

void ktrxer_packet_unmark(struct ktrxer_packet *packet, uint32_t slot)
{
	__atomic_store_n(&send_slot(packet, slot)->tp_status, TP_STATUS_AVAILABLE, __ATOMIC_RELEASE);
}

int32_t ktrxer_packet_slot_state(const struct ktrxer_packet *packet, uint32_t slot)
{
	uint32_t status = __atomic_load_n(&send_slot(packet, slot)->tp_status, __ATOMIC_ACQUIRE);

	if (status & TP_STATUS_WRONG_FORMAT)
		return KTRXER_SLOT_REFUSED;
	if (status & TP_STATUS_SEND_REQUEST)
		return KTRXER_SLOT_QUEUED;
	if (status & TP_STATUS_SENDING)
		return KTRXER_SLOT_SENDING;
	return KTRXER_SLOT_FREE;
}

/* What the kernel does with a send ring (af_packet.c: tpacket_snd), slot by slot. */
static int32_t send_slots(struct ktrxer_packet *packet)
{
	struct tpacket2_hdr *header = send_slot(packet, packet->send_next);

	while (header->tp_status == TP_STATUS_SEND_REQUEST) {
		if (send(packet->descriptor, (uint8_t *)header + SEND_DATA_OFFSET, header->tp_len, MSG_DONTWAIT) < 0) {
			if (errno == EMSGSIZE || errno == EINVAL)
				header->tp_status = TP_STATUS_WRONG_FORMAT;
			/* No room among what this socket has under way: as if the device were full, but not counted. */
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		header->tp_status = TP_STATUS_AVAILABLE;
		packet->send_next = (packet->send_next + 1) % packet->send_slots;
		header = send_slot(packet, packet->send_next);
	}
	return 0;
}

int32_t ktrxer_packet_send(struct ktrxer_packet *packet)
{
	if (!packet->mapped)
		return send_slots(packet);
	return send(packet->descriptor, NULL, 0, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/*
 * Without a receive ring. A socket bound to one protocol is not shown what this host sends. The prefix is received as
 * it is sent.
 */
static int32_t receive(struct ktrxer_packet *packet, struct ktrxer_captured *captured)
{
	struct ktrxer_message message;
	int32_t length = ktrxer_message_receive(packet->descriptor, 0, received, sizeof(received), &message);

	if (length < 0) {
		if (length != -EAGAIN)
			packet->failed = 1;
		return 0;
	}
	if ((uint32_t)length < packet->prefix)
		return 0;
	captured->frame = received + packet->prefix;
	captured->length = (uint32_t)length - packet->prefix;
	captured->wire_length = captured->length;
	captured->network_offset = packet->link_length;
	captured->outgoing = 0;
	captured->realtime = message.realtime;
	return 1;
}

int32_t ktrxer_packet_peek(struct ktrxer_packet *packet, struct ktrxer_captured *captured)
{
	const struct tpacket2_hdr *header;
	const struct sockaddr_ll *from;
	uint32_t status, start;

	if (!packet->receive_slots)
		return receive(packet, captured);
	header = receive_slot(packet);
	status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
	if (!(status & TP_STATUS_USER))
		return 0;
	from = (const struct sockaddr_ll *)((const uint8_t *)header + TPACKET_ALIGN(sizeof(*header)));
	start = header->tp_mac;
	captured->frame = (const uint8_t *)header + start;
	captured->length = header->tp_snaplen;
	captured->wire_length = header->tp_len;
	captured->network_offset = header->tp_net >= start ? header->tp_net - start : 0u;
	captured->outgoing = from->sll_pkttype == PACKET_OUTGOING;
	captured->realtime = (int64_t)header->tp_sec * 1000000000 + header->tp_nsec;
	return 1;
}

void ktrxer_packet_next(struct ktrxer_packet *packet)
{
	if (!packet->receive_slots)
		return;
	__atomic_store_n(&receive_slot(packet)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	packet->receive_next = (packet->receive_next + 1) % packet->receive_slots;
}

int32_t ktrxer_packet_transmit_stamp(struct ktrxer_packet *packet, struct ktrxer_transmit_stamp *stamp)
{
	struct ktrxer_message message;

	while (ktrxer_message_receive(packet->descriptor, 1, NULL, 0, &message) >= 0) {
		if (message.origin != KTRXER_ORIGIN_TRANSMIT_STAMP || !message.realtime)
			continue;
		stamp->key = message.key;
		stamp->realtime = message.realtime;
		return 1;
	}
	return 0;
}

int32_t ktrxer_packet_lost(struct ktrxer_packet *packet)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof(stats);

	if (getsockopt(packet->descriptor, SOL_PACKET, PACKET_STATISTICS, &stats, &length))
		return 0;
	return (int32_t)(stats.tp_drops & 0x7FFFFFFF);
}

int32_t ktrxer_packet_error(struct ktrxer_packet *packet)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(packet->descriptor, SOL_SOCKET, SO_ERROR, &error, &length))
		return -errno;
	if (error)
		packet->failed = 1;
	return -error;
}

/* SPDX-License-Identifier: MIT */
/*
 * AF_PACKET sockets, past the queueing discipline: with mapped rings (TPACKET_V2; packet_mmap.rst in the kernel's
 * Documentation/networking), which send many frames in one system call and receive without any, or without, which
 * opens at once: for each ring that comes or goes the kernel waits for its other processors, about 10 ms and more.
 *
 * Sending: slots are taken strictly in ring order, so they are filled and marked in that order. A slot is the
 * caller's while its state is KTRXER_SLOT_FREE. Receiving: one captured packet at a time, in place; its
 * pointers are good until ktrxer_packet_next().
 */
#ifndef KTRXER_SYS_PACKET_H
#define KTRXER_SYS_PACKET_H

#include <stdint.h>

/* Packets that the socket's buffer holds for sure where no receive ring is asked for. */
#define KTRXER_PACKET_BUFFERED 128

struct ktrxer_packet_setup {
	uint32_t interface_index;
	uint32_t ethertype; /* host order: 0x0800 or 0x86DD; only such packets are received */
	uint32_t receive_slots; /* powers of two; 0: no receive ring, see KTRXER_PACKET_BUFFERED */
	uint32_t receive_slot_size; /* bytes with the kernel's header; a power of two, 256 or more */
	uint32_t send_slots;
	uint32_t send_slot_size;
	uint32_t mapped; /* 1: with rings; 0: without, and receive_slots means nothing */
	uint32_t link_header; /* 1: frames start with the link header; 0: with the IP header */
	uint32_t filter_length; /* instructions */
	/* Classic BPF: code << 48 | jump true << 40 | jump false << 32 | k. */
	const uint64_t *filter;
};

struct ktrxer_packet {
	int32_t descriptor; /* readable when a packet or a transmit timestamp is there */
	uint32_t send_slots;
	uint32_t send_slot_size;
	uint32_t receive_slots;
	uint32_t receive_slot_size;
	uint32_t receive_next; /* slot to be read next */
	uint32_t map_length;
	uint32_t send_offset; /* where the send slots begin in the map */
	uint32_t send_block; /* bytes of one send block; slots do not straddle blocks */
	uint32_t receive_block;
	uint32_t prefix; /* bytes of struct virtio_net_hdr before each frame in a send slot */
	uint32_t mapped;
	uint32_t link_length; /* bytes of link header before the IP header */
	uint32_t send_next; /* without rings: the slot to be sent next */
	uint32_t failed; /* the socket had an error, such as an interface that went away: good for nothing more */
	uint8_t *map;
};

struct ktrxer_captured {
	const uint8_t *frame; /* from the link header on, or from the IP header without one */
	uint32_t length; /* bytes that are there, from frame on */
	uint32_t network_offset; /* of the IP header within frame */
	uint32_t wire_length; /* bytes that there were */
	uint32_t outgoing; /* 1: sent by this host */
	int64_t realtime; /* CLOCK_REALTIME ns of its arrival in the stack; 0 unknown */
};

struct ktrxer_transmit_stamp {
	uint32_t key; /* n-th frame handed to the device through this socket, from 0 */
	uint32_t reserved;
	int64_t realtime; /* CLOCK_REALTIME ns at which the driver took it */
};

enum ktrxer_slot_state {
	KTRXER_SLOT_FREE = 0,
	KTRXER_SLOT_QUEUED, /* marked, and the kernel has not taken it */
	KTRXER_SLOT_SENDING, /* with the device */
	KTRXER_SLOT_REFUSED, /* the kernel found the frame malformed */
};

/* A packet socket that neither sends nor receives yet. A descriptor or -errno, such as -EPERM. */
int32_t ktrxer_packet_socket(void);
/* Binds a socket, and owns it: closed on failure. 0 or -errno. Waits for the other processors for each ring. */
int32_t ktrxer_packet_open(struct ktrxer_packet *packet, int32_t descriptor, const struct ktrxer_packet_setup *setup);
/* Between measurements: receives nothing, and keeps no slots of its own. 0 or -errno. */
int32_t ktrxer_packet_park(struct ktrxer_packet *packet);
/*
 * Takes a parked socket for another measurement: same interface, ethertype and link header, and same slots if mapped.
 * 0, or -errno, after which it is to be closed. Not after an error: see ktrxer_packet_error().
 */
int32_t ktrxer_packet_resume(struct ktrxer_packet *packet, const struct ktrxer_packet_setup *setup);
/* Waits for the other processors once, and once more for each ring. */
void ktrxer_packet_close(struct ktrxer_packet *packet);

/* Bytes of frame that fit a send slot, and where they go. */
uint32_t ktrxer_packet_slot_capacity(const struct ktrxer_packet *packet);
uint8_t *ktrxer_packet_slot(const struct ktrxer_packet *packet, uint32_t slot);
/* Marks a filled slot for sending; ktrxer_packet_send() then takes it. */
void ktrxer_packet_mark(struct ktrxer_packet *packet, uint32_t slot, uint32_t length);
/* Takes a mark back; only for a slot that is queued or refused. */
void ktrxer_packet_unmark(struct ktrxer_packet *packet, uint32_t slot);
int32_t ktrxer_packet_slot_state(const struct ktrxer_packet *packet, uint32_t slot);
/* Hands all marked slots to the driver, in ring order, without the queueing discipline. 0 or -errno; -ENOBUFS: the
 * device's queue is full. What is still queued can be tried again. */
int32_t ktrxer_packet_send(struct ktrxer_packet *packet);

/* 1: *captured is the next packet; 0: none. */
int32_t ktrxer_packet_peek(struct ktrxer_packet *packet, struct ktrxer_captured *captured);
/* Gives the packet of the last peek back to the kernel. */
void ktrxer_packet_next(struct ktrxer_packet *packet);
/* 1: *stamp is the next transmit timestamp; 0: none. */
int32_t ktrxer_packet_transmit_stamp(struct ktrxer_packet *packet, struct ktrxer_transmit_stamp *stamp);
/* Packets dropped because the ring was full, since the last call. */
int32_t ktrxer_packet_lost(struct ktrxer_packet *packet);
/* The socket's pending error, cleared and noted in `failed`: 0, or -errno such as -ENETDOWN when the interface
 * went away. */
int32_t ktrxer_packet_error(struct ktrxer_packet *packet);

#endif

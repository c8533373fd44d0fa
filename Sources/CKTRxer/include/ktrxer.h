/* SPDX-License-Identifier: MIT */
/*
 * libktrxer: probes that leave at their instant and answers that are captured first, from C.
 *
 * It drives the kernel module ktrxer: a sender (struct ktrxer_tx, /dev/ktx) hands whole frames to an interface's
 * driver at their launch times, a capturer (struct ktrxer_rx, /dev/krx) takes packets by rules before anything else
 * on the system sees them. There is nothing to fall back on: without the module, opening returns -ENOENT (-ENXIO or
 * -ENODEV where a device node was left behind).
 *
 *	struct ktrxer_tx tx;
 *	struct ktrxer_probe probe;
 *	struct ktrxer_completion done;
 *
 *	ktrxer_tx_open(&tx, "eth0", NULL);
 *	ktrxer_tx_get(&tx, &probe);		a frame buffer
 *	memcpy(probe.bytes, frame, length);	from the link header on
 *	probe.length = length;
 *	probe.launch_ns = ktrxer_now() + 1000000;
 *	probe.cookie = 1;
 *	ktrxer_tx_queue(&tx, &probe);
 *	ktrxer_tx_submit(&tx);			to the kernel, which sees to the rest
 *	ktrxer_tx_wait(&tx, -1);
 *	while (ktrxer_tx_peek(&tx, &done) == 1)
 *		ktrxer_tx_seen(&tx);		sent or not, when, after how many attempts
 *	ktrxer_tx_close(&tx);
 *
 * Functions return 0 or a number of their own on success, and -errno on failure; errno is not touched. The structures
 * are the caller's, and their bytes may not be moved while open. Between opening and closing nothing allocates memory,
 * ktrxer_hop_find() excepted. One thread at a time may use a handle; different handles are independent of each other.
 * A handle whose opening failed may be closed, and one may be closed twice; nothing else may be done with one that is
 * not open. Pointers may be NULL only where it says so.
 *
 * Integers are in host byte order, addresses are bytes as on the wire (IPv4: the first 4 of 16), times are ns of
 * CLOCK_MONOTONIC unless a name says otherwise. A `reserved` field must be 0. Structures for the caller to fill in are
 * zeroed first: what is 0 is not asked for.
 *
 * Opening needs CAP_NET_RAW in the network namespace, rules that keep packets from the system CAP_NET_ADMIN too.
 */
#ifndef KTRXER_H
#define KTRXER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sending ------------------------------------------------------------------------------------------------ */

/* An open sender. Its contents are the library's. */
struct ktrxer_tx {
	uint64_t opaque[20];
};

/* How ktrxer_tx_open() shall set a sender up. Zeros, or no options at all, choose what is right for most. */
struct ktrxer_tx_options {
	uint32_t frames; /* buffers; a power of two, 2 to ktrxer_module.most_frames; 0: 256 */
	/*
	 * Of each, link header included, at most 1 MiB; 0: the MTU, but at most 2000, and 32. Rounded up, with 16 bytes
	 * for the library, to multiples of 64; all together at most ktrxer_module.most_frame_bytes.
	 */
	uint32_t frame_bytes;
	uint32_t flags; /* KTRXER_TX_… */
	uint32_t queue; /* with KTRXER_TX_QUEUE: transmit queue of the device, from 0 */
	uint32_t attempts; /* how often a frame is offered to a busy device, 1 to 255; 0: 16 */
	uint32_t retry_ns; /* before the second attempt, doubles up to 32 times; 0: 20,000; at most 1 s */
	uint32_t spin_ns; /* longest spin before a launch; 0, or above it: the module's ceiling */
	uint32_t reserved;
};

#define KTRXER_TX_QUEUE (1U << 0) /* all frames leave by `queue` */
/*
 * Frames of more than 256 bytes go to devices that can gather by reference instead of being copied. Their buffers can
 * be had again only when the device has let go of all such frames, which a slow one may put off, and which no waiting
 * tells of.
 */
#define KTRXER_TX_BY_REFERENCE (1U << 1)

/* A frame buffer, and what shall become of the frame in it. */
struct ktrxer_probe {
	uint8_t *bytes; /* set by ktrxer_tx_get(): where the frame goes */
	uint64_t launch_ns; /* when it shall leave; 0, or past: at once */
	uint64_t cookie; /* any number; comes back with the completion */
	uint32_t capacity; /* set by ktrxer_tx_get(): bytes there are */
	uint32_t length; /* of the frame: everything from the link header on, as it shall be on the wire */
	uint32_t flags; /* KTRXER_FRAME_… */
	uint16_t queue; /* with KTRXER_FRAME_QUEUE */
	uint16_t reserved;
	uint32_t buffer; /* the library's */
	uint32_t reserved2;
};

/* Do not send more than 20 us after the launch time: completes as KTRXER_LATE. */
#define KTRXER_FRAME_DROP_LATE (1U << 0)
#define KTRXER_FRAME_COPY (1U << 1) /* copy, whatever the length, the device and the options */
#define KTRXER_FRAME_QUEUE (1U << 2) /* leave by `queue` */
/*
 * Ask the device for a hardware timestamp. The completion waits for it, and those behind it do, for 20 ms at most. That
 * the device stamps at all is for the administrator to see to (SIOCSHWTSTAMP).
 */
#define KTRXER_FRAME_STAMP (1U << 3)

/* ktrxer_completion.status; ktrxer_status_error() makes an errno of it. */
enum ktrxer_status {
	KTRXER_SENT = 0, /* the driver took it */
	KTRXER_LATE = 1, /* the launch time had passed, KTRXER_FRAME_DROP_LATE [ETIME] */
	KTRXER_BUSY = 2, /* the device's queue stayed full [EBUSY] */
	KTRXER_DOWN = 3, /* interface down [ENETDOWN] */
	KTRXER_NO_CARRIER = 4, /* no carrier at every attempt [ENOLINK] */
	KTRXER_GONE = 5, /* interface removed, or moved to another namespace [ENODEV] */
	KTRXER_CANCELLED = 6, /* by ktrxer_tx_cancel() [ECANCELED] */
	KTRXER_NO_MEMORY = 7, /* [ENOMEM] */
	KTRXER_BAD_LENGTH = 8, /* shorter than the link header, or longer than the link carries [EMSGSIZE] */
	KTRXER_BAD_FRAME = 9, /* reaches beyond the frame area [EFAULT] */
	KTRXER_BAD_FLAGS = 10, /* unknown flag, `queue` without its flag, or launch time above 2^63 [EINVAL] */
	KTRXER_BAD_QUEUE = 11, /* no such queue [ENXIO] */
	KTRXER_DROPPED = 12, /* a virtual device took the frame and threw it away [ECOMM] */
};

#define KTRXER_COMPLETION_TIMED (1U << 0) /* it had a launch time */
#define KTRXER_COMPLETION_REFERENCED (1U << 1) /* it was not copied */
#define KTRXER_COMPLETION_REACTION (1U << 2) /* sent by a rule; the cookie is the reaction's */
#define KTRXER_COMPLETION_HARDWARE (1U << 3) /* hardware_ns is set */

/* The end of one frame; each that was submitted has exactly one. */
struct ktrxer_completion {
	uint64_t cookie;
	uint64_t launch_ns; /* as asked */
	uint64_t sent_ns; /* just before the driver was called; without success, when it was given up */
	uint64_t hardware_ns; /* of the device's own clock */
	uint32_t status; /* enum ktrxer_status */
	uint32_t flags; /* KTRXER_COMPLETION_… */
	uint32_t attempts; /* times that it was offered to the device */
	uint32_t length; /* bytes */
	uint64_t reserved[2];
};

/* Counters of a sender since it was opened. */
struct ktrxer_tx_statistics {
	uint64_t submitted;
	uint64_t sent; /* reactions included */
	uint64_t failed; /* completed otherwise */
	uint64_t bytes; /* of frames sent */
	uint64_t retries; /* attempts that a busy device refused */
	uint64_t timer_wakes;
	uint64_t spin_ns; /* spent waiting for an instant */
	uint64_t held_back; /* launches put off by the module's rate ceiling */
	uint64_t reactions; /* sent for rules */
	uint64_t reactions_lost; /* not sent: too many at once, no memory, or the device would not */
	uint64_t completions_lost; /* of reactions only: their completions had no room */
	uint32_t lead_ns; /* how much before a launch the timer is set */
	uint32_t lateness_ns; /* of the timer: last, least, most */
	uint32_t lateness_least_ns;
	uint32_t lateness_most_ns;
	uint64_t reserved[4];
};

/* What the interface was when the sender was opened. */
struct ktrxer_link {
	uint32_t link_type; /* ARPHRD_…, linux/if_arp.h */
	uint32_t link_header; /* bytes before the network header */
	uint32_t mtu;
	uint32_t longest_frame; /* bytes, link header included */
	uint32_t queues; /* transmit queues */
	uint32_t device_flags; /* KTRXER_DEVICE_… */
};

#define KTRXER_DEVICE_GATHERS (1U << 0) /* scatter-gather */
#define KTRXER_DEVICE_UP (1U << 1)
#define KTRXER_DEVICE_CARRIER (1U << 2)

/*
 * Opens a sender on the interface of that name. `options` may be NULL.
 * -ENOENT, -ENXIO: the module is not loaded (modprobe ktrxer); -EACCES: the device node is for others (root, at
 * first); -EPERM: no CAP_NET_RAW; -EPROTO: the module's interface is of another version than this library; -ENODEV: no
 * such interface, or a device node without its module; -EOPNOTSUPP: a link that takes no frames (loopback), or no such
 * queue; -EINVAL: a flag or reserved field, a number of frames that is no power of two, attempts or retry_ns out of
 * range; -E2BIG: frames or frame_bytes too large; -ENOMEM: no memory; -ENOBUFS: the module's memory ceiling.
 */
int32_t ktrxer_tx_open(struct ktrxer_tx *tx, const char *interface, const struct ktrxer_tx_options *options);
/* Closes. Frames that have not left are not sent any more. */
void ktrxer_tx_close(struct ktrxer_tx *tx);
/* Fills in what the interface is. */
void ktrxer_tx_link(const struct ktrxer_tx *tx, struct ktrxer_link *link);
/* The file descriptor, for poll(2): POLLIN when completions are there, POLLERR when the interface is gone. */
int32_t ktrxer_tx_descriptor(const struct ktrxer_tx *tx);

/*
 * Gets a free frame buffer: fills in `bytes` and `capacity`, and zeroes the rest. The bytes are what the buffer had in
 * it. 0; -EAGAIN: the caller has all buffers, or they are queued, on their way, have completions that were not seen, or
 * may still be read by the device (KTRXER_TX_BY_REFERENCE).
 */
int32_t ktrxer_tx_get(struct ktrxer_tx *tx, struct ktrxer_probe *probe);
/* Gives a buffer back that is not to be sent. 0; -EINVAL: not one that the caller has from ktrxer_tx_get(). */
int32_t ktrxer_tx_put(struct ktrxer_tx *tx, const struct ktrxer_probe *probe);
/*
 * Puts the frame on the list of those to be submitted. From here on the buffer is the library's, until the completion
 * is seen. What else is wrong with a frame, its completion tells.
 * 0; -EINVAL: not a buffer that the caller has from ktrxer_tx_get(), or a reserved field; -EMSGSIZE: length above
 * capacity. After an error the buffer is the caller's still.
 */
int32_t ktrxer_tx_queue(struct ktrxer_tx *tx, const struct ktrxer_probe *probe);
/*
 * Hands the list to the kernel. Frames without a launch time leave back to back before this returns, but for those
 * that a busy device or the module's rate ceiling puts off.
 * How many it took. Fewer than there are: completions of reactions that were not seen leave no room for more, the
 * frames that wait have all the memory that they may (module parameter memory_ceiling_kib), or a signal came; the rest
 * stays on the list for the next call. -EAGAIN: for the first two causes, none.
 */
int32_t ktrxer_tx_submit(struct ktrxer_tx *tx);
/*
 * Cancels submitted frames that have not left, those with *cookie, or all, delayed reactions too, if it is NULL. They
 * complete as KTRXER_CANCELLED. How many, reactions not counted.
 */
int32_t ktrxer_tx_cancel(struct ktrxer_tx *tx, const uint64_t *cookie);

/* Copies the next completion. 1; 0: there is none. It stays the next until ktrxer_tx_seen(). */
int32_t ktrxer_tx_peek(struct ktrxer_tx *tx, struct ktrxer_completion *completion);
/* Passes over the completion that ktrxer_tx_peek() shows, if there is one; its buffer is free again. */
void ktrxer_tx_seen(struct ktrxer_tx *tx);
/*
 * Waits until a completion is there, at most timeout_ns, negative: for ever, even when there is nothing to wait for.
 * 1; 0: time is up; -EINTR: a signal; -ENODEV: the interface is gone and all completions are seen.
 */
int32_t ktrxer_tx_wait(struct ktrxer_tx *tx, int64_t timeout_ns);
/* Fills in the counters. 0. */
int32_t ktrxer_tx_statistics(struct ktrxer_tx *tx, struct ktrxer_tx_statistics *statistics);

/* The positive errno for enum ktrxer_status, 0 for KTRXER_SENT, EPROTO for numbers that are none. */
int32_t ktrxer_status_error(uint32_t status);

/* ---- capturing ---------------------------------------------------------------------------------------------- */

/* An open capturer. Its contents are the library's. */
struct ktrxer_rx {
	uint64_t opaque[10];
};

struct ktrxer_rx_options {
	uint32_t slots; /* captures that fit the ring; a power of two, 2 to ktrxer_module.most_frames; 0: 256 */
	uint32_t slot_bytes; /* of each, with its 64-byte record; a power of two, 128 to 65,536; 0: 2048 */
	uint32_t reserved[2];
};

/* ktrxer_record.source: where realtime_ns was taken. */
enum ktrxer_stamp_source {
	KTRXER_STAMP_HOOK = 0, /* when the rules were applied: the packet had none yet */
	KTRXER_STAMP_KERNEL = 1, /* on arrival in the stack, as libpcap shows it */
	KTRXER_STAMP_HARDWARE = 2, /* hardware_ns is set as well */
};

#define KTRXER_RECORD_CUT (1U << 0) /* fewer bytes than there were from capture_offset on */
#define KTRXER_RECORD_LINK (1U << 1) /* begins with the link header */
#define KTRXER_RECORD_FRAGMENT (1U << 2) /* part of a fragmented packet */
#define KTRXER_RECORD_ERROR (1U << 3) /* an ICMP error, matched by the packet that it quotes */
#define KTRXER_RECORD_CHECKSUM_OPEN (1U << 4) /* its transport checksum is not filled in: sent here, or merged by GRO */
#define KTRXER_RECORD_CHECKSUM_GOOD (1U << 5) /* the device has verified the transport checksum */
#define KTRXER_RECORD_DROPPED (1U << 6) /* the rule kept it from the system */

/* What is known of a captured packet. */
struct ktrxer_record {
	uint64_t realtime_ns; /* CLOCK_REALTIME of arrival */
	uint64_t monotonic_ns; /* the same instant on CLOCK_MONOTONIC */
	uint64_t hardware_ns; /* the device's own clock, or 0 */
	uint32_t rule_id;
	uint32_t interface_index;
	uint32_t original_length; /* of the packet from its IP header on; larger than the wire's after GRO */
	uint32_t captured_length; /* bytes that are there */
	uint32_t capture_offset; /* of the first of them in the packet */
	uint32_t sequence; /* counts captures, lost ones too, from 0 */
	uint16_t data_offset; /* of the bytes from the start of this record */
	uint16_t network_offset; /* of the IP header in the bytes; 0 unless KTRXER_RECORD_LINK, or if they begin behind it */
	uint16_t protocol; /* 0x0800 or 0x86DD */
	uint8_t source; /* enum ktrxer_stamp_source */
	uint8_t flags; /* KTRXER_RECORD_… */
	uint8_t reserved[8];
};

/* ktrxer_rule.match: which fields a packet must have. A field that is not named must be 0. */
#define KTRXER_MATCH_SOURCE (1U << 0)
#define KTRXER_MATCH_DESTINATION (1U << 1)
#define KTRXER_MATCH_PROTOCOL (1U << 2)
#define KTRXER_MATCH_SOURCE_PORT (1U << 3) /* source_port_first to source_port_last */
#define KTRXER_MATCH_DESTINATION_PORT (1U << 4)
#define KTRXER_MATCH_ICMP_TYPE (1U << 5) /* ICMP or ICMPv6, which `protocol` must say */
#define KTRXER_MATCH_ICMP_CODE (1U << 6)
#define KTRXER_MATCH_ICMP_ID (1U << 7)
#define KTRXER_MATCH_INTERFACE (1U << 8) /* arrived by interface_index */
/* Instead of such packets, ICMP errors that quote a packet of the opposite direction, whoever sends them. */
#define KTRXER_MATCH_ERRORS (1U << 9)

/* ktrxer_rule.operation */
enum ktrxer_operation {
	KTRXER_FORWARD = 0, /* on to the system, with the rule's edits */
	KTRXER_CAPTURE = 1, /* captured, and on to the system */
	KTRXER_DROP = 2, /* the system does not see it */
	KTRXER_CAPTURE_DROP = 3, /* captured; the system does not see it */
};

/* ktrxer_rule.flags */
#define KTRXER_RULE_LINK (1U << 0) /* capture_offset counts from the link header, where there is one */
/*
 * The device answers ARP and neighbour discovery for the rule's destination on the rule's interface, but for addresses
 * that it has itself on any. Both must be matched, the destination by a prefix of 1 bit at least, and not with KTRXER_MATCH_ERRORS.
 */
#define KTRXER_RULE_NEIGHBOUR (1U << 1)
#define KTRXER_RULE_REACT (1U << 2) /* `reaction` is sent for each match */

/* ktrxer_edit.field, for KTRXER_FORWARD. Checksums stay right. */
enum ktrxer_edit_field {
	KTRXER_EDIT_NONE = 0, /* ends the list */
	KTRXER_EDIT_SOURCE = 1, /* 4 or 16 bytes */
	KTRXER_EDIT_DESTINATION = 2,
	KTRXER_EDIT_SOURCE_PORT = 3, /* 2 bytes, network order */
	KTRXER_EDIT_DESTINATION_PORT = 4,
	KTRXER_EDIT_TTL = 5, /* 1 byte */
	KTRXER_EDIT_DSCP = 6, /* 1 byte, 0 to 63 */
	KTRXER_EDIT_PAYLOAD = 7, /* `length` bytes at `offset` after the UDP, TCP or ICMP header */
};

struct ktrxer_edit {
	uint8_t field; /* enum ktrxer_edit_field */
	uint8_t length; /* of value, 1 to 16 */
	uint16_t offset;
	uint8_t value[16];
};

/* ktrxer_copy.base: where in the matched packet `from` counts from. */
enum ktrxer_base {
	KTRXER_BASE_NONE = 0, /* ends the list */
	KTRXER_BASE_LINK = 1,
	KTRXER_BASE_NETWORK = 2,
	KTRXER_BASE_TRANSPORT = 3,
	KTRXER_BASE_PAYLOAD = 4, /* after the UDP, TCP or ICMP (8 bytes) header */
};

/* ktrxer_copy.operation */
enum ktrxer_copy_operation {
	KTRXER_COPY_BYTES = 0,
	KTRXER_COPY_ADD = 1, /* a number of 1, 2 or 4 bytes in network order, plus `addend` */
	KTRXER_COPY_ADD_SEGMENT = 2, /* the same, plus the matched TCP segment's length: payload, SYN and FIN */
};

struct ktrxer_copy {
	uint8_t base; /* enum ktrxer_base */
	uint8_t operation; /* enum ktrxer_copy_operation */
	uint16_t from; /* bytes after base */
	uint16_t to; /* bytes after the start of the frame */
	uint16_t length; /* 1 to 64 */
	uint32_t addend;
};

#define KTRXER_REACT_CHECKSUMS (1U << 0) /* checksums are made right after copying: ktrxer_uapi.h */
#define KTRXER_REACT_APPEND_PAYLOAD (1U << 1) /* the match's payload follows the frame */

/*
 * A frame that is sent when the rule matches. It is copied when the rule is added, out of a buffer of the sender;
 * ktrxer_rule_react() fills in the first three fields.
 */
struct ktrxer_reaction {
	int32_t ktx;
	uint32_t frame_offset;
	uint32_t frame_length;
	uint32_t flags; /* KTRXER_REACT_… */
	uint64_t cookie;
	uint64_t delay_ns; /* after the packet's arrival; 0: at once; at most 60 s */
	uint64_t gap_ns; /* between the frames of one match; at most 60 s */
	uint32_t repeat; /* frames for one match, 1 to 64 */
	uint32_t limit; /* matches that are reacted to; 0: all */
	struct ktrxer_copy copies[12];
};

struct ktrxer_rule {
	uint32_t id; /* chosen by the caller, not 0, unique in the capturer */
	int32_t priority; /* the higher is tried first; of equal ones the older */
	uint32_t match; /* KTRXER_MATCH_… */
	uint32_t flags; /* KTRXER_RULE_… */
	uint8_t family; /* 4 or 6 */
	uint8_t operation; /* enum ktrxer_operation */
	uint8_t protocol; /* as in the IP header; IPv6: of the last header */
	uint8_t source_prefix; /* bits */
	uint8_t destination_prefix;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t reserved;
	uint8_t source[16]; /* bits beyond the prefix 0 */
	uint8_t destination[16];
	uint16_t source_port_first;
	uint16_t source_port_last;
	uint16_t destination_port_first;
	uint16_t destination_port_last;
	uint16_t icmp_id;
	uint16_t reserved2;
	uint32_t interface_index;
	uint32_t capture_offset; /* bytes left out before what is kept */
	uint32_t capture_length; /* bytes kept at most; 0: what fits a slot */
	struct ktrxer_edit edits[8];
	struct ktrxer_reaction reaction; /* with KTRXER_RULE_REACT */
};

struct ktrxer_counters {
	uint32_t id;
	uint32_t reserved;
	uint64_t packets; /* to which the rule was applied */
	uint64_t bytes; /* from the IP header on */
	uint64_t captured;
	uint64_t lost; /* not captured: the ring was full */
	uint64_t reactions;
	uint64_t reactions_lost;
};

struct ktrxer_rx_statistics {
	uint64_t packets; /* of the namespace, while there were rules */
	uint64_t matched;
	uint64_t captured;
	uint64_t lost; /* not captured: the ring was full */
	uint64_t dropped;
	uint32_t rules;
	uint32_t masks; /* different kinds of wildcard among them */
	uint64_t hook_moves; /* times that capturing was put first again, before another module's hook */
	uint64_t reserved[4];
};

/*
 * Opens a capturer, without rules. `options` may be NULL. Errors as of ktrxer_tx_open(), but for the interface's;
 * -EINVAL: a reserved field, slots or slot_bytes no power of two or too small; -E2BIG: they are too large.
 */
int32_t ktrxer_rx_open(struct ktrxer_rx *rx, const struct ktrxer_rx_options *options);
/* Closes, and removes its rules. Waits until no packet is in them any more, which takes some ms. */
void ktrxer_rx_close(struct ktrxer_rx *rx);
/* The file descriptor, for poll(2): POLLIN when captures are there. */
int32_t ktrxer_rx_descriptor(const struct ktrxer_rx *rx);

/*
 * Adds a rule, or replaces the one of the same id in one step; its counters go on, and it stays as old as it was.
 * -EINVAL: a field out of its range or that contradicts another; -EEXIST, -ENOENT: there is one, there is none; -EPERM:
 * dropping, edits and KTRXER_RULE_NEIGHBOUR need CAP_NET_ADMIN, which counts as it was when the capturer was opened;
 * -EACCES: would cut the device off from its own management; -ENOSPC: too many; -ENODEV: no such interface;
 * -EOPNOTSUPP: KTRXER_RULE_NEIGHBOUR on an interface without Ethernet addresses; -EBADF, -EMSGSIZE, -EFAULT: the
 * reaction's sender or frame; -ENOMEM. These, and what follows up to ktrxer_rx_list(), return -ENODEV too when the
 * network namespace is gone.
 */
int32_t ktrxer_rx_add(struct ktrxer_rx *rx, const struct ktrxer_rule *rule);
int32_t ktrxer_rx_replace(struct ktrxer_rx *rx, const struct ktrxer_rule *rule);
/* -ENOENT: there is none. */
int32_t ktrxer_rx_delete(struct ktrxer_rx *rx, uint32_t id);
/* Removes all rules. How many there were. */
int32_t ktrxer_rx_flush(struct ktrxer_rx *rx);
/*
 * Fills in at most `capacity` rules, their counters, or both (either may be NULL), with ids above `after`, in their
 * order. How many; fewer than capacity: that was all. -ENOMEM.
 */
int32_t ktrxer_rx_list(struct ktrxer_rx *rx, uint32_t after, struct ktrxer_rule *rules,
		       struct ktrxer_counters *counters, uint32_t capacity);

/*
 * Copies the next capture's record, and points *bytes to what was captured, record->captured_length bytes, good until
 * ktrxer_rx_seen(). 1; 0: there is none.
 */
int32_t ktrxer_rx_peek(struct ktrxer_rx *rx, struct ktrxer_record *record, const uint8_t **bytes);
/* Passes over the capture of the last peek that returned 1. Again, or without one, it does nothing. */
void ktrxer_rx_seen(struct ktrxer_rx *rx);
/*
 * Waits until a capture is there, at most timeout_ns, negative: for ever. 1; 0: time is up; -EINTR: a signal; -ENODEV:
 * the network namespace is gone.
 */
int32_t ktrxer_rx_wait(struct ktrxer_rx *rx, int64_t timeout_ns);
/* Fills in the counters. 0; -ENODEV: the network namespace is gone. */
int32_t ktrxer_rx_statistics(struct ktrxer_rx *rx, struct ktrxer_rx_statistics *statistics);

/* ---- both --------------------------------------------------------------------------------------------------- */

#define KTRXER_WAIT_TX 1
#define KTRXER_WAIT_RX 2
/*
 * Waits for completions or captures, at most timeout_ns, negative: for ever. Sum of KTRXER_WAIT_…; 0: time is up;
 * -EINTR: a signal; -ENODEV: there are neither, and interface or namespace are gone.
 */
int32_t ktrxer_wait_both(struct ktrxer_tx *tx, struct ktrxer_rx *rx, int64_t timeout_ns);

/* CLOCK_MONOTONIC, ns: what launch times are counted in. */
uint64_t ktrxer_now(void);

/* The module, as far as it is there. */
struct ktrxer_module {
	uint8_t version[16]; /* text, ended by a 0 byte */
	uint32_t most_frames; /* that ktrxer_tx_options.frames and ktrxer_rx_options.slots may ask for */
	uint32_t most_frame_bytes; /* of all buffers of a sender */
	uint32_t most_rules; /* of a capturer; fewer if they are of many kinds */
	uint32_t most_spin_ns;
	uint32_t rate_ceiling; /* frames a second over all senders; 0: none */
	uint32_t burst_ceiling; /* frames that may leave back to back */
	uint32_t timer_resolution_ns; /* 1 with high-resolution timers */
	uint32_t reserved;
};

/* 0, or those errors of ktrxer_tx_open() that are about the module and permission. */
int32_t ktrxer_module_info(struct ktrxer_module *module);

/* How packets to a target leave this host. */
struct ktrxer_hop {
	char interface[16]; /* ended by a 0 byte */
	uint32_t interface_index;
	uint32_t mtu; /* largest IP packet, bytes */
	uint8_t family; /* 4 or 6 */
	uint8_t link_header_length; /* 14, or 0 on links that have no link header */
	uint8_t link_header[14];
	uint8_t source[16];
	uint8_t destination[16];
};

/*
 * Finds the way to a target: an IPv4 or IPv6 address as text, an IPv6 link-local one with %interface. `interface`: the
 * one to leave by, even if the text names another, or NULL for the routing table's choice. Has the kernel resolve the
 * next hop, which takes up to 3 s when nobody is there. The link header stays as it was found: who runs for long looks
 * again now and then.
 * -EINVAL: no such text, or a link-local address without its interface; -ENETUNREACH: no route; -EHOSTUNREACH: the next
 * hop does not answer; -ENODEV: no such interface; -ENETDOWN: it is down; -EADDRNOTAVAIL: this host has no address of
 * that family; -EOPNOTSUPP: the target is this host itself, or the link has no frames that are known here.
 */
int32_t ktrxer_hop_find(struct ktrxer_hop *hop, const char *target, const char *interface);
/*
 * Writes link header and IP header (of IPv4: without options, "don't fragment", checksum included) of a packet with
 * `length` bytes after its IP header. Where those go, in bytes from the start of the frame; -EMSGSIZE: they do not fit
 * `capacity` or a packet, whatever the MTU; -EINVAL: hop->family is neither 4 nor 6.
 */
int32_t ktrxer_hop_write(const struct ktrxer_hop *hop, uint8_t *frame, uint32_t capacity, uint8_t protocol, uint8_t ttl,
			 uint32_t length);
/*
 * Makes the UDP, TCP, ICMP or ICMPv6 checksum right of a frame that begins as ktrxer_hop_write() wrote it; the last
 * thing to do. `length`: of the whole frame. 0; -EINVAL: the frame is too short, or another protocol.
 */
int32_t ktrxer_hop_seal(const struct ktrxer_hop *hop, uint8_t *frame, uint32_t length);

/*
 * Zeroes the rule and fills it in for the answers to packets that go the way of `hop`. `own`: their source port, or
 * ICMP identifier; `peer`: their destination port, unused with ICMP. Of UDP and TCP, what comes from just that address
 * and port; it is kept from the system, which would reset or refuse what it does not know of (KTRXER_CAPTURE_DROP,
 * which needs CAP_NET_ADMIN). Of ICMP, echo replies with that identifier from whomever, since groups, and hosts with
 * several addresses, answer from others; the system sees them too (KTRXER_CAPTURE).
 * 0; -EINVAL: not UDP, TCP, or the ICMP of hop->family (1 or 58).
 */
int32_t ktrxer_rule_answers(struct ktrxer_rule *rule, uint32_t id, const struct ktrxer_hop *hop, uint8_t protocol,
			    uint16_t own, uint16_t peer);
/*
 * The same for the ICMP errors that such packets draw, from wherever on the way (KTRXER_CAPTURE). The source address
 * that they quote is not compared: address translators may have changed it.
 */
int32_t ktrxer_rule_errors(struct ktrxer_rule *rule, uint32_t id, const struct ktrxer_hop *hop, uint8_t protocol,
			   uint16_t own, uint16_t peer);
/*
 * Makes a rule react: with the frame in a buffer of ktrxer_tx_get(), which stays the caller's, and may be put back or
 * used otherwise once the rule is added. Sets KTRXER_RULE_REACT, the frame, and repeat to 1 if it is 0; the rest of
 * rule->reaction is the caller's. Reactions are sent as long as the sender is open.
 * 0; -EINVAL: not a buffer that the caller has from ktrxer_tx_get(); -EMSGSIZE: length above capacity.
 */
int32_t ktrxer_rule_react(struct ktrxer_rule *rule, const struct ktrxer_tx *tx, const struct ktrxer_probe *probe);

#ifdef __cplusplus
}
#endif

#endif

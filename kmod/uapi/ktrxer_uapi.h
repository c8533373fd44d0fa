/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The interface of the kTRxer kernel module: /dev/ktx sends, /dev/krx captures.
 *
 * The two devices are independent. Each open file is one sender or one capturer, with rings of its own in memory
 * that it maps; nothing is shared between files. A file belongs to the network namespace in which it was opened.
 *
 * Opening needs CAP_NET_RAW over that namespace, and rules that keep packets from the system need CAP_NET_ADMIN
 * of whoever opened the file. Devices and rules die with their file; nothing here outlives it.
 *
 * All integers are in host byte order, addresses are bytes as on the wire, times are ns of CLOCK_MONOTONIC unless a
 * name says otherwise. The layout is the same for 32-bit and 64-bit callers. Every `reserved` field and every flag
 * bit without a name here must be 0, and is refused with EINVAL otherwise. Structures only ever grow at their end:
 * KTRXER_IOC_INFO tells the interface version, which changes only when something would break.
 *
 *
 * Sending
 * =======
 *
 *	fd = open("/dev/ktx", O_RDWR)
 *	ioctl(fd, KTX_IOC_BIND, &bind)		which interface, how large; says where the parts of the map lie
 *	mmap(bind.map_bytes at offset 0, MAP_SHARED)
 *	  fill frames and descriptors; store submission_producer (release)
 *	ioctl(fd, KTX_IOC_SUBMIT, most)		takes the descriptors; frames for "now" leave before it returns
 *	poll(fd, POLLIN)			completions are there
 *	  read completions up to completion_producer (acquire); store completion_consumer (release)
 *
 *	+----------------------+  header_offset      struct ktx_header
 *	| indices              |
 *	+----------------------+  submission_offset  struct ktx_descriptor [submission_entries]
 *	| submission ring      |  written by the user, read by the kernel
 *	+----------------------+  completion_offset  struct ktx_completion [completion_entries]
 *	| completion ring      |  written by the kernel, read by the user
 *	+----------------------+  frame_offset       frame_bytes, cut up as the user likes
 *	| frame area           |
 *	+----------------------+
 *
 * Indices run freely through all 32 bits; entry = index & (entries - 1). The kernel copies a descriptor once, judges
 * the copy and uses the copy; it keeps its own indices and trusts none that it reads back.
 *
 * A frame is everything from the link header on (from the IP header on links that have none), as it shall be on the
 * wire: the module adds nothing and checks nothing but its length. Nothing stands between it and the driver: no
 * route, no netfilter, no queueing discipline.
 *
 * Frames with launch_ns 0 leave back to back in the submitting call. The others are made ready in that call and leave
 * at their launch time: a timer fires ahead of it, by a lead that is learnt, and the rest is spent spinning (no longer
 * than spin_ns, and with the other files no more than the module parameter spin_share_percent leaves to it). With
 * drivers that the module parameter interrupt_drivers names, the timer's interrupt sends what would have to wait for
 * other softirqs, spinning for 20 us at most.
 * A frame whose launch time has passed leaves at once, unless KTX_FRAME_DROP_LATE.
 *
 * What is due leaves in one order whatever the queues: launch times first, then the frames for now as they were
 * submitted. A frame that the device refuses keeps its place, and all others wait behind it until it is tried again or
 * given up, those for other queues as well; who does not want that opens a file for each queue.
 *
 * Each descriptor that the kernel took has exactly one completion, and those of frames that left are in the order in
 * which they left. The kernel takes no descriptor for whose completion the ring has no room: a ring that the user does
 * not empty stops submission, and loses nothing.
 *
 * Frames longer than KTX_COPY_LIMIT on devices that can gather (KTX_DEVICE_GATHERS) are not copied: the device
 * reads them where they lie, and the completion has KTX_COMPLETION_REFERENCED. Until `referenced` in the header is 0
 * the bytes of some such frame may still be read. A frame that straddles no page is one piece less for the device.
 * KTX_FRAME_COPY avoids all this, at the price of a copy ahead of the launch; the launch itself is then cheaper.
 *
 *
 * Capturing
 * =========
 *
 *	fd = open("/dev/krx", O_RDWR)
 *	ioctl(fd, KRX_IOC_SETUP, &setup)	how large; says where the parts of the map lie
 *	mmap(setup.map_bytes at offset 0, MAP_SHARED)
 *	ioctl(fd, KRX_IOC_RULE_ADD, &rule)
 *	poll(fd, POLLIN)
 *	  read slots up to producer (acquire); store consumer (release)
 *
 *	+----------------------+  header_offset      struct krx_header
 *	+----------------------+  ring_offset        slots of slot_bytes, each one struct krx_record and then the
 *	| capture ring         |                     captured bytes
 *	+----------------------+
 *
 * Packets are seen in the first hook of NF_INET_PRE_ROUTING, for IPv4 and IPv6: after the receive path's own checks of
 * the IP header, before connection tracking, firewalls, routing and sockets. They need not be for an address of this
 * device. What passes that hook twice is seen once: in a bridge that shows its packets to netfilter
 * (net.bridge.bridge-nf-call-iptables), where those are seen too that are only bridged, all as the bridge's; and in a
 * VRF, as of the interface by which it came.
 *
 * Fragments come as they are; those after the first have no ports, and match only rules without ports.
 *
 * Of each file the matching rule with the highest priority is applied, of equal ones the older. Where several files
 * match one packet, each of them captures it, and it is dropped if one of them says so. Edits come last, so that all
 * files see the packet as it arrived.
 */
#ifndef KTRXER_UAPI_H
#define KTRXER_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Version of this interface, in struct ktrxer_info. */
#define KTRXER_ABI 1

/* ---- both devices ------------------------------------------------------------------------------------------- */

/* What the loaded module is and allows. */
struct ktrxer_info {
	__u32 abi;		/* KTRXER_ABI */
	__u32 features;		/* 0; bits to come */
	__u8 version[16];	/* of the module, text, ended by a 0 byte */
	__u32 most_entries;	/* of a submission or completion ring, and slots of a capture ring */
	__u32 most_frame_bytes;	/* of a frame area */
	__u32 most_rules;	/* in one file */
	__u32 most_spin_ns;	/* module parameter spin_ceiling_ns */
	__u32 rate_ceiling;	/* frames a second over all files, 0: none; module parameter */
	__u32 burst_ceiling;	/* frames that may leave back to back; module parameter */
	__u32 timer_lead_ns;	/* of this file; 0 on /dev/krx and before KTX_IOC_BIND */
	__u32 timer_resolution_ns; /* of the kernel's timers: 1 with high-resolution timers */
	__aligned_u64 memory_bytes;	/* mapped by all files together */
	__aligned_u64 memory_ceiling;	/* module parameter, in bytes */
};

#define KTRXER_IOC_MAGIC 0xB7
#define KTRXER_IOC_INFO _IOR(KTRXER_IOC_MAGIC, 0x00, struct ktrxer_info)
/*
 * The argument is an eventfd's number, or -1 for none: it is signalled whenever poll would begin to report POLLIN.
 * EBADF, EINVAL: not an eventfd.
 */
#define KTRXER_IOC_EVENTFD _IO(KTRXER_IOC_MAGIC, 0x01)

/* ---- /dev/ktx ----------------------------------------------------------------------------------------------- */

/* Frames up to so many bytes are always copied. */
#define KTX_COPY_LIMIT 256

/* A frame is late, for KTX_FRAME_DROP_LATE, from so long after its launch time on. */
#define KTX_LATE_NS 20000

/*
 * Devices give their hardware timestamp after the frame has left. The completion of a frame with KTX_FRAME_STAMP waits
 * for it, no longer than so many ns, and those behind it wait as well. Without a stamp by then, or when the interface
 * goes away meanwhile, it comes without KTX_COMPLETION_HARDWARE. That the device stamps at all is for the
 * administrator to see to (SIOCSHWTSTAMP); it does not need to stamp all frames. Where the device says, when the file's
 * first such frame is taken, that it cannot (ETHTOOL_GET_TS_INFO), nothing is waited for.
 */
#define KTX_STAMP_NS 20000000

/* ktx_bind.queue: the device's own choice for each frame. */
#define KTX_QUEUE_ANY 0xFFFFFFFFU

/* ktx_bind.device_flags */
#define KTX_DEVICE_GATHERS (1U << 0)	/* scatter-gather: long frames go by reference */
#define KTX_DEVICE_UP (1U << 1)
#define KTX_DEVICE_CARRIER (1U << 2)

/*
 * KTX_IOC_BIND, once for each file. Errors: EBUSY, bound already; EINVAL, a size that is no power of two, a reserved
 * field or an unknown flag; E2BIG, a size above ktrxer_info; ENODEV, no such interface in this namespace;
 * EOPNOTSUPP, a link type that takes no frames (loopback), or no such queue; ENOMEM; ENOBUFS, memory_ceiling reached.
 */
struct ktx_bind {
	/* in */
	__u32 interface_index;
	__u32 submission_entries; /* a power of two, 2 to most_entries */
	__u32 completion_entries; /* likewise, and not fewer */
	__u32 frame_bytes;	/* of the frame area, 1 to most_frame_bytes; rounded up to pages */
	__u32 queue;		/* of the device, from 0, or KTX_QUEUE_ANY */
	__u32 attempts;		/* how often a frame is offered to a busy device, 1 to 255; 0: 16 */
	__u32 retry_ns;		/* before the second attempt; doubles up to 32 times; 0: 20,000; at most 1 s */
	__u32 spin_ns;		/* longest spin before a launch; 0: most_spin_ns; no spin if the clock does not move */
	__u32 flags;		/* 0 */
	__u32 reserved[3];
	/* out */
	__u32 link_type;	/* ARPHRD_…, linux/if_arp.h */
	__u32 link_header;	/* bytes before the network header */
	__u32 mtu;
	__u32 longest_frame;	/* bytes, link header included */
	__u32 queues;		/* of the device */
	__u32 device_flags;	/* KTX_DEVICE_… */
	__u32 header_offset;
	__u32 submission_offset;
	__u32 completion_offset;
	__u32 frame_offset;
	__aligned_u64 map_bytes;
};

/* Indices. The first half is written by the user alone, the second by the kernel alone. */
struct ktx_header {
	__u32 submission_producer;
	__u32 completion_consumer;
	__u32 user_reserved[14];
	__u32 submission_consumer;
	__u32 completion_producer;
	__u32 referenced;	/* frames that a device may still read from the frame area */
	__u32 scheduled;	/* frames taken that have no completion yet */
	__u32 kernel_reserved[12];
};

/* ktx_descriptor.flags */
#define KTX_FRAME_DROP_LATE (1U << 0)	/* do not send when the launch time has passed: KTX_LATE */
#define KTX_FRAME_COPY (1U << 1)	/* copy, whatever the length and the device */
#define KTX_FRAME_QUEUE (1U << 2)	/* leaves by `queue` instead of the file's */
#define KTX_FRAME_STAMP (1U << 3)	/* ask the device for a hardware timestamp: see KTX_STAMP_NS */
#define KTX_FRAME_FLAGS 0xFU

struct ktx_descriptor {
	__aligned_u64 launch_ns;	/* CLOCK_MONOTONIC; 0: now */
	__aligned_u64 cookie;		/* comes back in the completion */
	__u32 frame_offset;	/* from the start of the frame area; any alignment */
	__u32 frame_length;	/* bytes, at least the link header's and at most longest_frame */
	__u32 flags;		/* KTX_FRAME_… */
	__u16 queue;		/* with KTX_FRAME_QUEUE */
	__u16 reserved;
};

/* ktx_completion.status; in brackets the error by which ktrxer.h reports it. */
enum ktx_status {
	KTX_SENT = 0,		/* the driver took it */
	KTX_LATE = 1,		/* launch time had passed, KTX_FRAME_DROP_LATE [ETIME] */
	KTX_BUSY = 2,		/* queue stopped or driver busy at every attempt [EBUSY] */
	KTX_DOWN = 3,		/* interface down [ENETDOWN] */
	KTX_NO_CARRIER = 4,	/* no carrier at every attempt [ENOLINK] */
	KTX_GONE = 5,		/* interface removed, or moved to another namespace [ENODEV] */
	KTX_CANCELLED = 6,	/* by KTX_IOC_CANCEL [ECANCELED] */
	KTX_NO_MEMORY = 7,	/* [ENOMEM] */
	KTX_BAD_LENGTH = 8,	/* shorter than the link header, or above longest_frame [EMSGSIZE] */
	KTX_BAD_FRAME = 9,	/* reaches beyond the frame area [EFAULT] */
	KTX_BAD_FLAGS = 10,	/* unknown flag, reserved field, or launch_ns above 2^63 [EINVAL] */
	KTX_BAD_QUEUE = 11,	/* no such queue [ENXIO] */
	KTX_DROPPED = 12,	/* a virtual device took the frame and threw it away [ECOMM] */
};

/* ktx_completion.flags */
#define KTX_COMPLETION_TIMED (1U << 0)	/* had a launch time */
#define KTX_COMPLETION_REFERENCED (1U << 1) /* was not copied: see `referenced` */
#define KTX_COMPLETION_REACTION (1U << 2) /* sent by a rule of /dev/krx; the cookie is the rule's */
#define KTX_COMPLETION_HARDWARE (1U << 3) /* hardware_ns is set */

struct ktx_completion {
	__aligned_u64 cookie;
	__aligned_u64 launch_ns;	/* as asked; 0: now */
	/*
	 * Just before the driver's transmit function was called, in the attempt that it took; without success, the
	 * time of the completion.
	 */
	__aligned_u64 sent_ns;
	__aligned_u64 hardware_ns;	/* of the device's own clock; 0 without KTX_COMPLETION_HARDWARE */
	__u32 status;		/* enum ktx_status */
	__u32 flags;		/* KTX_COMPLETION_… */
	__u32 attempts;		/* times that the frame was offered; 0: never */
	__u32 length;		/* of the frame, bytes */
	__aligned_u64 reserved[2];
};

/* Counters of one file since it was bound. */
struct ktx_statistics {
	__aligned_u64 submitted;	/* descriptors taken */
	__aligned_u64 sent;		/* KTX_SENT; reactions included */
	__aligned_u64 failed;		/* completed otherwise */
	__aligned_u64 bytes;		/* of frames sent */
	__aligned_u64 retries;		/* attempts that a busy device refused */
	__aligned_u64 timer_wakes;
	__aligned_u64 spin_ns;		/* spent waiting for an instant */
	__aligned_u64 held_back;	/* launches put off by rate_ceiling */
	__aligned_u64 reactions;	/* sent for rules */
	__aligned_u64 reactions_lost;	/* not sent: too many at once, no memory, or the device would not */
	__aligned_u64 completions_lost;	/* of reactions only: the ring was full */
	__u32 lead_ns;		/* how much before a launch the timer is set now */
	__u32 lateness_ns;	/* of the timer, last seen */
	__u32 lateness_least_ns;
	__u32 lateness_most_ns;
	__aligned_u64 reserved[4];
};

#define KTX_IOC_BIND _IOWR(KTRXER_IOC_MAGIC, 0x10, struct ktx_bind)
/*
 * The argument is the most descriptors to take, 0 for all that are queued. Returns how many were taken, which is fewer
 * when the completion ring has no room for more. A descriptor that is wrong in itself is taken and completes with
 * what is wrong; it does not stop those behind it. Errors: ENOTCONN, not bound; EAGAIN, descriptors are queued and
 * none could be taken; EINVAL, submission_producer is further ahead than the ring is long.
 */
#define KTX_IOC_SUBMIT _IO(KTRXER_IOC_MAGIC, 0x11)
/*
 * Completes scheduled frames that have not left, as KTX_CANCELLED. The argument points to the cookie of those that are
 * meant, or is NULL for all. Frames of rules are meant only by NULL, whatever their cookie. Returns how many frames it
 * were, those of rules not counted. ENOTCONN.
 */
#define KTX_IOC_CANCEL _IOW(KTRXER_IOC_MAGIC, 0x12, __u64)
#define KTX_IOC_STATISTICS _IOR(KTRXER_IOC_MAGIC, 0x13, struct ktx_statistics)
/*
 * The argument is how many completions make poll report POLLIN, 1 at first. EINVAL: 0, or more than the ring holds.
 * POLLERR is reported before the file is bound, alone, and when the interface is gone, with POLLHUP.
 */
#define KTX_IOC_THRESHOLD _IO(KTRXER_IOC_MAGIC, 0x14)

/* ---- /dev/krx ----------------------------------------------------------------------------------------------- */

/*
 * KRX_IOC_SETUP, once for each file. Errors: EBUSY, done already; EINVAL, no power of two, reserved field or unknown
 * flag; E2BIG; ENOMEM; ENOBUFS, memory_ceiling reached.
 */
struct krx_setup {
	/* in */
	__u32 slots;		/* a power of two, 2 to most_entries */
	__u32 slot_bytes;	/* with the record's header: a power of two, 128 to 65,536 */
	__u32 flags;		/* 0 */
	__u32 reserved[3];
	/* out */
	__u32 header_offset;
	__u32 ring_offset;
	__aligned_u64 map_bytes;
};

struct krx_header {
	__u32 consumer;		/* the user's; next slot to be read */
	__u32 user_reserved[15];
	__u32 producer;		/* the kernel's; next slot to be written */
	__u32 lost;		/* captures for which there was no room, counting round */
	__u32 kernel_reserved[14];
};

/* krx_record.source: where realtime_ns was taken. */
enum krx_stamp_source {
	KRX_STAMP_HOOK = 0,	/* in the hook: the packet had none yet */
	KRX_STAMP_KERNEL = 1,	/* on arrival in the stack, as libpcap shows it */
	KRX_STAMP_HARDWARE = 2,	/* hardware_ns is set as well */
};

/* krx_record.flags */
#define KRX_RECORD_CUT (1U << 0)	/* fewer bytes than there were from capture_offset on */
#define KRX_RECORD_LINK (1U << 1)	/* begins with the link header; the packet begins at network_offset */
#define KRX_RECORD_FRAGMENT (1U << 2)	/* part of a fragmented packet */
#define KRX_RECORD_ERROR (1U << 3)	/* an ICMP error, matched by the packet that it quotes */
#define KRX_RECORD_CHECKSUM_OPEN (1U << 4) /* its transport checksum is not filled in: it was sent on
					    * this machine, or is TCP that GRO has merged
					    */
#define KRX_RECORD_CHECKSUM_GOOD (1U << 5) /* the device has verified the transport checksum */
#define KRX_RECORD_DROPPED (1U << 6)	/* the rule kept it from the system */

/* At the start of each slot; the captured bytes follow at data_offset from the slot's start. */
struct krx_record {
	__aligned_u64 realtime_ns;	/* CLOCK_REALTIME of arrival */
	__aligned_u64 monotonic_ns;	/* the same instant on CLOCK_MONOTONIC */
	__aligned_u64 hardware_ns;	/* the device's own clock, or 0 */
	__u32 rule_id;
	__u32 interface_index;
	__u32 original_length;	/* of the packet from its IP header on, bytes; larger than the wire's after GRO */
	__u32 captured_length;	/* bytes that follow */
	__u32 capture_offset;	/* of the first of them in the packet (0: IP header, or link header) */
	__u32 sequence;		/* counts captures of the file, lost ones too, from 0 */
	__u16 data_offset;	/* sizeof(struct krx_record) */
	__u16 network_offset;	/* of the IP header in the data; 0 unless KRX_RECORD_LINK, or if they begin behind it */
	__u16 protocol;		/* 0x0800 or 0x86DD */
	__u8 source;		/* enum krx_stamp_source */
	__u8 flags;		/* KRX_RECORD_… */
	__u8 reserved[8];
};

/*
 * krx_rule.match: which fields a packet must have. A field that is not named is not compared, and must be 0.
 */
#define KRX_MATCH_SOURCE (1U << 0)	/* source, source_prefix */
#define KRX_MATCH_DESTINATION (1U << 1)
#define KRX_MATCH_PROTOCOL (1U << 2)
#define KRX_MATCH_SOURCE_PORT (1U << 3)	/* source_port_first to _last; UDP, TCP, SCTP, DCCP, UDP-Lite */
#define KRX_MATCH_DESTINATION_PORT (1U << 4)
#define KRX_MATCH_ICMP_TYPE (1U << 5)	/* ICMP or ICMPv6, which `protocol` must say */
#define KRX_MATCH_ICMP_CODE (1U << 6)
#define KRX_MATCH_ICMP_ID (1U << 7)	/* of echo, timestamp and information messages */
#define KRX_MATCH_INTERFACE (1U << 8)	/* arrived by interface_index */
/*
 * Matches ICMP errors instead of packets: those that quote a packet which is the opposite of what the rule describes
 * (the quoted source is compared with `destination`, and so on; a quoted echo request is the opposite of a reply),
 * whoever sends them. What comes back to a probe is so had by two rules that are alike but for this bit.
 */
#define KRX_MATCH_ERRORS (1U << 9)
#define KRX_MATCH_ALL 0x3FFU

/* krx_rule.operation */
enum krx_operation {
	KRX_FORWARD = 0,	/* on to the system, with the rule's edits */
	KRX_CAPTURE = 1,	/* captured, and on to the system */
	KRX_DROP = 2,		/* the system does not see it */
	KRX_CAPTURE_DROP = 3,	/* captured; the system does not see it */
};

/* krx_rule.flags */
#define KRX_RULE_LINK (1U << 0)		/* capture_offset counts from the link header, where there is one */
/*
 * The device answers ARP requests and neighbour solicitations for the rule's destination on the rule's interface with
 * its own link address, as long as the rule is there; not for addresses that the device has itself, on whichever
 * interface of the namespace. Who asks whether
 * an address is free, to take it (RFC 5227, RFC 4862), is answered only where the rule names just that address. Needs
 * KRX_MATCH_INTERFACE and KRX_MATCH_DESTINATION with a prefix of 1 bit at least, and not KRX_MATCH_ERRORS.
 */
#define KRX_RULE_NEIGHBOUR (1U << 1)
#define KRX_RULE_REACT (1U << 2)	/* `reaction` is sent for each match */
#define KRX_RULE_FLAGS 0x7U

/* krx_edit.field, for KRX_FORWARD. Checksums stay right. */
enum krx_edit_field {
	KRX_EDIT_NONE = 0,
	KRX_EDIT_SOURCE = 1,	/* 4 or 16 bytes of value */
	KRX_EDIT_DESTINATION = 2,
	KRX_EDIT_SOURCE_PORT = 3, /* 2 bytes, network order; UDP, TCP */
	KRX_EDIT_DESTINATION_PORT = 4,
	KRX_EDIT_TTL = 5,	/* 1 byte; IPv4 TTL or IPv6 hop limit */
	KRX_EDIT_DSCP = 6,	/* 1 byte, 0 to 63 */
	KRX_EDIT_PAYLOAD = 7,	/* `length` bytes at `offset` after the UDP, TCP or ICMP header, if it has as many */
};

#define KRX_EDITS 8
struct krx_edit {
	__u8 field;		/* enum krx_edit_field; KRX_EDIT_NONE ends the list */
	__u8 length;		/* of value, 1 to 16; as the field demands */
	__u16 offset;		/* KRX_EDIT_PAYLOAD only */
	__u8 value[16];
};

/* krx_copy.base: where in the matched packet `from` counts from. */
enum krx_base {
	KRX_BASE_NONE = 0,	/* ends the list */
	KRX_BASE_LINK = 1,
	KRX_BASE_NETWORK = 2,
	KRX_BASE_TRANSPORT = 3,
	KRX_BASE_PAYLOAD = 4,	/* after the UDP, TCP or ICMP (8 bytes) header */
};

/* krx_copy.operation */
enum krx_copy_operation {
	KRX_COPY_BYTES = 0,	/* `length` bytes */
	KRX_COPY_ADD = 1,	/* a number of 1, 2 or 4 bytes in network order, plus `addend` */
	KRX_COPY_ADD_SEGMENT = 2, /* the same, plus the matched TCP segment's length: payload, SYN, FIN; of TCP rules */
};

#define KRX_COPIES 12
struct krx_copy {
	__u8 base;		/* enum krx_base */
	__u8 operation;		/* enum krx_copy_operation */
	__u16 from;		/* bytes after base */
	__u16 to;		/* bytes after the start of the frame */
	__u16 length;		/* 1 to 64 */
	__u32 addend;
};

/* krx_reaction.flags */
/*
 * IPv4, UDP, TCP, ICMP and ICMPv6 checksums are made right after copying. The transport's stays as it was prepared in
 * fragments, and behind an IPv6 routing header with segments left, whose final destination it is made of (RFC 8200
 * section 8.1).
 */
#define KRX_REACT_CHECKSUMS (1U << 0)
/* The match's payload follows the frame, as far as longest_frame has room; IP and UDP lengths are made right. */
#define KRX_REACT_APPEND_PAYLOAD (1U << 1)
#define KRX_REACT_FLAGS 0x3U

/*
 * A frame that is sent when the rule matches. It is copied out of the frame area of `ktx`, a bound /dev/ktx file of
 * the caller's, when the rule is added, and goes the way of that file's frames: by its interface and retries,
 * under the same ceilings, completed in its ring with KTX_COMPLETION_REACTION. Where the packet does not have what is
 * to be copied, no frame is sent and reactions_lost counts. The flags need a frame that is IPv4 or IPv6, behind its
 * link header and VLAN tags. The rule goes on without reacting when that file is closed.
 */
struct krx_reaction {
	__s32 ktx;		/* file descriptor */
	__u32 frame_offset;
	__u32 frame_length;
	__u32 flags;		/* KRX_REACT_… */
	__aligned_u64 cookie;
	__aligned_u64 delay_ns;		/* after the packet's arrival; 0: at once; at most 60 s */
	__aligned_u64 gap_ns;		/* between the frames of one match; at most 60 s */
	__u32 repeat;		/* frames for one match, 1 to 64 */
	__u32 limit;		/* matches that are reacted to; 0: all. Counts anew after KRX_IOC_RULE_REPLACE */
	struct krx_copy copies[KRX_COPIES];
};

/*
 * Errors of KRX_IOC_RULE_ADD and _REPLACE: ENOTCONN, not set up; EINVAL, a field out of its range or that contradicts
 * another; EEXIST, the id is taken (_ADD); ENOENT, it is not (_REPLACE); EPERM, KRX_DROP, KRX_CAPTURE_DROP, edits or
 * KRX_RULE_NEIGHBOUR without CAP_NET_ADMIN; EACCES, a rule other than KRX_CAPTURE that covers the device's own
 * management (see module parameter allow_management); ENOSPC, too many rules, more than 64 kinds of wildcard, or more
 * than 256 rules that differ in interface, port ranges or nothing; EBADF, reaction.ktx is no bound /dev/ktx file of
 * this namespace; EMSGSIZE, EFAULT, its frame is too short or long, or reaches beyond the frame area; ENODEV, no such
 * interface, or the namespace is gone; EOPNOTSUPP, KRX_RULE_NEIGHBOUR on an interface without Ethernet addresses;
 * ENOBUFS, memory_ceiling reached by frames that wait and those of reactions; ENOMEM.
 *
 * A rule covers the management if it could match TCP to port 22, 80 or 443 of an address that the device has when the
 * rule is added, from a port above 1023: what comes from lower ports answers a probe, and manages nothing. Rules with
 * KRX_MATCH_ERRORS never do. capture_offset, capture_length and KRX_RULE_LINK are for rules that capture, edits for
 * KRX_FORWARD.
 */
struct krx_rule {
	__u32 id;		/* chosen by the caller, not 0, unique in the file */
	__s32 priority;		/* the higher is tried first */
	__u32 match;		/* KRX_MATCH_… */
	__u32 flags;		/* KRX_RULE_… */
	__u8 family;		/* 4 or 6 */
	__u8 operation;		/* enum krx_operation */
	__u8 protocol;		/* as in the IP header; IPv6: of the last header */
	__u8 source_prefix;	/* bits, 0 to 32 or 128 */
	__u8 destination_prefix;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 reserved;
	__u8 source[16];	/* IPv4 in the first 4; bits beyond the prefix 0 */
	__u8 destination[16];
	__u16 source_port_first;
	__u16 source_port_last;
	__u16 destination_port_first;
	__u16 destination_port_last;
	__u16 icmp_id;
	__u16 reserved2;
	__u32 interface_index;
	__u32 capture_offset;	/* bytes left out before what is kept */
	__u32 capture_length;	/* bytes kept at most; 0: what fits the slot */
	struct krx_edit edits[KRX_EDITS];
	struct krx_reaction reaction; /* with KRX_RULE_REACT, else 0 */
};

struct krx_rule_counters {
	__u32 id;
	__u32 reserved;
	__aligned_u64 packets;		/* to which the rule was applied */
	__aligned_u64 bytes;		/* from the IP header on */
	__aligned_u64 captured;
	__aligned_u64 lost;		/* not captured: the ring was full */
	__aligned_u64 reactions;	/* frames handed to /dev/ktx */
	__aligned_u64 reactions_lost;
};

/* KRX_IOC_RULE_LIST: fills in the rules with ids above `after`, in the order of their ids. */
struct krx_rule_list {
	__u32 after;		/* in: 0 at first, then the last id seen */
	__u32 capacity;		/* in: entries of each array */
	__u32 count;		/* out: entries filled in; fewer than capacity: that was all */
	__u32 reserved;
	__aligned_u64 rules;		/* in: pointer to struct krx_rule [capacity], or 0 */
	__aligned_u64 counters;		/* in: pointer to struct krx_rule_counters [capacity], or 0 */
};

struct krx_statistics {
	/* Of the namespace, that passed the hook while the file had rules; what passes it twice counts twice. */
	__aligned_u64 packets;
	__aligned_u64 matched;
	__aligned_u64 captured;
	__aligned_u64 lost;
	__aligned_u64 dropped;
	__u32 rules;
	__u32 masks;		/* different kinds of wildcard among them, which is what a look-up costs */
	__aligned_u64 hook_moves;	/* times that the hook was put first again, in this namespace */
	__aligned_u64 reserved[4];
};

#define KRX_IOC_SETUP _IOWR(KTRXER_IOC_MAGIC, 0x20, struct krx_setup)
#define KRX_IOC_RULE_ADD _IOW(KTRXER_IOC_MAGIC, 0x21, struct krx_rule)
/* Replaces the rule of the same id in one step; its counters go on, and it stays as old as it was. */
#define KRX_IOC_RULE_REPLACE _IOW(KTRXER_IOC_MAGIC, 0x22, struct krx_rule)
/* The argument is the id. ENOENT. */
#define KRX_IOC_RULE_DELETE _IO(KTRXER_IOC_MAGIC, 0x23)
#define KRX_IOC_RULE_LIST _IOWR(KTRXER_IOC_MAGIC, 0x24, struct krx_rule_list)
/* Removes all rules; returns how many there were. */
#define KRX_IOC_RULE_FLUSH _IO(KTRXER_IOC_MAGIC, 0x25)
#define KRX_IOC_STATISTICS _IOR(KTRXER_IOC_MAGIC, 0x26, struct krx_statistics)
/*
 * The argument is how many unread records make poll report POLLIN, 1 at first. EINVAL: 0, or above the slots.
 * POLLERR is reported before the file is set up, alone, and when the namespace is gone, with POLLHUP.
 */
#define KRX_IOC_THRESHOLD _IO(KTRXER_IOC_MAGIC, 0x27)

#endif /* KTRXER_UAPI_H */

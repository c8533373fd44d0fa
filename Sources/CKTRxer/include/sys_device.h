/* SPDX-License-Identifier: MIT */
/*
 * The kernel module's two devices: /dev/ktx sends, /dev/krx captures (kmod/uapi/ktrxer_uapi.h). Their mapped rings, from
 * the user's side. Descriptors, completions, rules and records are those of ktrxer.h, whose layout is the kernel's.
 */
#ifndef KTRXER_SYS_DEVICE_H
#define KTRXER_SYS_DEVICE_H

#include "ktrxer.h"

#include <stdint.h>

/*
 * A descriptor of the device, or -errno: -ENOENT, -ENXIO: the module is not loaded; -EPERM, -EACCES: no CAP_NET_RAW;
 * -EPROTO: another interface version. It neither sends nor captures yet.
 */
int32_t ktrxer_sender_device(void);
int32_t ktrxer_capturer_device(void);
/* Closes one that was not bound or set up. */
void ktrxer_device_close(int32_t descriptor);
/* Whether an error of these says that there is no module that could be used: 1, or 0. */
int32_t ktrxer_device_missing(int32_t result);
/* ktrxer_device_missing() because of the interface version: 1, or 0. */
int32_t ktrxer_device_mismatch(int32_t result);

struct ktrxer_device_info {
	uint32_t abi; /* the module's */
	uint32_t expected_abi; /* this program's */
	uint8_t version[16]; /* text, ended by a 0 byte */
	uint32_t most_entries;
	uint32_t most_frame_bytes;
	uint32_t most_rules;
	uint32_t most_spin_ns;
	uint32_t rate_ceiling;
	uint32_t burst_ceiling;
	uint32_t timer_lead_ns; /* 0 before binding */
	uint32_t timer_resolution_ns;
	uint64_t memory_bytes;
	uint64_t memory_ceiling;
};

/* What the module is. descriptor -1: opens /dev/ktx for it, whatever the interface version. 0 or -errno. */
int32_t ktrxer_device_info(int32_t descriptor, struct ktrxer_device_info *info);

/* ---- sending */

struct ktrxer_sender_setup {
	uint32_t interface_index;
	uint32_t submission_entries; /* powers of two */
	uint32_t completion_entries;
	uint32_t frame_bytes; /* of the frame area */
	uint32_t queue; /* KTRXER_QUEUE_ANY: the device's choice */
	uint32_t attempts; /* 0: the module's */
	uint32_t retry_ns;
	uint32_t spin_ns;
};
#define KTRXER_QUEUE_ANY 0xFFFFFFFFU

struct ktrxer_sender {
	int32_t descriptor;
	uint32_t submission_entries;
	uint32_t completion_entries;
	uint32_t produced; /* descriptors written */
	uint32_t consumed; /* completions seen */
	uint32_t frame_bytes; /* as asked for */
	struct ktrxer_link link;
	uint64_t map_bytes;
	uint8_t *map;
	uint8_t *header;
	uint8_t *descriptors;
	uint8_t *completions;
	uint8_t *frames; /* frame_bytes, for the caller to cut up */
};

struct ktrxer_descriptor {
	uint64_t launch_ns; /* CLOCK_MONOTONIC; 0: now */
	uint64_t cookie;
	uint32_t frame_offset;
	uint32_t frame_length;
	uint32_t flags; /* KTRXER_FRAME_… */
	uint16_t queue;
	uint16_t reserved;
};

/* Binds a device and owns it: closed on failure. 0 or -errno as of KTX_IOC_BIND. */
int32_t ktrxer_sender_bind(struct ktrxer_sender *sender, int32_t descriptor, const struct ktrxer_sender_setup *setup);
void ktrxer_sender_close(struct ktrxer_sender *sender);
/* Writes a descriptor behind those before. 0; -EAGAIN: the ring is full. */
int32_t ktrxer_sender_queue(struct ktrxer_sender *sender, const struct ktrxer_descriptor *descriptor);
/* Descriptors written that the kernel has not taken. */
uint32_t ktrxer_sender_queued(const struct ktrxer_sender *sender);
/* Has the kernel take them. How many it took, or -errno; -EAGAIN: none, for want of room for completions. */
int32_t ktrxer_sender_submit(struct ktrxer_sender *sender);
/* Takes back those that the kernel has not taken. */
void ktrxer_sender_withdraw(struct ktrxer_sender *sender);
/* 1: *completion is the next; 0: none. */
int32_t ktrxer_sender_peek(struct ktrxer_sender *sender, struct ktrxer_completion *completion);
void ktrxer_sender_seen(struct ktrxer_sender *sender);
/* Those with *cookie, or all when NULL. How many, or -errno. */
int32_t ktrxer_sender_cancel(struct ktrxer_sender *sender, const uint64_t *cookie);
int32_t ktrxer_sender_statistics(struct ktrxer_sender *sender, struct ktrxer_tx_statistics *statistics);
/* Frames that the device may still read from the frame area. */
uint32_t ktrxer_sender_referenced(const struct ktrxer_sender *sender);
/* 1: the interface is gone, and polling reports nothing else any more; 0. */
int32_t ktrxer_sender_gone(const struct ktrxer_sender *sender);

/* ---- capturing */

struct ktrxer_capturer {
	int32_t descriptor;
	uint32_t slots;
	uint32_t slot_bytes;
	uint32_t consumed;
	uint32_t lost; /* as last read */
	uint32_t peeked; /* the slot at `consumed` was shown: it may be given back */
	uint64_t map_bytes;
	uint8_t *map;
	uint8_t *header;
	uint8_t *ring;
};

/* Sets a device up and owns it: closed on failure. Powers of two. 0 or -errno as of KRX_IOC_SETUP. */
int32_t ktrxer_capturer_setup(struct ktrxer_capturer *capturer, int32_t descriptor, uint32_t slots, uint32_t slot_bytes);
void ktrxer_capturer_close(struct ktrxer_capturer *capturer);
/* 0 or -errno as of KRX_IOC_RULE_ADD. */
int32_t ktrxer_capturer_add(struct ktrxer_capturer *capturer, const struct ktrxer_rule *rule);
int32_t ktrxer_capturer_replace(struct ktrxer_capturer *capturer, const struct ktrxer_rule *rule);
int32_t ktrxer_capturer_delete(struct ktrxer_capturer *capturer, uint32_t id);
int32_t ktrxer_capturer_flush(struct ktrxer_capturer *capturer);
int32_t ktrxer_capturer_list(struct ktrxer_capturer *capturer, uint32_t after, struct ktrxer_rule *rules,
			     struct ktrxer_counters *counters, uint32_t capacity);
/* 1: *record is the next, its bytes at *bytes until ktrxer_capturer_seen(), and as many as it says; 0: none. */
int32_t ktrxer_capturer_peek(struct ktrxer_capturer *capturer, struct ktrxer_record *record, const uint8_t **bytes);
/* Passes over what was peeked at last; without it, nothing happens. */
void ktrxer_capturer_seen(struct ktrxer_capturer *capturer);
/* Captures lost because the ring was full, since the last call. */
uint32_t ktrxer_capturer_lost(struct ktrxer_capturer *capturer);
int32_t ktrxer_capturer_statistics(struct ktrxer_capturer *capturer, struct ktrxer_rx_statistics *statistics);

/*
 * Waits until completions or captures are there; either may be NULL. Timeout in ns, negative: for ever. 1: completions,
 * 2: captures, 3: both; 0: time is up; -ENODEV: the interface is gone; -EINTR.
 */
int32_t ktrxer_device_wait(struct ktrxer_sender *sender, struct ktrxer_capturer *capturer, int64_t timeout);

#endif

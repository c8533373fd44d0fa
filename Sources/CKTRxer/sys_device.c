/* SPDX-License-Identifier: MIT */
#include "sys_device.h"

#include "device_calls.h"
#include "ktrxer_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * What ktrxer.h declares is what the kernel reads and writes, on every processor: each field of one at its place in the
 * other.
 */
#define SAME_SIZE(ours, theirs, bytes) \
	_Static_assert(sizeof(struct ours) == (bytes) && sizeof(struct theirs) == (bytes), "size of " #ours)
#define SAME_PLACE(ours, theirs, field) \
	_Static_assert(offsetof(struct ours, field) == offsetof(struct theirs, field) && \
		       sizeof(((struct ours *)0)->field) == sizeof(((struct theirs *)0)->field), #ours "." #field)

SAME_SIZE(ktrxer_descriptor, ktx_descriptor, 32);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, launch_ns);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, cookie);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, frame_offset);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, frame_length);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, flags);
SAME_PLACE(ktrxer_descriptor, ktx_descriptor, queue);

SAME_SIZE(ktrxer_completion, ktx_completion, 64);
SAME_PLACE(ktrxer_completion, ktx_completion, cookie);
SAME_PLACE(ktrxer_completion, ktx_completion, launch_ns);
SAME_PLACE(ktrxer_completion, ktx_completion, sent_ns);
SAME_PLACE(ktrxer_completion, ktx_completion, hardware_ns);
SAME_PLACE(ktrxer_completion, ktx_completion, status);
SAME_PLACE(ktrxer_completion, ktx_completion, flags);
SAME_PLACE(ktrxer_completion, ktx_completion, attempts);
SAME_PLACE(ktrxer_completion, ktx_completion, length);

SAME_SIZE(ktrxer_tx_statistics, ktx_statistics, 136);
SAME_PLACE(ktrxer_tx_statistics, ktx_statistics, held_back);
SAME_PLACE(ktrxer_tx_statistics, ktx_statistics, completions_lost);
SAME_PLACE(ktrxer_tx_statistics, ktx_statistics, lead_ns);
SAME_PLACE(ktrxer_tx_statistics, ktx_statistics, lateness_most_ns);

SAME_SIZE(ktrxer_record, krx_record, 64);
SAME_PLACE(ktrxer_record, krx_record, realtime_ns);
SAME_PLACE(ktrxer_record, krx_record, monotonic_ns);
SAME_PLACE(ktrxer_record, krx_record, hardware_ns);
SAME_PLACE(ktrxer_record, krx_record, rule_id);
SAME_PLACE(ktrxer_record, krx_record, interface_index);
SAME_PLACE(ktrxer_record, krx_record, original_length);
SAME_PLACE(ktrxer_record, krx_record, captured_length);
SAME_PLACE(ktrxer_record, krx_record, capture_offset);
SAME_PLACE(ktrxer_record, krx_record, sequence);
SAME_PLACE(ktrxer_record, krx_record, data_offset);
SAME_PLACE(ktrxer_record, krx_record, network_offset);
SAME_PLACE(ktrxer_record, krx_record, protocol);
SAME_PLACE(ktrxer_record, krx_record, source);
SAME_PLACE(ktrxer_record, krx_record, flags);

SAME_SIZE(ktrxer_edit, krx_edit, 20);
SAME_SIZE(ktrxer_copy, krx_copy, 12);
SAME_PLACE(ktrxer_copy, krx_copy, addend);
SAME_SIZE(ktrxer_reaction, krx_reaction, 192);
SAME_PLACE(ktrxer_reaction, krx_reaction, cookie);
SAME_PLACE(ktrxer_reaction, krx_reaction, gap_ns);
SAME_PLACE(ktrxer_reaction, krx_reaction, limit);
SAME_PLACE(ktrxer_reaction, krx_reaction, copies);
SAME_SIZE(ktrxer_rule, krx_rule, 432);
SAME_PLACE(ktrxer_rule, krx_rule, match);
SAME_PLACE(ktrxer_rule, krx_rule, flags);
SAME_PLACE(ktrxer_rule, krx_rule, family);
SAME_PLACE(ktrxer_rule, krx_rule, operation);
SAME_PLACE(ktrxer_rule, krx_rule, icmp_code);
SAME_PLACE(ktrxer_rule, krx_rule, source);
SAME_PLACE(ktrxer_rule, krx_rule, destination);
SAME_PLACE(ktrxer_rule, krx_rule, source_port_first);
SAME_PLACE(ktrxer_rule, krx_rule, destination_port_last);
SAME_PLACE(ktrxer_rule, krx_rule, icmp_id);
SAME_PLACE(ktrxer_rule, krx_rule, interface_index);
SAME_PLACE(ktrxer_rule, krx_rule, capture_offset);
SAME_PLACE(ktrxer_rule, krx_rule, capture_length);
SAME_PLACE(ktrxer_rule, krx_rule, edits);
SAME_PLACE(ktrxer_rule, krx_rule, reaction);
SAME_SIZE(ktrxer_counters, krx_rule_counters, 56);
SAME_PLACE(ktrxer_counters, krx_rule_counters, reactions_lost);
SAME_SIZE(ktrxer_rx_statistics, krx_statistics, 88);
SAME_PLACE(ktrxer_rx_statistics, krx_statistics, masks);
SAME_PLACE(ktrxer_rx_statistics, krx_statistics, hook_moves);

/* The rest of the interface, as this file uses it. */
_Static_assert(sizeof(struct ktrxer_info) == 72, "info");
_Static_assert(offsetof(struct ktrxer_info, memory_ceiling) == 64, "info");
_Static_assert(sizeof(struct ktx_bind) == 96 && offsetof(struct ktx_bind, map_bytes) == 88, "bind");
_Static_assert(sizeof(struct ktx_header) == 128 && offsetof(struct ktx_header, submission_consumer) == 64, "header");
_Static_assert(sizeof(struct krx_setup) == 40 && offsetof(struct krx_setup, map_bytes) == 32, "setup");
_Static_assert(sizeof(struct krx_header) == 128 && offsetof(struct krx_header, producer) == 64, "header");
_Static_assert(sizeof(struct krx_rule_list) == 32, "list");

#define SAME_NUMBER(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours)
SAME_NUMBER(KTRXER_FRAME_STAMP | KTRXER_FRAME_QUEUE | KTRXER_FRAME_COPY | KTRXER_FRAME_DROP_LATE, KTX_FRAME_FLAGS);
SAME_NUMBER(KTRXER_DROPPED, KTX_DROPPED);
SAME_NUMBER(KTRXER_COMPLETION_HARDWARE, KTX_COMPLETION_HARDWARE);
SAME_NUMBER(KTRXER_DEVICE_CARRIER, KTX_DEVICE_CARRIER);
SAME_NUMBER(KTRXER_MATCH_ERRORS, KRX_MATCH_ERRORS);
SAME_NUMBER(KTRXER_CAPTURE_DROP, KRX_CAPTURE_DROP);
SAME_NUMBER(KTRXER_RULE_LINK | KTRXER_RULE_NEIGHBOUR | KTRXER_RULE_REACT, KRX_RULE_FLAGS);
SAME_NUMBER(KTRXER_RECORD_DROPPED, KRX_RECORD_DROPPED);
SAME_NUMBER(KTRXER_STAMP_HARDWARE, KRX_STAMP_HARDWARE);
SAME_NUMBER(KTRXER_EDIT_PAYLOAD, KRX_EDIT_PAYLOAD);
SAME_NUMBER(KTRXER_BASE_PAYLOAD, KRX_BASE_PAYLOAD);
SAME_NUMBER(KTRXER_COPY_ADD_SEGMENT, KRX_COPY_ADD_SEGMENT);
SAME_NUMBER(KTRXER_REACT_CHECKSUMS | KTRXER_REACT_APPEND_PAYLOAD, KRX_REACT_FLAGS);

/* ---- the system calls */

#ifdef KTRXER_SIMULATION
_Thread_local const struct device_calls *simulated_device;
#define SIMULATED(call) do { if (simulated_device) return simulated_device->call; } while (0)
#else
#define SIMULATED(call) do { } while (0)
#endif

static int open_device(const char *path)
{
	int descriptor;

	SIMULATED(open(path));
	descriptor = open(path, O_RDWR | O_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

static int control(int descriptor, unsigned long request, void *argument)
{
	int result;

	SIMULATED(control(descriptor, request, argument));
	/* The C libraries do not agree on the type of the request; the kernel takes 32 bits. */
	result = ioctl(descriptor, (unsigned int)request, argument);
	return result < 0 ? -errno : result;
}

static int control_number(int descriptor, unsigned long request, uint32_t number)
{
	return control(descriptor, request, (void *)(uintptr_t)number);
}

static int map_device(int descriptor, size_t bytes, uint8_t **map)
{
	void *mapped;

	SIMULATED(map(descriptor, bytes, map));
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	/* A child that looks a name up would keep the file, its rules and its memory for as long as that takes. */
	madvise(mapped, bytes, MADV_DONTFORK);
	*map = mapped;
	return 0;
}

static void unmap_device(uint8_t *map, size_t bytes)
{
	SIMULATED(unmap(map, bytes));
	munmap(map, bytes);
}

static void close_device(int descriptor)
{
	SIMULATED(close(descriptor));
	close(descriptor);
}

/* ---- what both have */

static int open_checked(const char *path)
{
	struct ktrxer_info info;
	int descriptor = open_device(path);
	int result;

	if (descriptor < 0)
		return descriptor;
	/* Another version may know neither this request nor its size. */
	result = control(descriptor, KTRXER_IOC_INFO, &info);
	if (result >= 0 && info.abi == KTRXER_ABI)
		return descriptor;
	close_device(descriptor);
	return -EPROTO;
}

int32_t ktrxer_sender_device(void)
{
	return open_checked("/dev/ktx");
}

int32_t ktrxer_capturer_device(void)
{
	return open_checked("/dev/krx");
}

void ktrxer_device_close(int32_t descriptor)
{
	close_device(descriptor);
}

int32_t ktrxer_device_missing(int32_t result)
{
	return result == -ENOENT || result == -ENXIO || result == -ENODEV;
}

int32_t ktrxer_device_mismatch(int32_t result)
{
	return result == -EPROTO;
}

int32_t ktrxer_device_info(int32_t descriptor, struct ktrxer_device_info *out)
{
	struct ktrxer_info info;
	int own = -1;
	int result;

	memset(out, 0, sizeof(*out));
	out->expected_abi = KTRXER_ABI;
	if (descriptor < 0) {
		own = open_device("/dev/ktx");
		if (own < 0)
			return own;
		descriptor = own;
	}
	result = control(descriptor, KTRXER_IOC_INFO, &info);
	if (own >= 0)
		close_device(own);
	if (result < 0)
		return -EPROTO;
	out->abi = info.abi;
	memcpy(out->version, info.version, sizeof(out->version));
	out->version[sizeof(out->version) - 1] = 0;
	out->most_entries = info.most_entries;
	out->most_frame_bytes = info.most_frame_bytes;
	out->most_rules = info.most_rules;
	out->most_spin_ns = info.most_spin_ns;
	out->rate_ceiling = info.rate_ceiling;
	out->burst_ceiling = info.burst_ceiling;
	out->timer_lead_ns = info.timer_lead_ns;
	out->timer_resolution_ns = info.timer_resolution_ns;
	out->memory_bytes = info.memory_bytes;
	out->memory_ceiling = info.memory_ceiling;
	return 0;
}

/* A map that does not fit this process's addresses is refused. */
static int map_rings(int descriptor, uint64_t bytes, uint8_t **map)
{
	if (bytes > SIZE_MAX)
		return -ENOMEM;
	return map_device(descriptor, (size_t)bytes, map);
}

/* ---- sending */

static struct ktx_header *sender_header(const struct ktrxer_sender *sender)
{
	return (struct ktx_header *)sender->header;
}

int32_t ktrxer_sender_bind(struct ktrxer_sender *sender, int32_t descriptor, const struct ktrxer_sender_setup *setup)
{
	struct ktx_bind bind = {
		.interface_index = setup->interface_index,
		.submission_entries = setup->submission_entries,
		.completion_entries = setup->completion_entries,
		.frame_bytes = setup->frame_bytes,
		.queue = setup->queue,
		.attempts = setup->attempts,
		.retry_ns = setup->retry_ns,
		.spin_ns = setup->spin_ns,
	};
	int result;

	_Static_assert(KTRXER_QUEUE_ANY == KTX_QUEUE_ANY, "queue");
	memset(sender, 0, sizeof(*sender));
	sender->descriptor = -1;
	result = control(descriptor, KTX_IOC_BIND, &bind);
	if (result >= 0)
		result = map_rings(descriptor, bind.map_bytes, &sender->map);
	if (result < 0) {
		close_device(descriptor);
		return result;
	}
	sender->descriptor = descriptor;
	sender->submission_entries = setup->submission_entries;
	sender->completion_entries = setup->completion_entries;
	sender->frame_bytes = setup->frame_bytes;
	sender->link.link_type = bind.link_type;
	sender->link.link_header = bind.link_header;
	sender->link.mtu = bind.mtu;
	sender->link.longest_frame = bind.longest_frame;
	sender->link.queues = bind.queues;
	sender->link.device_flags = bind.device_flags;
	sender->map_bytes = bind.map_bytes;
	sender->header = sender->map + bind.header_offset;
	sender->descriptors = sender->map + bind.submission_offset;
	sender->completions = sender->map + bind.completion_offset;
	sender->frames = sender->map + bind.frame_offset;
	return 0;
}

void ktrxer_sender_close(struct ktrxer_sender *sender)
{
	if (sender->descriptor < 0)
		return;
	unmap_device(sender->map, (size_t)sender->map_bytes);
	close_device(sender->descriptor);
	sender->descriptor = -1;
}

uint32_t ktrxer_sender_queued(const struct ktrxer_sender *sender)
{
	/* Pairs with the kernel's release: what it has taken, it has read. */
	uint32_t taken = __atomic_load_n(&sender_header(sender)->submission_consumer, __ATOMIC_ACQUIRE);
	uint32_t queued = sender->produced - taken;

	return queued <= sender->submission_entries ? queued : sender->submission_entries;
}

int32_t ktrxer_sender_queue(struct ktrxer_sender *sender, const struct ktrxer_descriptor *descriptor)
{
	uint32_t entry = sender->produced & (sender->submission_entries - 1);

	if (ktrxer_sender_queued(sender) == sender->submission_entries)
		return -EAGAIN;
	memcpy(sender->descriptors + entry * sizeof(struct ktx_descriptor), descriptor, sizeof(*descriptor));
	sender->produced++;
	return 0;
}

int32_t ktrxer_sender_submit(struct ktrxer_sender *sender)
{
	/* Pairs with the kernel's acquire: frames and descriptors are there before the index says so. */
	__atomic_store_n(&sender_header(sender)->submission_producer, sender->produced, __ATOMIC_RELEASE);
	return control_number(sender->descriptor, KTX_IOC_SUBMIT, 0);
}

void ktrxer_sender_withdraw(struct ktrxer_sender *sender)
{
	sender->produced -= ktrxer_sender_queued(sender);
	__atomic_store_n(&sender_header(sender)->submission_producer, sender->produced, __ATOMIC_RELEASE);
}

int32_t ktrxer_sender_peek(struct ktrxer_sender *sender, struct ktrxer_completion *completion)
{
	/* Pairs with the kernel's release: completions are there before the index says so. */
	uint32_t producer = __atomic_load_n(&sender_header(sender)->completion_producer, __ATOMIC_ACQUIRE);
	uint32_t entry = sender->consumed & (sender->completion_entries - 1);
	uint32_t unread = producer - sender->consumed;

	if (unread == 0 || unread > sender->completion_entries)
		return 0;
	memcpy(completion, sender->completions + entry * sizeof(*completion), sizeof(*completion));
	return 1;
}

void ktrxer_sender_seen(struct ktrxer_sender *sender)
{
	sender->consumed++;
	/* Pairs with the kernel's acquire: the entry has been read before it is given back. */
	__atomic_store_n(&sender_header(sender)->completion_consumer, sender->consumed, __ATOMIC_RELEASE);
}

int32_t ktrxer_sender_cancel(struct ktrxer_sender *sender, const uint64_t *cookie)
{
	return control(sender->descriptor, KTX_IOC_CANCEL, (void *)cookie);
}

int32_t ktrxer_sender_statistics(struct ktrxer_sender *sender, struct ktrxer_tx_statistics *statistics)
{
	return control(sender->descriptor, KTX_IOC_STATISTICS, statistics);
}

uint32_t ktrxer_sender_referenced(const struct ktrxer_sender *sender)
{
	return __atomic_load_n(&sender_header(sender)->referenced, __ATOMIC_ACQUIRE);
}

int32_t ktrxer_sender_gone(const struct ktrxer_sender *sender)
{
	struct pollfd entry = { .fd = sender->descriptor, .events = 0 };

	return poll(&entry, 1, 0) == 1 && entry.revents & POLLERR;
}

int32_t ktrxer_status_error(uint32_t status)
{
	static const int errors[] = {
		[KTX_SENT] = 0,
		[KTX_LATE] = ETIME,
		[KTX_BUSY] = EBUSY,
		[KTX_DOWN] = ENETDOWN,
		[KTX_NO_CARRIER] = ENOLINK,
		[KTX_GONE] = ENODEV,
		[KTX_CANCELLED] = ECANCELED,
		[KTX_NO_MEMORY] = ENOMEM,
		[KTX_BAD_LENGTH] = EMSGSIZE,
		[KTX_BAD_FRAME] = EFAULT,
		[KTX_BAD_FLAGS] = EINVAL,
		[KTX_BAD_QUEUE] = ENXIO,
		[KTX_DROPPED] = ECOMM,
	};

	return status < sizeof(errors) / sizeof(errors[0]) ? errors[status] : EPROTO;
}

/* ---- capturing */

static struct krx_header *capturer_header(const struct ktrxer_capturer *capturer)
{
	return (struct krx_header *)capturer->header;
}

int32_t ktrxer_capturer_setup(struct ktrxer_capturer *capturer, int32_t descriptor, uint32_t slots, uint32_t slot_bytes)
{
	struct krx_setup setup = { .slots = slots, .slot_bytes = slot_bytes };
	int result;

	memset(capturer, 0, sizeof(*capturer));
	capturer->descriptor = -1;
	result = control(descriptor, KRX_IOC_SETUP, &setup);
	if (result >= 0)
		result = map_rings(descriptor, setup.map_bytes, &capturer->map);
	if (result < 0) {
		close_device(descriptor);
		return result;
	}
	capturer->descriptor = descriptor;
	capturer->slots = slots;
	capturer->slot_bytes = slot_bytes;
	capturer->map_bytes = setup.map_bytes;
	capturer->header = capturer->map + setup.header_offset;
	capturer->ring = capturer->map + setup.ring_offset;
	return 0;
}

void ktrxer_capturer_close(struct ktrxer_capturer *capturer)
{
	if (capturer->descriptor < 0)
		return;
	unmap_device(capturer->map, (size_t)capturer->map_bytes);
	close_device(capturer->descriptor);
	capturer->descriptor = -1;
}

int32_t ktrxer_capturer_add(struct ktrxer_capturer *capturer, const struct ktrxer_rule *rule)
{
	return control(capturer->descriptor, KRX_IOC_RULE_ADD, (void *)rule);
}

int32_t ktrxer_capturer_replace(struct ktrxer_capturer *capturer, const struct ktrxer_rule *rule)
{
	return control(capturer->descriptor, KRX_IOC_RULE_REPLACE, (void *)rule);
}

int32_t ktrxer_capturer_delete(struct ktrxer_capturer *capturer, uint32_t id)
{
	return control_number(capturer->descriptor, KRX_IOC_RULE_DELETE, id);
}

int32_t ktrxer_capturer_flush(struct ktrxer_capturer *capturer)
{
	return control_number(capturer->descriptor, KRX_IOC_RULE_FLUSH, 0);
}

int32_t ktrxer_capturer_list(struct ktrxer_capturer *capturer, uint32_t after, struct ktrxer_rule *rules,
			     struct ktrxer_counters *counters, uint32_t capacity)
{
	struct krx_rule_list list = {
		.after = after,
		.capacity = capacity,
		.rules = (uintptr_t)rules,
		.counters = (uintptr_t)counters,
	};
	int result = control(capturer->descriptor, KRX_IOC_RULE_LIST, &list);

	return result < 0 ? result : (int32_t)list.count;
}

int32_t ktrxer_capturer_peek(struct ktrxer_capturer *capturer, struct ktrxer_record *record, const uint8_t **bytes)
{
	/* Pairs with the kernel's release: the slot is filled before the index says so. */
	uint32_t producer = __atomic_load_n(&capturer_header(capturer)->producer, __ATOMIC_ACQUIRE);
	uint32_t unread = producer - capturer->consumed;
	const uint8_t *slot;
	uint32_t room;

	if (unread == 0 || unread > capturer->slots)
		return 0;
	slot = capturer->ring + (size_t)(capturer->consumed & (capturer->slots - 1)) * capturer->slot_bytes;
	memcpy(record, slot, sizeof(*record));
	room = record->data_offset <= capturer->slot_bytes ? capturer->slot_bytes - record->data_offset : 0;
	if (record->captured_length > room)
		record->captured_length = room;
	*bytes = slot + (room ? record->data_offset : 0);
	capturer->peeked = 1;
	return 1;
}

void ktrxer_capturer_seen(struct ktrxer_capturer *capturer)
{
	/* With an index ahead of the kernel's nothing would be found any more, and what comes next be passed over. */
	if (!capturer->peeked)
		return;
	capturer->peeked = 0;
	capturer->consumed++;
	/* Pairs with the kernel's acquire: the slot has been read before it is given back. */
	__atomic_store_n(&capturer_header(capturer)->consumer, capturer->consumed, __ATOMIC_RELEASE);
}

uint32_t ktrxer_capturer_lost(struct ktrxer_capturer *capturer)
{
	uint32_t lost = __atomic_load_n(&capturer_header(capturer)->lost, __ATOMIC_RELAXED);
	uint32_t fresh = lost - capturer->lost;

	capturer->lost = lost;
	return fresh;
}

int32_t ktrxer_capturer_statistics(struct ktrxer_capturer *capturer, struct ktrxer_rx_statistics *statistics)
{
	return control(capturer->descriptor, KRX_IOC_STATISTICS, statistics);
}

/* ---- waiting */

int32_t ktrxer_device_wait(struct ktrxer_sender *sender, struct ktrxer_capturer *capturer, int64_t timeout)
{
	struct pollfd entries[2] = {
		{ .fd = sender ? sender->descriptor : -1, .events = POLLIN },
		{ .fd = capturer ? capturer->descriptor : -1, .events = POLLIN },
	};
	struct timespec limit = { .tv_sec = (time_t)(timeout / 1000000000), .tv_nsec = timeout % 1000000000 };
	int found = ppoll(entries, 2, timeout < 0 ? NULL : &limit, NULL);
	int result;

	if (found < 0)
		return -errno;
	result = (entries[0].revents & POLLIN ? 1 : 0) | (entries[1].revents & POLLIN ? 2 : 0);
	if (!result && found)
		return -ENODEV;
	return result;
}

/* SPDX-License-Identifier: MIT */
#include "simulated_device.h"

#include "device_calls.h"
#include "ktrxer_uapi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ENTRIES = 4096, MOST_RULES = 16, MOST_FRAMES = 4096, HEADER = 4096 };

struct frame {
	struct ktx_descriptor descriptor;
	uint8_t *bytes;
};

static _Thread_local struct {
	int32_t open_ktx, open_krx; /* errno of opening */
	uint32_t refused_request;
	int32_t refused_error;
	uint32_t abi, appetite, status;
	int gathers, open_files;

	int ktx, ktx_peer;
	struct ktx_bind bind;
	uint8_t *ktx_map;
	uint32_t taken, completed;
	struct frame scheduled[MOST_FRAMES], sent[MOST_FRAMES];
	int scheduled_count, sent_count;

	int krx, krx_peer;
	struct krx_setup setup;
	uint8_t *krx_map;
	uint32_t captured, sequence;
	struct krx_rule rules[MOST_RULES];
	int rule_count;
} sim;

static struct ktx_header *ktx_header(void)
{
	return (struct ktx_header *)sim.ktx_map;
}

static struct krx_header *krx_header(void)
{
	return (struct krx_header *)sim.krx_map;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A descriptor that polls as readable while `readable`. */
static void set_readable(int descriptor, int peer, int readable)
{
	char byte = 0;

	while (recv(descriptor, &byte, 1, MSG_DONTWAIT) == 1)
		;
	if (readable && send(peer, &byte, 1, MSG_DONTWAIT) != 1)
		abort();
}

static void update_readable(void)
{
	if (sim.ktx >= 0 && sim.ktx_map && sim.ktx_peer >= 0)
		set_readable(sim.ktx, sim.ktx_peer, sim.completed != ktx_header()->completion_consumer);
	if (sim.krx >= 0 && sim.krx_map)
		set_readable(sim.krx, sim.krx_peer, sim.captured != krx_header()->consumer);
}

static int simulated_open(const char *path)
{
	int is_ktx = strcmp(path, "/dev/ktx") == 0;
	int pair[2];

	if (is_ktx ? sim.open_ktx : sim.open_krx)
		return -(is_ktx ? sim.open_ktx : sim.open_krx);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	*(is_ktx ? &sim.ktx : &sim.krx) = pair[0];
	*(is_ktx ? &sim.ktx_peer : &sim.krx_peer) = pair[1];
	sim.open_files++;
	return pair[0];
}

static int is_ring_size(uint32_t entries)
{
	return entries >= 2 && entries <= MOST_ENTRIES && !(entries & (entries - 1));
}

static int bind_sender(struct ktx_bind *bind)
{
	if (sim.ktx_map)
		return -EBUSY;
	if (!is_ring_size(bind->submission_entries) || !is_ring_size(bind->completion_entries) || bind->flags ||
	    bind->completion_entries < bind->submission_entries || !bind->frame_bytes || bind->attempts > 255)
		return -EINVAL;
	bind->link_type = 1;
	bind->link_header = 14;
	bind->mtu = 1500;
	bind->longest_frame = 1514;
	bind->queues = 1;
	bind->device_flags = KTX_DEVICE_UP | KTX_DEVICE_CARRIER | (sim.gathers ? KTX_DEVICE_GATHERS : 0);
	bind->header_offset = 0;
	bind->submission_offset = HEADER;
	bind->completion_offset = bind->submission_offset +
				  bind->submission_entries * (uint32_t)sizeof(struct ktx_descriptor);
	bind->frame_offset = bind->completion_offset +
			     bind->completion_entries * (uint32_t)sizeof(struct ktx_completion);
	bind->map_bytes = bind->frame_offset + bind->frame_bytes;
	sim.bind = *bind;
	if (!bind->attempts)
		sim.bind.attempts = 16;
	sim.ktx_map = calloc(1, bind->map_bytes);
	return 0;
}

static int push_completion(const struct ktx_completion *completion)
{
	struct ktx_completion *ring = (struct ktx_completion *)(sim.ktx_map + sim.bind.completion_offset);

	if (sim.completed - ktx_header()->completion_consumer >= sim.bind.completion_entries)
		return -1;
	ring[sim.completed & (sim.bind.completion_entries - 1)] = *completion;
	sim.completed++;
	__atomic_store_n(&ktx_header()->completion_producer, sim.completed, __ATOMIC_RELEASE);
	update_readable();
	return 0;
}

static void complete(const struct ktx_descriptor *descriptor, uint32_t status, uint64_t at)
{
	struct ktx_completion completion = {
		.cookie = descriptor->cookie,
		.launch_ns = descriptor->launch_ns,
		.sent_ns = at,
		.status = status,
		.flags = descriptor->launch_ns ? KTX_COMPLETION_TIMED : 0,
		.attempts = status == KTX_SENT ? 1 : status == KTX_BUSY ? sim.bind.attempts : 0,
		.length = descriptor->frame_length,
	};

	if (sim.gathers && descriptor->frame_length > KTX_COPY_LIMIT && !(descriptor->flags & KTX_FRAME_COPY)) {
		completion.flags |= KTX_COMPLETION_REFERENCED;
		ktx_header()->referenced++;
	}
	if (push_completion(&completion))
		abort();
}

static void launch(struct frame *frame)
{
	uint64_t at = frame->descriptor.launch_ns ? frame->descriptor.launch_ns : now_ns();

	complete(&frame->descriptor, sim.status, at);
	if (sim.status == KTX_SENT && sim.sent_count < MOST_FRAMES)
		sim.sent[sim.sent_count++] = *frame;
	else
		free(frame->bytes);
}

static uint32_t judge(const struct ktx_descriptor *descriptor)
{
	if (descriptor->flags & ~KTX_FRAME_FLAGS || descriptor->reserved)
		return KTX_BAD_FLAGS;
	if (descriptor->frame_length < sim.bind.link_header || descriptor->frame_length > sim.bind.longest_frame)
		return KTX_BAD_LENGTH;
	if (descriptor->frame_offset > sim.bind.frame_bytes ||
	    sim.bind.frame_bytes - descriptor->frame_offset < descriptor->frame_length)
		return KTX_BAD_FRAME;
	return KTX_SENT;
}

static int submit(void)
{
	const struct ktx_descriptor *ring = (struct ktx_descriptor *)(sim.ktx_map + sim.bind.submission_offset);
	uint32_t queued = ktx_header()->submission_producer - sim.taken;
	uint32_t open = (uint32_t)sim.scheduled_count + (sim.completed - ktx_header()->completion_consumer);
	uint32_t count = 0;

	if (queued > sim.bind.submission_entries)
		return -EINVAL;
	while (count < queued && count < sim.appetite && open < sim.bind.completion_entries) {
		struct frame frame = { .descriptor = ring[sim.taken & (sim.bind.submission_entries - 1)] };
		uint32_t status = judge(&frame.descriptor);

		sim.taken++;
		count++;
		open++;
		if (status != KTX_SENT) {
			complete(&frame.descriptor, status, now_ns());
			continue;
		}
		frame.bytes = malloc(frame.descriptor.frame_length);
		memcpy(frame.bytes, sim.ktx_map + sim.bind.frame_offset + frame.descriptor.frame_offset,
		       frame.descriptor.frame_length);
		if (frame.descriptor.launch_ns)
			sim.scheduled[sim.scheduled_count++] = frame;
		else
			launch(&frame);
	}
	__atomic_store_n(&ktx_header()->submission_consumer, sim.taken, __ATOMIC_RELEASE);
	return queued && !count ? -EAGAIN : (int)count;
}

/* Takes scheduled frame `index` out. */
static struct frame take_scheduled(int index)
{
	struct frame frame = sim.scheduled[index];

	sim.scheduled_count--;
	memmove(&sim.scheduled[index], &sim.scheduled[index + 1],
		(size_t)(sim.scheduled_count - index) * sizeof(frame));
	return frame;
}

static int end_scheduled(const uint64_t *cookie, uint32_t status)
{
	int count = 0;

	for (int i = 0; i < sim.scheduled_count;) {
		if (cookie && sim.scheduled[i].descriptor.cookie != *cookie) {
			i++;
			continue;
		}
		struct frame frame = take_scheduled(i);

		complete(&frame.descriptor, status, now_ns());
		free(frame.bytes);
		count++;
	}
	return count;
}

static int setup_capturer(struct krx_setup *setup)
{
	if (sim.krx_map)
		return -EBUSY;
	if (!is_ring_size(setup->slots) || setup->slot_bytes < 128 || setup->slot_bytes > 65536 ||
	    setup->slot_bytes & (setup->slot_bytes - 1) || setup->flags)
		return -EINVAL;
	setup->header_offset = 0;
	setup->ring_offset = HEADER;
	setup->map_bytes = HEADER + (uint64_t)setup->slots * setup->slot_bytes;
	sim.setup = *setup;
	sim.krx_map = calloc(1, setup->map_bytes);
	return 0;
}

static int find_rule(uint32_t id)
{
	for (int i = 0; i < sim.rule_count; i++)
		if (sim.rules[i].id == id)
			return i;
	return -1;
}

static int add_rule(const struct krx_rule *rule, int replace)
{
	int index = find_rule(rule->id);

	if (!sim.krx_map)
		return -ENOTCONN;
	if (!rule->id || (rule->family != 4 && rule->family != 6) || rule->match & ~KRX_MATCH_ALL ||
	    rule->flags & ~KRX_RULE_FLAGS || rule->operation > KRX_CAPTURE_DROP)
		return -EINVAL;
	if (replace != (index >= 0))
		return replace ? -ENOENT : -EEXIST;
	if (index < 0 && sim.rule_count == MOST_RULES)
		return -ENOSPC;
	/* Who may not keep packets from the system: a test says so by refusing request 0x21 with EPERM. */
	if (sim.refused_error == EPERM && sim.refused_request == 0x21 && rule->operation != KRX_CAPTURE)
		return -EPERM;
	sim.rules[index < 0 ? sim.rule_count++ : index] = *rule;
	return 0;
}

static int delete_rule(uint32_t id)
{
	int index = find_rule(id);

	if (index < 0)
		return -ENOENT;
	sim.rule_count--;
	memmove(&sim.rules[index], &sim.rules[index + 1], (size_t)(sim.rule_count - index) * sizeof(sim.rules[0]));
	return 0;
}

static int list_rules(struct krx_rule_list *list)
{
	struct krx_rule *rules = (struct krx_rule *)(uintptr_t)list->rules;
	struct krx_rule_counters *counters = (struct krx_rule_counters *)(uintptr_t)list->counters;
	uint32_t after = list->after;

	for (list->count = 0; list->count < list->capacity; list->count++) {
		int next = -1;

		for (int i = 0; i < sim.rule_count; i++)
			if (sim.rules[i].id > after && (next < 0 || sim.rules[i].id < sim.rules[next].id))
				next = i;
		if (next < 0)
			break;
		after = sim.rules[next].id;
		if (rules)
			rules[list->count] = sim.rules[next];
		if (counters)
			counters[list->count] = (struct krx_rule_counters){ .id = after, .packets = after * 10 };
	}
	return 0;
}

static int info(struct ktrxer_info *out)
{
	*out = (struct ktrxer_info){
		.abi = sim.abi, .version = "9.8.7", .most_entries = MOST_ENTRIES, .most_frame_bytes = 1 << 24,
		.most_rules = MOST_RULES, .most_spin_ns = 100000, .rate_ceiling = 0, .burst_ceiling = 512,
		.timer_lead_ns = sim.ktx_map ? 12000 : 0, .timer_resolution_ns = 1, .memory_ceiling = 1 << 26,
	};
	return 0;
}

static int simulated_control(int descriptor, unsigned long request, void *argument)
{
	uint32_t number = (uint32_t)(uintptr_t)argument;
	int count;

	if (descriptor != sim.ktx && descriptor != sim.krx)
		return -EBADF;
	if (sim.refused_error && (request & 0xFF) == sim.refused_request && sim.refused_error != EPERM)
		return -sim.refused_error;
	if (request == KTRXER_IOC_INFO)
		return info(argument);
	if (descriptor == sim.ktx && request != KTX_IOC_BIND && !sim.ktx_map)
		return -ENOTCONN;
	switch (request) {
	case KTX_IOC_BIND:
		return bind_sender(argument);
	case KTX_IOC_SUBMIT:
		return submit();
	case KTX_IOC_CANCEL:
		return end_scheduled(argument, KTX_CANCELLED);
	case KTX_IOC_STATISTICS:
		memset(argument, 0, sizeof(struct ktx_statistics));
		((struct ktx_statistics *)argument)->submitted = sim.taken;
		return 0;
	case KRX_IOC_SETUP:
		return setup_capturer(argument);
	case KRX_IOC_RULE_ADD:
		return add_rule(argument, 0);
	case KRX_IOC_RULE_REPLACE:
		return add_rule(argument, 1);
	case KRX_IOC_RULE_DELETE:
		return delete_rule(number);
	case KRX_IOC_RULE_LIST:
		return list_rules(argument);
	case KRX_IOC_RULE_FLUSH:
		count = sim.rule_count;
		sim.rule_count = 0;
		return count;
	case KRX_IOC_STATISTICS:
		memset(argument, 0, sizeof(struct krx_statistics));
		((struct krx_statistics *)argument)->rules = (uint32_t)sim.rule_count;
		return 0;
	}
	return -ENOTTY;
}

static int simulated_map(int descriptor, size_t bytes, uint8_t **map)
{
	if (bytes != (descriptor == sim.ktx ? sim.bind.map_bytes : sim.setup.map_bytes))
		return -EINVAL;
	*map = descriptor == sim.ktx ? sim.ktx_map : sim.krx_map;
	return 0;
}

static void simulated_unmap(uint8_t *map, size_t bytes)
{
	(void)map;
	(void)bytes;
}

static void simulated_close(int descriptor)
{
	int is_ktx = descriptor == sim.ktx;

	if (!is_ktx && descriptor != sim.krx)
		abort();
	sim.open_files--;
	close(descriptor);
	if (*(is_ktx ? &sim.ktx_peer : &sim.krx_peer) >= 0)
		close(is_ktx ? sim.ktx_peer : sim.krx_peer);
	if (is_ktx) {
		while (sim.scheduled_count)
			free(take_scheduled(0).bytes);
		free(sim.ktx_map);
		sim.ktx_map = NULL;
		sim.ktx = sim.ktx_peer = -1;
		sim.taken = sim.completed = 0;
	} else {
		free(sim.krx_map);
		sim.krx_map = NULL;
		sim.krx = sim.krx_peer = -1;
		sim.captured = 0;
		sim.rule_count = 0;
	}
}

static const struct device_calls calls = {
	.open = simulated_open,
	.control = simulated_control,
	.map = simulated_map,
	.unmap = simulated_unmap,
	.close = simulated_close,
};

void simulation_begin(void)
{
	memset(&sim, 0, sizeof(sim));
	sim.ktx = sim.ktx_peer = sim.krx = sim.krx_peer = -1;
	sim.abi = KTRXER_ABI;
	sim.appetite = UINT32_MAX;
	simulated_device = &calls;
}

int32_t simulation_end(void)
{
	while (sim.sent_count)
		free(sim.sent[--sim.sent_count].bytes);
	simulated_device = NULL;
	return sim.open_files;
}

void simulation_refuse_open(int32_t ktx, int32_t krx)
{
	sim.open_ktx = ktx;
	sim.open_krx = krx;
}

void simulation_refuse(uint32_t request, int32_t error)
{
	sim.refused_request = request;
	sim.refused_error = error;
}

void simulation_set_abi(uint32_t abi)
{
	sim.abi = abi;
}

void simulation_set_appetite(uint32_t most)
{
	sim.appetite = most;
}

void simulation_set_gathers(int32_t gathers)
{
	sim.gathers = gathers;
}

int32_t simulation_launch(uint64_t now)
{
	int32_t count = 0;

	for (;;) {
		int next = -1;

		for (int i = 0; i < sim.scheduled_count; i++)
			if (sim.scheduled[i].descriptor.launch_ns <= now &&
			    (next < 0 || sim.scheduled[i].descriptor.launch_ns <
						 sim.scheduled[next].descriptor.launch_ns))
				next = i;
		if (next < 0)
			return count;
		struct frame frame = take_scheduled(next);

		launch(&frame);
		count++;
	}
}

int32_t simulation_scheduled(void)
{
	return sim.scheduled_count;
}

int32_t simulation_sent(int32_t index, const uint8_t **bytes, uint64_t *launch_ns, uint32_t *flags)
{
	if (index < 0 || index >= sim.sent_count)
		return -1;
	*bytes = sim.sent[index].bytes;
	*launch_ns = sim.sent[index].descriptor.launch_ns;
	*flags = sim.sent[index].descriptor.flags;
	return (int32_t)sim.sent[index].descriptor.frame_length;
}

void simulation_set_status(uint32_t status)
{
	sim.status = status;
}

int32_t simulation_complete(const void *completion)
{
	return push_completion(completion);
}

void simulation_spoil_completions(uint32_t producer)
{
	ktx_header()->completion_producer = producer;
}

void simulation_spoil_captures(uint32_t producer)
{
	krx_header()->producer = producer;
}

void simulation_interface_gone(void)
{
	char byte = 0;

	end_scheduled(NULL, KTX_GONE);
	/* What the other end has not read when it closes resets the connection. */
	if (send(sim.ktx, &byte, 1, MSG_DONTWAIT) != 1)
		abort();
	close(sim.ktx_peer);
	sim.ktx_peer = -1;
}

int32_t simulation_capture(const void *record, const uint8_t *bytes, uint32_t length)
{
	struct krx_record filled = *(const struct krx_record *)record;
	uint8_t *slot = sim.krx_map + sim.setup.ring_offset +
			(size_t)(sim.captured & (sim.setup.slots - 1)) * sim.setup.slot_bytes;
	uint32_t room = sim.setup.slot_bytes - (uint32_t)sizeof(filled);

	filled.sequence = sim.sequence++;
	if (sim.captured - krx_header()->consumer >= sim.setup.slots) {
		krx_header()->lost++;
		return -1;
	}
	if (!filled.data_offset)
		filled.data_offset = sizeof(filled);
	if (!filled.captured_length)
		filled.captured_length = length < room ? length : room;
	if (!filled.original_length)
		filled.original_length = length;
	memcpy(slot, &filled, sizeof(filled));
	memcpy(slot + sizeof(filled), bytes, length < room ? length : room);
	sim.captured++;
	__atomic_store_n(&krx_header()->producer, sim.captured, __ATOMIC_RELEASE);
	update_readable();
	return 0;
}

int32_t simulation_rule(int32_t index, void *rule)
{
	if (index < 0 || index >= sim.rule_count)
		return -1;
	memcpy(rule, &sim.rules[index], sizeof(sim.rules[0]));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Does at random what can be done with both devices, in several processes that share some files, for so many calls in
 * all. The same seed gives the same calls in each process. Prints how many calls there were, and how many succeeded.
 *
 *	storm SEED CALLS PROCESSES INTERFACE...
 *
 * Every process has FILES files; the first two of each device are shared by all, maps included.
 */
#include "device.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define FILES 6
#define SHARED 2

struct file {
	int fd, ktx;
	unsigned char *map;
	size_t bytes;
	unsigned int offsets[3]; /* of what follows the header */
	unsigned int entries, frame_bytes;
};

static struct file files[FILES];
static unsigned long long state;
static unsigned int interface_count;
static char **interfaces;
static int event;
static unsigned long long calls, successes;

static unsigned int below(unsigned int bound)
{
	return (random_number(&state) >> 16) % bound;
}

/* Mostly a small number, now and then one from the edge. */
static unsigned long long odd_number(void)
{
	static const unsigned long long edges[] = { 0, 1, 2, 13, 14, 64, 1514, 4095, 4096, 65535, 65536, 0x7FFFFFFF, 0x80000000,
						    0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, -1ULL };

	return below(3) ? below(200) : edges[below(16)];
}

static void count(long result)
{
	calls++;
	successes += result >= 0;
}

static void close_file(struct file *file)
{
	if (file->map)
		munmap(file->map, file->bytes);
	if (file->fd >= 0)
		close(file->fd);
	memset(file, 0, sizeof(*file));
	file->fd = -1;
}

static void open_file(struct file *file)
{
	close_file(file);
	file->ktx = below(2);
	file->fd = open(file->ktx ? "/dev/ktx" : "/dev/krx", O_RDWR);
	count(file->fd);
}

static void map_file(struct file *file)
{
	void *map;

	if (!file->bytes || file->map)
		return;
	map = mmap(NULL, file->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	count(map == MAP_FAILED ? -1 : 0);
	if (map != MAP_FAILED)
		file->map = map;
}

static void bind_file(struct file *file)
{
	if (file->ktx) {
		struct ktx_bind bind = binding(interfaces[below(interface_count)], 2 << below(7), 1 << (6 + below(11)));
		long result;

		bind.completion_entries <<= below(3);
		bind.attempts = below(4);
		bind.retry_ns = below(50000);
		bind.queue = below(4) ? KTX_QUEUE_ANY : below(6);
		if (!below(10))
			((unsigned int *)&bind)[below(12)] = odd_number();
		result = ioctl(file->fd, KTX_IOC_BIND, &bind);
		count(result);
		if (result)
			return;
		file->bytes = bind.map_bytes;
		file->entries = bind.submission_entries;
		file->frame_bytes = bind.frame_bytes;
		file->offsets[0] = bind.submission_offset;
		file->offsets[1] = bind.completion_offset;
		file->offsets[2] = bind.frame_offset;
	} else {
		struct krx_setup setup = { .slots = 2 << below(7), .slot_bytes = 128 << below(5) };
		long result;

		if (!below(10))
			((unsigned int *)&setup)[below(6)] = odd_number();
		result = ioctl(file->fd, KRX_IOC_SETUP, &setup);
		count(result);
		if (result)
			return;
		file->bytes = setup.map_bytes;
		file->entries = setup.slots;
	}
	map_file(file);
}

/* Fills some entries with what is nearly right, and submits. */
static void submit(struct file *file)
{
	struct ktx_header *header = (void *)file->map;
	unsigned int frames = below(2 * file->entries), producer = header->submission_consumer;

	for (unsigned int i = 0; i < frames; i++, producer++) {
		struct ktx_descriptor *descriptor = (struct ktx_descriptor *)(file->map + file->offsets[0]) + producer % file->entries;

		*descriptor = (struct ktx_descriptor){
			.launch_ns = below(2) ? 0 : monotonic() + below(3000000),
			.cookie = below(8),
			.frame_offset = below(file->frame_bytes),
			.frame_length = 14 + below(1600),
			.flags = below(16),
			.queue = below(3) ? 0 : below(5),
		};
		if (!(descriptor->flags & KTX_FRAME_QUEUE))
			descriptor->queue = 0;
		if (!below(20))
			((unsigned int *)descriptor)[below(8)] = odd_number();
	}
	header->submission_producer = producer;
	count(ioctl(file->fd, KTX_IOC_SUBMIT, below(3) ? 0 : odd_number()));
	header->completion_consumer = header->completion_producer;
}

static void sender_call(struct file *file)
{
	char buffer[512];
	unsigned long long cookie = below(8);

	switch (below(8)) {
	case 0: count(ioctl(file->fd, KTX_IOC_CANCEL, below(2) ? &cookie : NULL)); break;
	case 1: count(ioctl(file->fd, KTX_IOC_STATISTICS, buffer)); break;
	case 2: count(ioctl(file->fd, KTX_IOC_THRESHOLD, odd_number())); break;
	case 3: bind_file(file); break;
	default:
		if (file->map)
			submit(file);
		else
			count(ioctl(file->fd, KTX_IOC_SUBMIT, 0));
	}
}

static void make_rule(struct krx_rule *rule)
{
	*rule = plain_rule(1 + below(20), below(4));
	rule->priority = below(5);
	if (rule->operation == KRX_FORWARD && below(2))
		rule->edits[0] = (struct krx_edit){ .field = KRX_EDIT_TTL, .length = 1, .value = { 9 } };
	if (!below(4)) {
		/* Only IPv4 to port 9 comes by; any destination then. */
		rule->match &= ~KRX_MATCH_DESTINATION;
		memset(rule->destination, 0, 16);
		rule->destination_prefix = 0;
	}
	if (!below(4)) {
		rule->match |= KRX_MATCH_INTERFACE;
		rule->interface_index = if_nametoindex(interfaces[below(interface_count)]);
		if (rule->match & KRX_MATCH_DESTINATION && below(2))
			rule->flags |= KRX_RULE_NEIGHBOUR;
	}
	if (!below(4)) {
		rule->flags |= KRX_RULE_REACT;
		rule->reaction = (struct krx_reaction){
			.ktx = files[below(FILES)].fd, .frame_length = 60, .repeat = 1 + below(3), .delay_ns = below(1000000),
			.gap_ns = below(10000),
		};
		rule->reaction.copies[0] = (struct krx_copy){ .base = 1 + below(4), .from = below(40), .to = below(40), .length = 1 + below(20) };
	}
	if (!below(10))
		((unsigned char *)rule)[below(sizeof(*rule))] = odd_number();
}

static void capturer_call(struct file *file)
{
	struct krx_rule rule, listed[8];
	struct krx_rule_list list = { .after = below(20), .capacity = below(9), .rules = (unsigned long)listed };
	char buffer[512];

	switch (below(10)) {
	case 0: count(ioctl(file->fd, KRX_IOC_RULE_DELETE, 1 + below(20))); break;
	case 1: count(below(4) ? 0 : ioctl(file->fd, KRX_IOC_RULE_FLUSH)); break;
	case 2: count(ioctl(file->fd, KRX_IOC_RULE_LIST, &list)); break;
	case 3: count(ioctl(file->fd, KRX_IOC_STATISTICS, buffer)); break;
	case 4: count(ioctl(file->fd, KRX_IOC_THRESHOLD, odd_number())); break;
	case 5: bind_file(file); break;
	case 6:
		if (file->map)
			((struct krx_header *)file->map)->consumer = below(4) ? ((struct krx_header *)file->map)->producer : odd_number();
		break;
	default:
		make_rule(&rule);
		count(ioctl(file->fd, below(3) ? KRX_IOC_RULE_ADD : KRX_IOC_RULE_REPLACE, &rule));
	}
}

static void step(void)
{
	struct file *file = &files[below(FILES)];
	struct pollfd polled = { .fd = file->fd, .events = POLLIN | POLLOUT };

	/* Shared files stay. */
	if (file->fd < 0 || (file >= files + SHARED && !below(50))) {
		open_file(file);
		return;
	}
	switch (below(16)) {
	case 0: count(poll(&polled, 1, 0)); break;
	case 1: count(ioctl(file->fd, KTRXER_IOC_EVENTFD, below(3) ? event : (int)odd_number())); break;
	case 2:
		if (file->map) {
			munmap(file->map, file->bytes);
			file->map = NULL;
			calls++;
		}
		break;
	case 3: map_file(file); break;
	case 4:
		if (file->map)
			((unsigned int *)file->map)[below(32)] = odd_number();
		break;
	case 5: count(ioctl(file->fd, _IO(KTRXER_IOC_MAGIC, below(48)), odd_number())); break;
	case 6: close(dup(file->fd)); calls++; break;
	default:
		if (file->ktx)
			sender_call(file);
		else
			capturer_call(file);
	}
}

int main(int argc, char **argv)
{
	unsigned long long seed, most;
	unsigned int processes, failures = 0;
	int pipes[2];

	if (argc < 5)
		return 64;
	seed = strtoull(argv[1], NULL, 0);
	most = strtoull(argv[2], NULL, 0);
	processes = atoi(argv[3]);
	interfaces = argv + 4;
	interface_count = argc - 4;
	event = eventfd(0, EFD_NONBLOCK);
	state = seed * 2654435761U + 88172645463325252ULL;
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	for (int i = 0; i < SHARED; i++) {
		files[i].ktx = i % 2;
		files[i].fd = open(files[i].ktx ? "/dev/ktx" : "/dev/krx", O_RDWR);
		bind_file(&files[i]);
	}
	if (pipe(pipes))
		die("pipe");
	for (unsigned int i = 0; i < processes; i++) {
		if (fork())
			continue;
		state += i * 0x9E3779B97F4A7C15ULL;
		calls = successes = 0;
		while (calls < most / processes)
			step();
		_exit(write(pipes[1], (unsigned long long[]){ calls, successes }, 16) != 16);
	}
	for (unsigned int i = 0; i < processes; i++) {
		int status;

		wait(&status);
		if (status)
			failures++, printf("a process ended with status %#x\n", status);
	}
	close(pipes[1]);
	calls = successes = 0;
	for (unsigned long long pair[2]; read(pipes[0], pair, 16) == 16;) {
		calls += pair[0];
		successes += pair[1];
	}
	printf("%llu calls, %llu succeeded\n", calls, successes);
	return failures != 0;
}

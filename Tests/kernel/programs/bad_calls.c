/* SPDX-License-Identifier: MIT */
/*
 * Calls of /dev/ktx and /dev/krx that are wrong in one thing each. Prints a line for each that did not come to what
 * ktrxer_uapi.h says, or that changed something, and at last how many there were.
 *
 *	bad_calls INTERFACE
 */
#include "device.h"

#include <limits.h>
#include <stddef.h>
#include <sys/eventfd.h>

static unsigned int calls, faults;
static const char *interface;
static void *unmapped, *read_only;

static void expect(const char *what, long result, int error)
{
	int got = result < 0 ? errno : 0;

	calls++;
	if (got == error)
		return;
	faults++;
	printf("%s: %s instead of %s\n", what, strerror(got), strerror(error));
}

/* ---- a field with a value that it must not have ---- */

struct wrong {
	const char *what;
	size_t offset, size;
	unsigned long long value;
	int error;
};

#define FIELD(type, name) #name, offsetof(type, name), sizeof(((type *)0)->name)

static void put(void *to, const struct wrong *wrong)
{
	memcpy((char *)to + wrong->offset, &wrong->value, wrong->size);
}

static const struct wrong wrong_binds[] = {
	{ FIELD(struct ktx_bind, interface_index), 0, ENODEV },
	{ FIELD(struct ktx_bind, interface_index), 0x7FFFFFFF, ENODEV },
	{ FIELD(struct ktx_bind, interface_index), 0x80000000, ENODEV },
	{ FIELD(struct ktx_bind, interface_index), 0xFFFFFFFF, ENODEV },
	{ FIELD(struct ktx_bind, interface_index), 1, EOPNOTSUPP }, /* loopback */
	{ FIELD(struct ktx_bind, submission_entries), 0, EINVAL },
	{ FIELD(struct ktx_bind, submission_entries), 1, EINVAL },
	{ FIELD(struct ktx_bind, submission_entries), 3, EINVAL },
	{ FIELD(struct ktx_bind, submission_entries), 32, EINVAL }, /* more than completions */
	{ FIELD(struct ktx_bind, submission_entries), 0xFFFFFFFF, EINVAL },
	{ FIELD(struct ktx_bind, submission_entries), 0x80000000, E2BIG },
	{ FIELD(struct ktx_bind, submission_entries), 32768, E2BIG },
	{ FIELD(struct ktx_bind, completion_entries), 0, EINVAL },
	{ FIELD(struct ktx_bind, completion_entries), 1, EINVAL },
	{ FIELD(struct ktx_bind, completion_entries), 8, EINVAL },
	{ FIELD(struct ktx_bind, completion_entries), 17, EINVAL },
	{ FIELD(struct ktx_bind, completion_entries), 0x80000000, E2BIG },
	{ FIELD(struct ktx_bind, completion_entries), 32768, E2BIG },
	{ FIELD(struct ktx_bind, frame_bytes), 0, EINVAL },
	{ FIELD(struct ktx_bind, frame_bytes), (16 << 20) + 1, E2BIG },
	{ FIELD(struct ktx_bind, frame_bytes), 0xFFFFFFFF, E2BIG },
	{ FIELD(struct ktx_bind, queue), 4, EOPNOTSUPP },
	{ FIELD(struct ktx_bind, queue), 0xFFFFFFFE, EOPNOTSUPP },
	{ FIELD(struct ktx_bind, attempts), 256, EINVAL },
	{ FIELD(struct ktx_bind, attempts), 0xFFFFFFFF, EINVAL },
	{ FIELD(struct ktx_bind, retry_ns), 1000000001, EINVAL },
	{ FIELD(struct ktx_bind, retry_ns), 0xFFFFFFFF, EINVAL },
	{ FIELD(struct ktx_bind, reserved[0]), 1, EINVAL },
	{ FIELD(struct ktx_bind, reserved[1]), 1, EINVAL },
	{ FIELD(struct ktx_bind, reserved[2]), 0x80000000, EINVAL },
};

static const struct wrong wrong_setups[] = {
	{ FIELD(struct krx_setup, slots), 0, EINVAL },
	{ FIELD(struct krx_setup, slots), 1, EINVAL },
	{ FIELD(struct krx_setup, slots), 3, EINVAL },
	{ FIELD(struct krx_setup, slots), 0xFFFFFFFF, EINVAL },
	{ FIELD(struct krx_setup, slots), 32768, E2BIG },
	{ FIELD(struct krx_setup, slots), 0x80000000, E2BIG },
	{ FIELD(struct krx_setup, slot_bytes), 0, EINVAL },
	{ FIELD(struct krx_setup, slot_bytes), 64, EINVAL },
	{ FIELD(struct krx_setup, slot_bytes), 129, EINVAL },
	{ FIELD(struct krx_setup, slot_bytes), 131072, E2BIG },
	{ FIELD(struct krx_setup, slot_bytes), 0x80000000, E2BIG },
	{ FIELD(struct krx_setup, reserved[0]), 1, EINVAL },
	{ FIELD(struct krx_setup, reserved[1]), 0x80000000, EINVAL },
	{ FIELD(struct krx_setup, reserved[2]), 1, EINVAL },
};

/* Of a rule that matches UDP to a port of an address, and captures. */
static const struct wrong wrong_rules[] = {
	{ FIELD(struct krx_rule, id), 0, EINVAL },
	{ FIELD(struct krx_rule, match), 0, EINVAL }, /* fields without their bit */
	{ FIELD(struct krx_rule, flags), KRX_RULE_NEIGHBOUR, EINVAL }, /* no interface */
	{ FIELD(struct krx_rule, flags), KRX_RULE_REACT, EINVAL }, /* no reaction */
	{ FIELD(struct krx_rule, family), 0, EINVAL },
	{ FIELD(struct krx_rule, family), 5, EINVAL },
	{ FIELD(struct krx_rule, family), 255, EINVAL },
	{ FIELD(struct krx_rule, operation), 4, EINVAL },
	{ FIELD(struct krx_rule, operation), 255, EINVAL },
	{ FIELD(struct krx_rule, operation), KRX_FORWARD, 0 },
	{ FIELD(struct krx_rule, protocol), 1, EINVAL }, /* ICMP has no ports */
	{ FIELD(struct krx_rule, source_prefix), 1, EINVAL },
	{ FIELD(struct krx_rule, destination_prefix), 33, EINVAL },
	{ FIELD(struct krx_rule, destination_prefix), 128, EINVAL },
	{ FIELD(struct krx_rule, destination_prefix), 255, EINVAL },
	{ FIELD(struct krx_rule, destination_prefix), 31, EINVAL }, /* a bit beyond it */
	{ FIELD(struct krx_rule, destination[4]), 1, EINVAL },
	{ FIELD(struct krx_rule, destination[15]), 1, EINVAL },
	{ FIELD(struct krx_rule, source[0]), 1, EINVAL },
	{ FIELD(struct krx_rule, icmp_type), 8, EINVAL },
	{ FIELD(struct krx_rule, icmp_code), 1, EINVAL },
	{ FIELD(struct krx_rule, icmp_id), 1, EINVAL },
	{ FIELD(struct krx_rule, reserved), 1, EINVAL },
	{ FIELD(struct krx_rule, reserved2), 1, EINVAL },
	{ FIELD(struct krx_rule, source_port_first), 1, EINVAL },
	{ FIELD(struct krx_rule, source_port_last), 1, EINVAL },
	{ FIELD(struct krx_rule, destination_port_first), 10, EINVAL },
	{ FIELD(struct krx_rule, destination_port_last), 8, EINVAL },
	{ FIELD(struct krx_rule, interface_index), 1, EINVAL },
	{ FIELD(struct krx_rule, edits[0].field), KRX_EDIT_TTL, EINVAL }, /* it captures */
	{ FIELD(struct krx_rule, edits[0].length), 1, EINVAL },
	{ FIELD(struct krx_rule, edits[7].value[15]), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.ktx), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.frame_offset), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.frame_length), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.flags), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.cookie), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.delay_ns), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.gap_ns), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.repeat), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.limit), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].base), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[11].addend), 1, EINVAL },
};

/* Of a rule that reacts. */
static const struct wrong wrong_reactions[] = {
	{ FIELD(struct krx_rule, reaction.ktx), -1, EBADF },
	{ FIELD(struct krx_rule, reaction.ktx), 0x80000000, EBADF },
	{ FIELD(struct krx_rule, reaction.ktx), 0, EBADF }, /* standard input */
	{ FIELD(struct krx_rule, reaction.ktx), 99999, EBADF },
	{ FIELD(struct krx_rule, reaction.frame_offset), 4096 - 63, EFAULT },
	{ FIELD(struct krx_rule, reaction.frame_offset), 0xFFFFFFFF, EFAULT },
	{ FIELD(struct krx_rule, reaction.frame_offset), 0xFFFFFFC0, EFAULT },
	{ FIELD(struct krx_rule, reaction.frame_length), 0, EINVAL }, /* the copy is beyond it */
	{ FIELD(struct krx_rule, reaction.frame_length), 13, EMSGSIZE },
	{ FIELD(struct krx_rule, reaction.frame_length), 1519, EMSGSIZE },
	{ FIELD(struct krx_rule, reaction.frame_length), 65536, EMSGSIZE },
	{ FIELD(struct krx_rule, reaction.frame_length), 0xFFFFFFFF, EMSGSIZE },
	{ FIELD(struct krx_rule, reaction.repeat), 0, EINVAL },
	{ FIELD(struct krx_rule, reaction.repeat), 65, EINVAL },
	{ FIELD(struct krx_rule, reaction.repeat), 0xFFFFFFFF, EINVAL },
	{ FIELD(struct krx_rule, reaction.delay_ns), 60000000001, EINVAL },
	{ FIELD(struct krx_rule, reaction.delay_ns), -1ULL, EINVAL },
	{ FIELD(struct krx_rule, reaction.gap_ns), -1ULL, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].base), 5, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].base), 255, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].operation), 3, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].operation), KRX_COPY_ADD_SEGMENT, EINVAL }, /* UDP */
	{ FIELD(struct krx_rule, reaction.copies[0].length), 0, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].length), 65, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].length), 65535, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].to), 61, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].to), 65535, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[0].addend), 1, EINVAL },
	{ FIELD(struct krx_rule, reaction.copies[2].length), 1, EINVAL }, /* behind the end */
};

/* Of a rule that edits. */
static const struct wrong wrong_edits[] = {
	{ FIELD(struct krx_rule, edits[0].field), 8, EINVAL },
	{ FIELD(struct krx_rule, edits[0].field), 255, EINVAL },
	{ FIELD(struct krx_rule, edits[0].length), 0, EINVAL },
	{ FIELD(struct krx_rule, edits[0].length), 2, EINVAL },
	{ FIELD(struct krx_rule, edits[0].length), 17, EINVAL },
	{ FIELD(struct krx_rule, edits[0].length), 255, EINVAL },
	{ FIELD(struct krx_rule, edits[0].offset), 1, EINVAL },
	{ FIELD(struct krx_rule, edits[0].value[1]), 1, EINVAL },
	{ FIELD(struct krx_rule, edits[0].value[15]), 255, EINVAL },
	{ FIELD(struct krx_rule, edits[2].field), KRX_EDIT_TTL, EINVAL }, /* behind the end */
	{ FIELD(struct krx_rule, capture_offset), 1, EINVAL },
	{ FIELD(struct krx_rule, capture_length), 1, EINVAL },
};

#define EACH(table) for (const struct wrong *wrong = table; wrong < table + sizeof(table) / sizeof(*table); wrong++)

/* ---- /dev/ktx ---- */

static void wrong_pointers(const char *what, int fd, unsigned int command, int writes, int reads)
{
	char text[64];
	void *places[] = { NULL, (void *)1, unmapped, (void *)LONG_MIN, (void *)-1L, (void *)-4096L };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(text, sizeof(text), "%s at %p", what, places[i]);
		expect(text, ioctl(fd, command, places[i]), EFAULT);
	}
	/* The last bytes of a page that is followed by none. */
	snprintf(text, sizeof(text), "%s half outside", what);
	expect(text, ioctl(fd, command, (char *)unmapped - 4), EFAULT);
	if (writes) {
		snprintf(text, sizeof(text), "%s read-only", what);
		if (reads)
			mprotect(read_only, 4096, PROT_READ);
		expect(text, ioctl(fd, command, read_only), EFAULT);
	}
}

/* Commands that differ from the right ones in size, direction, number or kind are none. */
static void wrong_commands(const char *name, int fd, const unsigned int *right, unsigned int count)
{
	static char buffer[65536];
	char text[64];

	for (unsigned int i = 0; i < count; i++) {
		unsigned int number = _IOC_NR(right[i]), size = _IOC_SIZE(right[i]), direction = _IOC_DIR(right[i]);
		unsigned int others[] = {
			_IOC(direction, KTRXER_IOC_MAGIC, number, size + 1), _IOC(direction, KTRXER_IOC_MAGIC, number, size ? size - 1 : 8),
			_IOC(direction, KTRXER_IOC_MAGIC, number, 0x3FFF), _IOC(direction ^ 1, KTRXER_IOC_MAGIC, number, size),
			_IOC(direction ^ 3, KTRXER_IOC_MAGIC, number, size), _IOC(direction, KTRXER_IOC_MAGIC + 1, number, size),
			_IOC(direction, KTRXER_IOC_MAGIC, number + 0x40, size),
		};

		for (unsigned int j = 0; j < sizeof(others) / sizeof(*others); j++) {
			snprintf(text, sizeof(text), "%s command %#x", name, others[j]);
			expect(text, ioctl(fd, others[j], buffer), ENOTTY);
		}
	}
}

static const unsigned int ktx_commands[] = { KTX_IOC_BIND, KTX_IOC_SUBMIT, KTX_IOC_CANCEL, KTX_IOC_STATISTICS,
					     KTX_IOC_THRESHOLD, KTRXER_IOC_INFO, KTRXER_IOC_EVENTFD };
static const unsigned int krx_commands[] = { KRX_IOC_SETUP, KRX_IOC_RULE_ADD, KRX_IOC_RULE_REPLACE, KRX_IOC_RULE_DELETE,
					     KRX_IOC_RULE_LIST, KRX_IOC_RULE_FLUSH, KRX_IOC_STATISTICS, KRX_IOC_THRESHOLD,
					     KTRXER_IOC_INFO, KTRXER_IOC_EVENTFD };

static void wrong_eventfds(const char *name, int fd)
{
	int pipes[2], event = eventfd(0, EFD_NONBLOCK);

	if (pipe(pipes))
		die("pipe");
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, 99999), EBADF);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, -2L), EBADF);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, (long)INT_MIN), EBADF);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, (1L << 32) + event), EBADF);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, pipes[0]), EINVAL);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, fd), EINVAL);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, event), 0);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, 99999), EBADF);
	expect(name, ioctl(fd, KTRXER_IOC_EVENTFD, -1), 0);
	close(event);
	close(pipes[0]);
	close(pipes[1]);
}

/* Reading and writing are no part of the interface. */
static void no_streams(const char *name, int fd)
{
	char byte;

	expect(name, read(fd, &byte, 1), EINVAL);
	expect(name, write(fd, "", 1), EINVAL);
	expect(name, lseek(fd, 0, SEEK_SET), ESPIPE);
}

static void ktx_calls(void)
{
	int fd = open("/dev/ktx", O_RDWR);
	struct ktx_bind good = binding(interface, 16, 4096), bind;
	struct ktx_statistics before, after;
	struct sender sender;
	unsigned long long cookie = 1;

	expect("submit unbound", ioctl(fd, KTX_IOC_SUBMIT, 0), ENOTCONN);
	expect("cancel unbound", ioctl(fd, KTX_IOC_CANCEL, NULL), ENOTCONN);
	expect("cancel unbound", ioctl(fd, KTX_IOC_CANCEL, &cookie), ENOTCONN);
	expect("statistics unbound", ioctl(fd, KTX_IOC_STATISTICS, &before), ENOTCONN);
	expect("threshold unbound", ioctl(fd, KTX_IOC_THRESHOLD, 1), ENOTCONN);
	expect("map unbound", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, ENOTCONN);
	EACH(wrong_binds) {
		bind = good;
		put(&bind, wrong);
		expect(wrong->what, ioctl(fd, KTX_IOC_BIND, &bind), wrong->error);
	}
	for (unsigned int bit = 0; bit < 32; bit++) {
		bind = good;
		bind.flags = 1U << bit;
		expect("bind flags", ioctl(fd, KTX_IOC_BIND, &bind), EINVAL);
	}
	mprotect(read_only, 4096, PROT_READ | PROT_WRITE);
	memcpy(read_only, &good, sizeof(good));
	wrong_pointers("bind", fd, KTX_IOC_BIND, 1, 1);
	wrong_commands("ktx", fd, ktx_commands, sizeof(ktx_commands) / sizeof(*ktx_commands));
	for (unsigned int i = 0; i < sizeof(krx_commands) / sizeof(*krx_commands) - 2; i++)
		expect("krx command to ktx", ioctl(fd, krx_commands[i], &bind), ENOTTY);
	wrong_eventfds("ktx eventfd", fd);
	wrong_pointers("information", fd, KTRXER_IOC_INFO, 1, 0);
	no_streams("ktx stream", fd);

	/* None of that bound it. */
	if (sender_bind(&sender, fd, &good))
		die("bind after all");
	expect("bind again", ioctl(fd, KTX_IOC_BIND, &good), EBUSY);
	bind = good;
	bind.flags = 1;
	expect("bind again, wrong", ioctl(fd, KTX_IOC_BIND, &bind), EINVAL);
	ioctl(fd, KTX_IOC_STATISTICS, &before);
	expect("threshold 0", ioctl(fd, KTX_IOC_THRESHOLD, 0), EINVAL);
	expect("threshold 17", ioctl(fd, KTX_IOC_THRESHOLD, 17), EINVAL);
	expect("threshold -1", ioctl(fd, KTX_IOC_THRESHOLD, -1L), EINVAL);
	expect("threshold 2^32 + 1", ioctl(fd, KTX_IOC_THRESHOLD, (1L << 32) + 1), EINVAL);
	wrong_pointers("statistics", fd, KTX_IOC_STATISTICS, 1, 0);
	expect("cancel at 1", ioctl(fd, KTX_IOC_CANCEL, 1), EFAULT);
	expect("cancel unmapped", ioctl(fd, KTX_IOC_CANCEL, unmapped), EFAULT);
	expect("cancel in the kernel", ioctl(fd, KTX_IOC_CANCEL, LONG_MIN), EFAULT);
	sender.header->submission_producer = 17;
	expect("submit beyond the ring", ioctl(fd, KTX_IOC_SUBMIT, 0), EINVAL);
	sender.header->submission_producer = -1U;
	expect("submit backwards", ioctl(fd, KTX_IOC_SUBMIT, 0), EINVAL);
	sender.header->submission_producer = 1;
	expect("submit 2^32", ioctl(fd, KTX_IOC_SUBMIT, 1L << 32), EINVAL);
	expect("submit -1", ioctl(fd, KTX_IOC_SUBMIT, -1L), EINVAL);
	sender.header->submission_producer = 0;
	ioctl(fd, KTX_IOC_STATISTICS, &after);
	after.lead_ns = before.lead_ns;
	if (memcmp(&before, &after, sizeof(before)) || sender.header->completion_producer)
		printf("a refused call counted for something\n"), faults++;
	sender_queue(&sender, 1, 60, 0, 0, 0);
	expect("a frame at last", sender_submit(&sender) == 1 ? 0 : -1, 0);
	if (sender_drain(&sender) != 1 || sender.completions[0].status != KTX_SENT)
		printf("the frame was not sent\n"), faults++;
	sender_close(&sender);
}

/* ---- /dev/krx ---- */

static void add(int fd, const char *what, const struct krx_rule *rule, int error)
{
	long result = ioctl(fd, KRX_IOC_RULE_ADD, rule);

	expect(what, result, error);
	if (!result)
		ioctl(fd, KRX_IOC_RULE_DELETE, rule->id);
}

static void krx_calls(void)
{
	int fd = open("/dev/krx", O_RDWR);
	struct krx_setup good = { .slots = 16, .slot_bytes = 256 }, setup;
	struct sender sender = sender_open(interface, 16, 4096);
	struct krx_rule rule, captures = plain_rule(1, KRX_CAPTURE), edits = plain_rule(1, KRX_FORWARD), reacts = captures;
	struct krx_rule_list list = { .capacity = 4 };
	struct krx_statistics statistics;
	struct capturer capturer;

	expect("add before setup", ioctl(fd, KRX_IOC_RULE_ADD, &captures), ENOTCONN);
	expect("replace before setup", ioctl(fd, KRX_IOC_RULE_REPLACE, &captures), ENOTCONN);
	expect("delete before setup", ioctl(fd, KRX_IOC_RULE_DELETE, 1), ENOTCONN);
	expect("list before setup", ioctl(fd, KRX_IOC_RULE_LIST, &list), ENOTCONN);
	expect("flush before setup", ioctl(fd, KRX_IOC_RULE_FLUSH), ENOTCONN);
	expect("statistics before setup", ioctl(fd, KRX_IOC_STATISTICS, &statistics), ENOTCONN);
	expect("threshold before setup", ioctl(fd, KRX_IOC_THRESHOLD, 1), ENOTCONN);
	expect("map before setup", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, ENOTCONN);
	EACH(wrong_setups) {
		setup = good;
		put(&setup, wrong);
		expect(wrong->what, ioctl(fd, KRX_IOC_SETUP, &setup), wrong->error);
	}
	for (unsigned int bit = 0; bit < 32; bit++) {
		setup = good;
		setup.flags = 1U << bit;
		expect("setup flags", ioctl(fd, KRX_IOC_SETUP, &setup), EINVAL);
	}
	mprotect(read_only, 4096, PROT_READ | PROT_WRITE);
	memcpy(read_only, &good, sizeof(good));
	wrong_pointers("setup", fd, KRX_IOC_SETUP, 1, 1);
	wrong_commands("krx", fd, krx_commands, sizeof(krx_commands) / sizeof(*krx_commands));
	for (unsigned int i = 0; i < sizeof(ktx_commands) / sizeof(*ktx_commands) - 2; i++)
		expect("ktx command to krx", ioctl(fd, ktx_commands[i], &rule), ENOTTY);
	wrong_eventfds("krx eventfd", fd);
	no_streams("krx stream", fd);

	if (capturer_setup(&capturer, fd, 16, 256))
		die("setup after all");
	expect("setup again", ioctl(fd, KRX_IOC_SETUP, &good), EBUSY);
	expect("threshold 0", ioctl(fd, KRX_IOC_THRESHOLD, 0), EINVAL);
	expect("threshold 17", ioctl(fd, KRX_IOC_THRESHOLD, 17), EINVAL);
	expect("threshold 2^32 + 1", ioctl(fd, KRX_IOC_THRESHOLD, (1L << 32) + 1), EINVAL);
	wrong_pointers("add", fd, KRX_IOC_RULE_ADD, 0, 1);
	wrong_pointers("replace", fd, KRX_IOC_RULE_REPLACE, 0, 1);
	wrong_pointers("list", fd, KRX_IOC_RULE_LIST, 0, 1);
	wrong_pointers("statistics", fd, KRX_IOC_STATISTICS, 1, 0);
	expect("replace nothing", ioctl(fd, KRX_IOC_RULE_REPLACE, &captures), ENOENT);
	expect("delete nothing", ioctl(fd, KRX_IOC_RULE_DELETE, 1), ENOENT);
	expect("delete 0", ioctl(fd, KRX_IOC_RULE_DELETE, 0), ENOENT);
	EACH(wrong_rules) {
		rule = captures;
		put(&rule, wrong);
		add(fd, wrong->what, &rule, wrong->error);
	}
	for (unsigned int bit = 10; bit < 32; bit++) {
		rule = captures;
		rule.match |= 1U << bit;
		add(fd, "match", &rule, EINVAL);
	}
	for (unsigned int bit = 3; bit < 32; bit++) {
		rule = captures;
		rule.flags |= 1U << bit;
		add(fd, "flags", &rule, EINVAL);
	}
	rule = captures;
	rule.match |= KRX_MATCH_INTERFACE;
	add(fd, "interface 0", &rule, EINVAL);
	rule.interface_index = 0x80000000;
	add(fd, "interface 2^31", &rule, EINVAL);
	rule.interface_index = 0x7FFFFFFF;
	add(fd, "interface 2^31 - 1", &rule, ENODEV);

	edits.edits[0] = (struct krx_edit){ .field = KRX_EDIT_TTL, .length = 1, .value = { 9 } };
	add(fd, "edits", &edits, 0);
	EACH(wrong_edits) {
		rule = edits;
		put(&rule, wrong);
		add(fd, wrong->what, &rule, wrong->error);
	}
	rule = edits;
	rule.edits[0] = (struct krx_edit){ .field = KRX_EDIT_DSCP, .length = 1, .value = { 64 } };
	add(fd, "dscp 64", &rule, EINVAL);

	reacts.flags = KRX_RULE_REACT;
	reacts.reaction = (struct krx_reaction){ .ktx = sender.fd, .frame_length = 64, .repeat = 1 };
	reacts.reaction.copies[0] = (struct krx_copy){ .base = KRX_BASE_NETWORK, .length = 4 };
	add(fd, "reaction", &reacts, 0);
	EACH(wrong_reactions) {
		rule = reacts;
		put(&rule, wrong);
		add(fd, wrong->what, &rule, wrong->error);
	}
	for (unsigned int bit = 2; bit < 32; bit++) {
		rule = reacts;
		rule.reaction.flags = 1U << bit;
		add(fd, "reaction flags", &rule, EINVAL);
	}
	rule = reacts;
	rule.reaction.copies[0] = (struct krx_copy){ 0 };
	rule.reaction.frame_length = 0;
	add(fd, "reaction of no bytes", &rule, EMSGSIZE);
	rule = reacts;
	rule.reaction.ktx = fd;
	add(fd, "reaction through krx", &rule, EBADF);
	rule.reaction.ktx = open("/dev/ktx", O_RDWR);
	add(fd, "reaction through an unbound file", &rule, EBADF);
	close(rule.reaction.ktx);

	expect("add", ioctl(fd, KRX_IOC_RULE_ADD, &captures), 0);
	expect("add again", ioctl(fd, KRX_IOC_RULE_ADD, &captures), EEXIST);
	list.reserved = 1;
	expect("list reserved", ioctl(fd, KRX_IOC_RULE_LIST, &list), EINVAL);
	list.reserved = 0;
	list.rules = (unsigned long)unmapped;
	expect("list into nothing", ioctl(fd, KRX_IOC_RULE_LIST, &list), EFAULT);
	list.rules = 0;
	list.counters = -8ULL;
	expect("list into the kernel", ioctl(fd, KRX_IOC_RULE_LIST, &list), EFAULT);
	list.counters = 0;
	list.capacity = -1U;
	expect("list without arrays", ioctl(fd, KRX_IOC_RULE_LIST, &list), 0);
	if (list.count != 1)
		printf("%u rules instead of 1\n", list.count), faults++;
	expect("delete 2^32 + 1", ioctl(fd, KRX_IOC_RULE_DELETE, (1L << 32) + 1), ENOENT);
	expect("delete", ioctl(fd, KRX_IOC_RULE_DELETE, 1), 0);
	expect("flush nothing", ioctl(fd, KRX_IOC_RULE_FLUSH) == 0 ? 0 : -1, 0);
	close(fd);
	sender_close(&sender);
}

int main(int argc, char **argv)
{
	char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (argc != 2 || pages == MAP_FAILED)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	interface = argv[1];
	read_only = pages;
	unmapped = pages + 2 * 4096;
	mprotect(unmapped, 4096, PROT_NONE);
	ktx_calls();
	krx_calls();
	printf("%u calls, %u faults\n", calls, faults);
	return faults != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Has each allocation of each call fail in turn, until the call goes through without meeting the failure: by
 * /proc/thread-self/fail-nth of a kernel with fault injection. Prints a line for each call: its name, how many of its
 * allocations (and copies from and to this program) failed, and how many of those the call survived all the same.
 *
 *	failing INTERFACE
 *
 * A failure is ENOMEM, or EFAULT where a copy failed, or a completion without memory; and what the call was to do is then
 * not done, nor half done.
 */
#include "device.h"

#include <sys/eventfd.h>

static int nth_file;
static struct sender sender;
static struct capturer capturer;
static int fresh; /* the file that open() or bind is tried on */
static int event;
static struct krx_rule rule;
static struct krx_rule listed[4];
static struct krx_rule_counters counters[4];
static const char *interface;
static struct sender beginner;
static unsigned int faults;

static void set_nth(unsigned int nth)
{
	char text[16];
	int length = sprintf(text, "%u", nth);

	/* Copies from this program fail as well: of this one, too. */
	if (pwrite(nth_file, text, length, 0) != length && pwrite(nth_file, text, length, 0) != length)
		die("fail-nth");
}

/* Whether the failure has been met. */
static int was_met(void)
{
	char text[16] = "";

	return pread(nth_file, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';
}

/* ---- the calls: prepare, the call itself, and what is left to undo. A call returns 0, or -1 and errno. ---- */

static void nothing(void)
{
}

static int call_open_ktx(void)
{
	fresh = open("/dev/ktx", O_RDWR);
	return fresh < 0 ? -1 : 0;
}

static int call_open_krx(void)
{
	fresh = open("/dev/krx", O_RDWR);
	return fresh < 0 ? -1 : 0;
}

static void close_fresh(void)
{
	if (fresh >= 0)
		close(fresh);
	fresh = -1;
}

static void open_ktx(void)
{
	if (fresh < 0)
		fresh = open("/dev/ktx", O_RDWR);
}

static void open_krx(void)
{
	if (fresh < 0)
		fresh = open("/dev/krx", O_RDWR);
}

static int call_bind(void)
{
	struct ktx_bind bind = sender.bind;

	return ioctl(fresh, KTX_IOC_BIND, &bind);
}

static int call_setup(void)
{
	struct krx_setup setup = { .slots = 16, .slot_bytes = 256 };

	return ioctl(fresh, KRX_IOC_SETUP, &setup);
}

static int submit_frames(struct sender *by, unsigned int length)
{
	unsigned int first = by->header->completion_producer;
	int taken;

	sender_queue(by, 4, length, 0, 0, 0);
	taken = sender_submit(by);
	if (taken != 4) {
		faults++;
		printf("%d taken: %s\n", taken, strerror(errno));
	}
	sender_drain(by);
	for (unsigned int i = first; i != by->header->completion_producer; i++) {
		unsigned int status = by->completions[i & (by->bind.completion_entries - 1)].status;

		if (status == KTX_SENT)
			continue;
		errno = status == KTX_NO_MEMORY ? ENOMEM : EIO;
		return -1;
	}
	return 0;
}

static int call_submit_copied(void)
{
	return submit_frames(&sender, 200);
}

static int call_submit_referenced(void)
{
	return submit_frames(&sender, 1400);
}

/* A file that has sent nothing yet keeps no memory for it. */
static void open_beginner(void)
{
	beginner = sender_open(interface, 64, 65536);
}

static int call_submit_first(void)
{
	return submit_frames(&beginner, 200);
}

static void close_beginner(void)
{
	sender_close(&beginner);
}

static int call_add(void)
{
	return ioctl(capturer.fd, KRX_IOC_RULE_ADD, &rule);
}

static int call_replace(void)
{
	return ioctl(capturer.fd, KRX_IOC_RULE_REPLACE, &rule);
}

static void flush(void)
{
	ioctl(capturer.fd, KRX_IOC_RULE_FLUSH);
}

static void rule_capture(void)
{
	rule = plain_rule(1, KRX_CAPTURE);
}

static void rule_edits(void)
{
	rule = plain_rule(1, KRX_FORWARD);
	rule.edits[0] = (struct krx_edit){ .field = KRX_EDIT_TTL, .length = 1, .value = { 9 } };
}

static void rule_reaction(void)
{
	rule = plain_rule(1, KRX_CAPTURE);
	rule.flags = KRX_RULE_REACT;
	rule.reaction = (struct krx_reaction){ .ktx = sender.fd, .frame_length = 64, .repeat = 1 };
}

static void rule_neighbour(void)
{
	rule = plain_rule(1, KRX_CAPTURE);
	rule.flags = KRX_RULE_NEIGHBOUR;
	rule.match |= KRX_MATCH_INTERFACE;
	rule.interface_index = if_nametoindex("near0");
}

static void one_rule(void)
{
	rule_capture();
	call_add();
	rule.priority++;
}

static int call_list(void)
{
	struct krx_rule_list list = { .capacity = 4, .rules = (unsigned long)listed, .counters = (unsigned long)counters };

	return ioctl(capturer.fd, KRX_IOC_RULE_LIST, &list);
}

static int call_eventfd_ktx(void)
{
	return ioctl(sender.fd, KTRXER_IOC_EVENTFD, event);
}

static int call_eventfd_krx(void)
{
	return ioctl(capturer.fd, KTRXER_IOC_EVENTFD, event);
}

static int call_cancel(void)
{
	unsigned long long cookie = 5;

	return ioctl(sender.fd, KTX_IOC_CANCEL, &cookie);
}

static int call_statistics(void)
{
	struct ktx_statistics statistics;

	return ioctl(sender.fd, KTX_IOC_STATISTICS, &statistics);
}

static int call_map(void)
{
	void *map = mmap(NULL, sender.bind.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, sender.fd, 0);

	if (map == MAP_FAILED)
		return -1;
	munmap(map, sender.bind.map_bytes);
	return 0;
}

static const struct {
	const char *name;
	void (*before)(void);
	int (*call)(void);
	void (*after)(void);
} calls[] = {
	{ "open-ktx", nothing, call_open_ktx, close_fresh },
	{ "open-krx", nothing, call_open_krx, close_fresh },
	{ "bind", open_ktx, call_bind, close_fresh },
	{ "setup", open_krx, call_setup, close_fresh },
	{ "map", nothing, call_map, nothing },
	{ "submit-first", open_beginner, call_submit_first, close_beginner },
	{ "submit-copied", nothing, call_submit_copied, nothing },
	{ "submit-referenced", nothing, call_submit_referenced, nothing },
	{ "cancel", nothing, call_cancel, nothing },
	{ "statistics", nothing, call_statistics, nothing },
	{ "eventfd-ktx", nothing, call_eventfd_ktx, nothing },
	{ "eventfd-krx", nothing, call_eventfd_krx, nothing },
	{ "add-capture", rule_capture, call_add, flush },
	{ "add-edits", rule_edits, call_add, flush },
	{ "add-reaction", rule_reaction, call_add, flush },
	{ "add-neighbour", rule_neighbour, call_add, flush },
	{ "replace", one_rule, call_replace, flush },
	{ "list", one_rule, call_list, flush },
};

int main(int argc, char **argv)
{
	struct ktx_statistics statistics;

	if (argc != 2)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	fresh = -1;
	nth_file = open("/proc/thread-self/fail-nth", O_RDWR);
	if (nth_file < 0)
		die("fail-nth");
	interface = argv[1];
	sender = sender_open(interface, 64, 65536);
	capturer = capturer_open(16, 256);
	event = eventfd(0, EFD_NONBLOCK);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		unsigned int failed = 0, survived = 0;

		for (unsigned int nth = 1;; nth++) {
			int result, error, met;

			calls[i].before();
			set_nth(nth);
			result = calls[i].call();
			error = errno;
			met = was_met();
			set_nth(0);
			if (!met) {
				if (result < 0)
					faults++, printf("%s: %s without a failure\n", calls[i].name, strerror(error));
				calls[i].after();
				break;
			}
			failed++;
			if (result >= 0)
				survived++;
			else if (error != ENOMEM && error != EFAULT)
				faults++, printf("%s: %s at failure %u\n", calls[i].name, strerror(error), nth);
			/* What failed is not half done: the same on the same file goes through. A copy may fail when all is done. */
			if (result < 0 && error == ENOMEM && calls[i].call() < 0)
				faults++, printf("%s: %s after failure %u\n", calls[i].name, strerror(errno), nth);
			calls[i].after();
		}
		printf("%s %u %u\n", calls[i].name, failed, survived);
	}
	ioctl(sender.fd, KTX_IOC_STATISTICS, &statistics);
	if (statistics.submitted != statistics.sent + statistics.failed || sender.header->referenced)
		faults++, printf("frames were lost\n");
	return faults != 0;
}

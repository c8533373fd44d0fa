/* SPDX-License-Identifier: MIT */
/*
 * Ways to hold, map, share and drop the devices' files that nobody means. One case a run; prints what was not as it
 * should be.
 *
 *	holding INTERFACE CASE
 */
#include "device.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char *interface;
static unsigned int faults;

static void check(int good, const char *what)
{
	if (good)
		return;
	faults++;
	printf("%s: %s\n", what, strerror(errno));
}

static int map_error(size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *map = mmap(NULL, bytes, protection, flags, fd, offset);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, bytes);
	return 0;
}

/* One frame goes out by it, and comes back as sent. */
static int works(struct sender *sender)
{
	sender_drain(sender);
	sender_queue(sender, 1, 60, 0, 0, 0);
	return sender_submit(sender) == 1 && sender_drain(sender) == 1 &&
	       sender->completions[(sender->header->completion_producer - 1) & (sender->bind.completion_entries - 1)].status == KTX_SENT;
}

static void maps_of(int fd, size_t bytes, unsigned char *map)
{
	const int both = PROT_READ | PROT_WRITE;
	unsigned char *grown, *moved;

	check(map_error(bytes, both, MAP_PRIVATE, fd, 0) == EINVAL, "private");
	check(map_error(bytes, PROT_READ, MAP_PRIVATE, fd, 0) == EINVAL, "private to read");
	check(map_error(bytes, both | PROT_EXEC, MAP_SHARED, fd, 0) == EINVAL, "executable");
	check(map_error(bytes + 4096, both, MAP_SHARED, fd, 0) == EINVAL, "a page too long");
	check(map_error(bytes * 1024, both, MAP_SHARED, fd, 0) == EINVAL, "much too long");
	check(map_error(bytes, both, MAP_SHARED, fd, 4096) == EINVAL, "a page too late");
	check(map_error(4096, both, MAP_SHARED, fd, bytes) == EINVAL, "behind the end");
	check(map_error(4096, both, MAP_SHARED, fd, 1LL << 40) == EINVAL, "far behind the end");
	check(map_error(4096, both, MAP_SHARED, fd, -4096LL) == EINVAL || errno == EOVERFLOW, "before the beginning");
	check(map_error(4096, both, MAP_SHARED, fd, bytes - 4096) == 0, "the last page");
	check(map_error(bytes, PROT_READ, MAP_SHARED, fd, 0) == 0, "to read");
	check(mprotect(map, bytes, both | PROT_EXEC) && errno == EACCES, "made executable");
	check(!mprotect(map, bytes, PROT_NONE) && !mprotect(map, bytes, both), "protected and back");
	grown = mremap(map, bytes, bytes * 2, MREMAP_MAYMOVE);
	check(grown == MAP_FAILED && errno == EFAULT, "grown");
	/* Somewhere else that is free. */
	moved = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(map, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, moved);
	check(moved != MAP_FAILED, "moved");
	check(moved == MAP_FAILED || mremap(moved, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, map) == map, "moved back");
	/* Who throws the pages away has none any more, until it maps them again. */
	check(madvise(map, bytes, MADV_DONTNEED) == 0, "thrown away");
	check(mmap(map, bytes, both, MAP_SHARED | MAP_FIXED, fd, 0) == map, "mapped again");
	check(madvise(map, bytes, MADV_DODUMP) && errno == EINVAL, "dumped");
}

static void case_maps(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	struct capturer capturer = capturer_open(64, 1024);
	char path[64];
	int reader;

	maps_of(sender.fd, sender.bind.map_bytes, sender.map);
	check(works(&sender), "ktx afterwards");
	maps_of(capturer.fd, capturer.setup.map_bytes, capturer.map);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sender.fd);
	/* Opens the device anew: another file, that is not bound. */
	reader = open(path, O_RDWR);
	check(map_error(4096, PROT_READ, MAP_SHARED, reader, 0) == ENOTCONN, "a file of its own");
	reader = open("/dev/ktx", O_RDONLY);
	check(ioctl(reader, KTX_IOC_BIND, &sender.bind) == 0, "bound by a reader");
	check(map_error(4096, PROT_READ, MAP_SHARED, reader, 0) == EINVAL, "shared by a reader");
}

/* Parts go away while frames of them are under way. */
static void case_partial(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	size_t bytes = sender.bind.map_bytes;

	sender_queue(&sender, 8, 1400, 20000000, 1000, 0);
	check(sender_submit(&sender) == 8, "submitted");
	check(!munmap(sender.frames, bytes - sender.bind.frame_offset), "frames unmapped");
	usleep(40000);
	check(sender_drain(&sender) == 8, "sent without them");
	sender.header->submission_producer++;
	check(sender_submit(&sender) == 1, "unmapped, and sent all the same");
	check(!munmap(sender.map, 4096), "header unmapped");
	check(sender_submit(&sender) == 0, "submitted without a header");
	check(mmap(sender.map, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, sender.fd, 0) == sender.map, "mapped again");
	check(works(&sender), "again");
	check(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, sender.fd, 0) != MAP_FAILED, "mapped twice");
	check(works(&sender), "with two");
}

/* The descriptor is closed; the map keeps the file. Frames that are scheduled leave. */
static void case_closed(void)
{
	struct sender sender = sender_open(interface, 64, 65536);

	sender_queue(&sender, 4, 100, 5000000, 1000, 0);
	check(sender_submit(&sender) == 4, "submitted");
	close(sender.fd);
	usleep(20000);
	check(sender_drain(&sender) == 4 && sender.completions[3].status == KTX_SENT, "sent after close");
	munmap(sender.map, sender.bind.map_bytes);
}

/* The child goes on with its parent's file and map after the parent is gone. */
static void case_fork(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	int pipes[2];
	char verdict = 0;

	check(!pipe(pipes), "pipe");
	sender_queue(&sender, 4, 1400, 30000000, 1000, 0);
	check(sender_submit(&sender) == 4, "submitted");
	if (!fork()) {
		/* This one is the parent that leaves; its child stays. */
		if (fork())
			_exit(0);
		munmap(sender.map, 4096);
		if (sender_map(&sender))
			_exit(1);
		usleep(60000);
		verdict = sender_drain(&sender) == 4 && works(&sender) ? 'y' : 'n';
		_exit(write(pipes[1], &verdict, 1) != 1);
	}
	sender_close(&sender);
	wait(NULL);
	close(pipes[1]);
	check(read(pipes[0], &verdict, 1) == 1 && verdict == 'y', "in the grandchild");
}

static void pass(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	check(sendmsg(socket, &message, 0) == 1, "passed on");
}

static int received(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

/* Through a socket to another process; and one that is dropped in the socket with frames scheduled. */
static void case_passed(void)
{
	struct sender sender = sender_open(interface, 64, 65536), lost = sender_open(interface, 64, 65536);
	int sockets[2], status;

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	if (!fork()) {
		struct sender own = sender;

		close(sender.fd);
		munmap(sender.map, sender.bind.map_bytes);
		own.fd = received(sockets[1]);
		if (sender_map(&own))
			_exit(1);
		_exit(!works(&own));
	}
	pass(sockets[0], sender.fd);
	sender_close(&sender);
	wait(&status);
	check(status == 0, "works elsewhere");
	sender_queue(&lost, 8, 1400, 1000000000, 1000, 0);
	check(sender_submit(&lost) == 8, "submitted");
	pass(sockets[0], lost.fd);
	sender_close(&lost);
	close(sockets[0]);
	close(sockets[1]);
}

/* dup, and exec with the descriptor left open: `holding INTERFACE inherited FD` uses it. */
static void case_inherited(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	int copy = dup(sender.fd);
	char number[16];
	int status;

	sprintf(number, "%d", copy);
	check(ioctl(copy, KTX_IOC_BIND, &sender.bind) && errno == EBUSY, "bound by its copy");
	if (!fork()) {
		execl("/proc/self/exe", "holding", interface, "heir", number, NULL);
		_exit(9);
	}
	close(sender.fd);
	sender.fd = copy;
	wait(&status);
	check(status == 0, "the heir");
	check(works(&sender), "after the heir");
	sender_close(&sender);
}

static pthread_barrier_t barrier;
static int shared;

static void *binding_thread(void *argument)
{
	struct ktx_bind bind = binding(interface, 64, 65536);

	(void)argument;
	pthread_barrier_wait(&barrier);
	return (void *)(long)(ioctl(shared, KTX_IOC_BIND, &bind) ? errno : 0);
}

/* Two threads bind one file: one of them does. */
static void case_bind(void)
{
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 20; i++) {
		pthread_t threads[2];
		void *results[2];

		shared = open("/dev/ktx", O_RDWR);
		for (int j = 0; j < 2; j++)
			pthread_create(&threads[j], NULL, binding_thread, NULL);
		for (int j = 0; j < 2; j++)
			pthread_join(threads[j], &results[j]);
		check((!results[0] && results[1] == (void *)EBUSY) || (!results[1] && results[0] == (void *)EBUSY), "bound twice");
		close(shared);
	}
}

static void *polling(void *argument)
{
	struct pollfd polled = { .fd = *(int *)argument, .events = POLLIN };

	return poll(&polled, 1, 100) ? (void *)(long)(polled.revents | 0x10000) : NULL;
}

/* Closed by one thread while another waits for it. */
static void case_poll(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	struct capturer capturer = capturer_open(64, 1024);
	int fds[] = { sender.fd, capturer.fd };

	munmap(sender.map, sender.bind.map_bytes);
	munmap(capturer.map, capturer.setup.map_bytes);
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, polling, &fds[i]);
		usleep(10000);
		close(fds[i]);
		pthread_join(thread, &result);
		/* When its time is over poll looks again, and finds the number of no file. */
		if (result != (void *)(0x10000L | POLLNVAL))
			faults++, printf("polled: %#lx\n", (long)result);
	}
}

/* The eventfd goes first, and the file with frames under way that would signal it. */
static void case_eventfd(void)
{
	struct sender sender = sender_open(interface, 64, 65536);
	int event = eventfd(0, EFD_NONBLOCK);
	unsigned long long count;

	check(!ioctl(sender.fd, KTRXER_IOC_EVENTFD, event), "eventfd");
	check(works(&sender) && read(event, &count, 8) == 8 && count, "signalled");
	close(event);
	check(works(&sender), "without it");
	for (int i = 0; i < 50; i++) {
		event = eventfd(0, EFD_NONBLOCK);
		check(!ioctl(sender.fd, KTRXER_IOC_EVENTFD, event), "another");
		close(event);
	}
	sender_queue(&sender, 8, 100, 2000000, 1000, 0);
	sender_submit(&sender);
	sender_close(&sender);
}

/* Closed, or killed, with frames scheduled, also such as the device reads from the map. */
static void case_killed(void)
{
	int status;

	for (int i = 0; i < 6; i++) {
		pid_t child = fork();

		if (!child) {
			/* A parent that is killed leaves nobody behind. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);

			struct sender sender = sender_open(interface, 64, 65536);
			struct capturer capturer = capturer_open(64, 1024);
			struct krx_rule rule = plain_rule(1, KRX_CAPTURE);

			rule.flags = KRX_RULE_REACT;
			rule.reaction = (struct krx_reaction){ .ktx = sender.fd, .frame_length = 64, .repeat = 1 };
			check(!ioctl(capturer.fd, KRX_IOC_RULE_ADD, &rule), "rule");
			sender_queue(&sender, 8, 1400, 0, 0, 0);
			check(sender_submit(&sender) == 8, "sent");
			sender_queue(&sender, 40, 1400, i % 2 ? 1000000 : 100000000, 20000, 0);
			check(sender_submit(&sender) == 40, "scheduled");
			if (i < 2)
				_exit(faults);
			if (i < 4)
				kill(getpid(), SIGKILL);
			pause();
		}
		usleep(20000);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		check(!WIFEXITED(status) || !WEXITSTATUS(status), "child");
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "maps", case_maps }, { "partial", case_partial }, { "closed", case_closed }, { "fork", case_fork },
	{ "passed", case_passed }, { "inherited", case_inherited }, { "bind", case_bind }, { "poll", case_poll },
	{ "eventfd", case_eventfd }, { "killed", case_killed },
};

static int heir(int fd)
{
	struct ktx_header *header = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (header == MAP_FAILED)
		return 1;
	header->submission_producer = header->submission_consumer + 1;
	if (ioctl(fd, KTX_IOC_SUBMIT, 0) != 1)
		return 2;
	header->completion_consumer = header->completion_producer;
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 64;
	interface = argv[1];
	if (argc == 4)
		return heir(atoi(argv[3]));
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (strcmp(cases[i].name, argv[2]))
			continue;
		cases[i].run();
		return faults != 0;
	}
	return 64;
}

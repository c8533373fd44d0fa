/* SPDX-License-Identifier: MIT */
/*
 * Runs a program for some time, on a machine that has nothing else to do, and prints as one JSON object how long the processor
 * was busy meanwhile, what was sent, and the most memory that the program had.
 *
 *	hour SECONDS EVERY COMMAND [ARGUMENT...]
 *
 * EVERY 0: the program is started once, and ended when the time is over. Otherwise it is started every so many seconds, as cron
 * would, and ends by itself. SECONDS begin when it has been running for ten. COMMAND - is nothing at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL
#define SETTLED 10

/* What programs and processor have come to. */
struct account {
	unsigned long long now, idle, packets;
};

static void die(const char *what)
{
	fprintf(stderr, "hour: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* The number behind the first occurrence of a word in a file. */
static unsigned long long number_in(const char *path, const char *word)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	ssize_t more;
	char *at;

	if (fd < 0)
		die(path);
	while ((more = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += more;
	close(fd);
	text[length] = 0;
	at = strstr(text, word);
	if (!at)
		die(word);
	return strtoull(at + strlen(word) + strspn(at + strlen(word), " \t:"), NULL, 10);
}

static struct account account(void)
{
	/* Of the first and only processor, to the nanosecond, unlike what /proc/stat has. */
	return (struct account){
		.now = now(),
		.idle = number_in("/proc/timer_list", ".idle_sleeptime"),
		.packets = number_in("/sys/class/net/eth0/statistics/tx_packets", ""),
	};
}

static pid_t start(char **command)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execvp(command[0], command);
		_exit(127);
	}
	return child;
}

static void sleep_until(unsigned long long when)
{
	struct timespec time = { .tv_sec = when / SECOND, .tv_nsec = when % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	unsigned long long seconds, every, begin, most_kb = 0, resident_kb = 0, runs = 0;
	struct account first, last;
	struct rusage used = { 0 };
	char path[64];
	pid_t child = 0;
	int status = 0, something;

	if (argc < 4)
		return 64;
	seconds = strtoull(argv[1], NULL, 10);
	every = strtoull(argv[2], NULL, 10);
	something = strcmp(argv[3], "-");
	if (something && !every)
		child = start(argv + 3);
	sleep_until(now() + SETTLED * SECOND);
	begin = now();
	first = account();
	for (unsigned long long at = 0; something && every && at < seconds; at += every) {
		sleep_until(begin + at * SECOND);
		child = start(argv + 3);
		if (wait4(child, &status, 0, &used) != child || !WIFEXITED(status) || WEXITSTATUS(status))
			die("the program failed");
		if ((unsigned long long)used.ru_maxrss > most_kb)
			most_kb = used.ru_maxrss;
		runs++;
	}
	sleep_until(begin + seconds * SECOND);
	last = account();
	if (something && !every) {
		if (waitpid(child, &status, WNOHANG))
			die("the program ended");
		snprintf(path, sizeof(path), "/proc/%d/status", child);
		most_kb = number_in(path, "VmHWM");
		resident_kb = number_in(path, "VmRSS");
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
	}
	printf("{\"ns\": %llu, \"idle_ns\": %llu, \"packets\": %llu, \"runs\": %llu, \"most_kb\": %llu, \"resident_kb\": %llu}\n",
	       last.now - first.now, last.idle - first.idle, last.packets - first.packets, runs, most_kb, resident_kb);
	return 0;
}

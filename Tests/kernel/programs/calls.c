/* SPDX-License-Identifier: MIT */
/*
 * Makes the system calls that a script asks for, so that tests say in Python what goes to the kernel, bit by bit.
 * Reads commands from standard input, one a line, and answers each with one line: what the call returned (-errno when
 * it failed), and bytes in hexadecimal where there are any. Files have the number that the script gives them.
 *
 *	open N PATH			ioctl N COMMAND HEX		the argument points to these bytes; prints them after it
 *	close N				ioctl N COMMAND =INTEGER
 *	map N BYTES			unmap N
 *	peek N OFFSET LENGTH		poke N OFFSET HEX		in the mapping
 *	place N M OFFSET HEX COMMAND OFFSET2	ioctl with HEX, into which an address of M's mapping is put at OFFSET2
 *	ioctls N COMMAND INTEGER COMMAND2 HEX	two with nothing between them; prints what the second returned
 *	series N COMMAND COUNT ID PORTS HEX	ioctl so many times; between two of them the number at ID and both at PORTS grow by one
 *	fill N OFFSET HEX		poke where the number at OFFSET in N's last ioctl argument says
 *	poll N MS			prints revents
 *	eventfd N			read8 N				what an eventfd has counted
 *	send INTERFACE HEX		a frame, by AF_PACKET
 *	flood INTERFACE COUNT HEX [OFFSET]	a frame many times; prints the ns that it took. The two bytes at OFFSET are
 *				others in each
 *	sleep MS
 *	shell COMMAND		runs it in a shell; prints its exit status
 *	user UID			goes on as that user, for good
 *	namespace PATH			goes on in that network namespace
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES 64

static struct {
	int fd;
	unsigned char *map;
	size_t bytes;
	unsigned char argument[256]; /* of the last ioctl, the beginning */
} files[FILES];
static unsigned char buffer[1 << 20];
static char line[sizeof(buffer) * 2 + 256];

static long from_hex(const char *text, unsigned char *bytes)
{
	long count = 0;

	while (text[0] && text[1] && count < (long)sizeof(buffer)) {
		char pair[3] = { text[0], text[1], 0 };

		bytes[count++] = strtoul(pair, NULL, 16);
		text += 2;
	}
	return count;
}

static void print_hex(const unsigned char *bytes, long count)
{
	static const char digits[] = "0123456789abcdef";

	putchar(' ');
	while (count--) {
		putchar(digits[*bytes >> 4]);
		putchar(digits[*bytes++ & 15]);
	}
}

static long outcome(long result)
{
	return result < 0 ? -errno : result;
}

/* What is in the buffer, so many bytes. */
static long send_bytes(const char *interface, long length)
{
	static int packet = -1;
	static struct sockaddr_ll to = { .sll_family = AF_PACKET };

	if (packet < 0)
		packet = socket(AF_PACKET, SOCK_RAW, 0);
	if (interface)
		to.sll_ifindex = if_nametoindex(interface);
	return outcome(sendto(packet, buffer, length, 0, (struct sockaddr *)&to, sizeof(to)));
}

static long send_frame(const char *interface, const char *hex)
{
	return send_bytes(interface, from_hex(hex, buffer));
}

/* Ends before its time when the file `until` is there. */
static long flood(const char *interface, long count, const char *hex, size_t other, const char *until)
{
	struct timespec begin, end;
	long length = from_hex(hex, buffer);
	long result = send_bytes(interface, length);

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (count-- && result >= 0 && (!until || access(until, F_OK))) {
		uint16_t number = count;

		if (other)
			memcpy(buffer + other, &number, sizeof(number));
		result = send_bytes(NULL, length);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return result < 0 ? result : (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec;
}

/* Waits until a number that others write is `more` larger than it was, or for so many milliseconds. */
static long grows(const uint32_t *number, uint32_t more, long milliseconds)
{
	uint32_t before = __atomic_load_n(number, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(number, __ATOMIC_ACQUIRE) - before < more) {
		if (!milliseconds--)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

/* Rules that are the same but for their id and a port; returns what the first that failed came to, or their number. */
static long series(int fd, unsigned long command, long count, size_t id, size_t ports, const char *hex)
{
	uint32_t number;
	uint16_t port;
	long n;

	from_hex(hex, buffer);
	for (n = 0; n < count; n++) {
		long result = outcome(ioctl(fd, command, buffer));

		if (result < 0)
			return result;
		memcpy(&number, buffer + id, sizeof(number));
		number++;
		memcpy(buffer + id, &number, sizeof(number));
		memcpy(&port, buffer + ports, sizeof(port));
		port++;
		memcpy(buffer + ports, &port, sizeof(port));
		memcpy(buffer + ports + sizeof(port), &port, sizeof(port));
	}
	return count;
}

static void run(char *text)
{
	char *word[8] = { 0 };
	long result = -EINVAL, bytes = -1;
	unsigned char *shown = buffer;
	char *rest = text;
	int n;

	if (!strncmp(text, "shell ", 6)) {
		result = system(text + 6);
		printf("%ld\n", WIFEXITED(result) ? (long)WEXITSTATUS(result) : -1);
		fflush(stdout);
		return;
	}
	for (n = 0; n < 8 && (word[n] = strsep(&rest, " ")); n++)
		;
	n = word[1] ? atoi(word[1]) & (FILES - 1) : 0;
	if (!strcmp(word[0], "open")) {
		result = files[n].fd = open(word[2], O_RDWR | O_CLOEXEC);
		result = result < 0 ? -errno : 0;
	} else if (!strcmp(word[0], "close")) {
		result = outcome(close(files[n].fd));
	} else if (!strcmp(word[0], "ioctl") && word[3] && word[3][0] == '=') {
		result = outcome(ioctl(files[n].fd, strtoul(word[2], NULL, 0), strtoull(word[3] + 1, NULL, 0)));
	} else if (!strcmp(word[0], "ioctl")) {
		bytes = from_hex(word[3] ? word[3] : "", buffer);
		result = outcome(ioctl(files[n].fd, strtoul(word[2], NULL, 0), buffer));
		memcpy(files[n].argument, buffer, sizeof(files[n].argument));
	} else if (!strcmp(word[0], "place")) {
		uint64_t address = (uintptr_t)files[atoi(word[2]) & (FILES - 1)].map + strtoul(word[3], NULL, 0);

		bytes = from_hex(word[4], buffer);
		memcpy(buffer + strtoul(word[6], NULL, 0), &address, sizeof(address));
		result = outcome(ioctl(files[n].fd, strtoul(word[5], NULL, 0), buffer));
	} else if (!strcmp(word[0], "ioctls")) {
		from_hex(word[5], buffer);
		ioctl(files[n].fd, strtoul(word[2], NULL, 0), strtoull(word[3], NULL, 0));
		result = outcome(ioctl(files[n].fd, strtoul(word[4], NULL, 0), buffer));
	} else if (!strcmp(word[0], "series")) {
		result = series(files[n].fd, strtoul(word[2], NULL, 0), atol(word[3]), atol(word[4]), atol(word[5]), word[6]);
	} else if (!strcmp(word[0], "map")) {
		files[n].bytes = strtoul(word[2], NULL, 0);
		files[n].map = mmap(NULL, files[n].bytes, PROT_READ | PROT_WRITE, MAP_SHARED, files[n].fd, 0);
		result = files[n].map == MAP_FAILED ? -errno : 0;
	} else if (!strcmp(word[0], "unmap")) {
		result = outcome(munmap(files[n].map, files[n].bytes));
	} else if (!strcmp(word[0], "peek")) {
		shown = files[n].map + strtoul(word[2], NULL, 0);
		result = 0;
		bytes = strtoul(word[3], NULL, 0);
	} else if (!strcmp(word[0], "poke")) {
		result = from_hex(word[3], files[n].map + strtoul(word[2], NULL, 0));
	} else if (!strcmp(word[0], "fill")) {
		uint32_t offset;

		memcpy(&offset, files[n].argument + (strtoul(word[2], NULL, 0) & 127), sizeof(offset));
		result = offset < files[n].bytes ? from_hex(word[3], files[n].map + offset) : -EFAULT;
	} else if (!strcmp(word[0], "poll")) {
		struct pollfd one = { .fd = files[n].fd, .events = POLLIN };

		result = outcome(poll(&one, 1, atoi(word[2])));
		result = result < 0 ? result : one.revents;
	} else if (!strcmp(word[0], "grows")) {
		result = grows((const uint32_t *)(files[n].map + strtoul(word[2], NULL, 0)), atol(word[3]), atol(word[4]));
	} else if (!strcmp(word[0], "eventfd")) {
		result = files[n].fd = eventfd(0, EFD_NONBLOCK);
	} else if (!strcmp(word[0], "read8")) {
		bytes = 8;
		result = outcome(read(files[n].fd, buffer, 8));
	} else if (!strcmp(word[0], "send")) {
		result = send_frame(word[1], word[2]);
	} else if (!strcmp(word[0], "flood")) {
		result = flood(word[1], atol(word[2]), word[3], word[4] ? atol(word[4]) : 0, word[4] ? word[5] : NULL);
	} else if (!strcmp(word[0], "sleep")) {
		result = outcome(usleep(1000 * atoi(word[1])));
	} else if (!strcmp(word[0], "namespace")) {
		int namespace = open(word[1], O_RDONLY | O_CLOEXEC);

		result = outcome(setns(namespace, 0));
		close(namespace);
	} else if (!strcmp(word[0], "user")) {
		result = outcome(setuid(atoi(word[1])));
	}
	printf("%ld", result);
	if (bytes >= 0)
		print_hex(shown, bytes);
	putchar('\n');
	fflush(stdout);
}

int main(void)
{
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0])
			run(line);
	}
	return 0;
}

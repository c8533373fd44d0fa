/* SPDX-License-Identifier: MIT */
/*
 * Has frames arrive (../arrivals) while a program captures those that rules are for, and reads them.
 *
 *	capture METHOD INTERFACE RULES wanted|foreign COUNT
 *
 * Wanted frames match one rule each, all rules in turn; foreign ones none, by their port. Prints the ns that it took and
 * how many packets were captured. METHOD none: nobody does.
 */
#include "capture.h"

#include "../arrivals/arrivals.h"

#include <fcntl.h>
#include <time.h>

#define LENGTH 100
/* Of ports that no rule is for, and no socket either. */
#define FOREIGN_PORT 40000
#define FOREIGN_PORTS 10000

uint64_t looked_at;

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void nobody_opens(const char *interface, unsigned int rules)
{
	(void)interface;
	(void)rules;
}

static unsigned int nobody_drains(void)
{
	return 0;
}

static const struct capture none = { .name = "none", .open = nobody_opens, .drain = nobody_drains };
static const struct capture *const ways[] = { &none, &ktrxer, &ktrxer_drop, &packet, &nftables, &nftables_set };

static void put32(unsigned char *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

/* To the interface's own link address, so that the stack takes it; its IP address is nobody's, so that it ends soon. */
static void build(unsigned char *frame, const char *interface)
{
	unsigned char *ip = frame + 14;
	unsigned int sum = 0;
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/address", interface);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 17)
		die(path);
	close(fd);
	sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", frame, frame + 1, frame + 2, frame + 3, frame + 4, frame + 5);
	frame[6] = 2;
	frame[11] = 9;
	frame[12] = 8;
	ip[0] = 0x45;
	ip[3] = LENGTH - 14;
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, SOURCE);
	put32(ip + 16, DESTINATION);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xFFFF) + (sum >> 16));
	ip[10] = sum >> 8;
	ip[11] = sum;
	ip[20] = 0x80;
	ip[25] = LENGTH - 34;
}

int main(int argc, char **argv)
{
	unsigned char frame[LENGTH] = { 0 };
	const struct capture *way = NULL;
	unsigned int rules, count, captured = 0, ports;
	unsigned long long begin, end;
	int fd;

	if (argc != 6)
		return 64;
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i]->name, argv[1]))
			way = ways[i];
	if (!way)
		return 64;
	rules = atoi(argv[3]);
	count = atoi(argv[5]);
	ports = argv[4][0] == 'w' ? FIRST_PORT << 16 | rules : (unsigned int)FOREIGN_PORT << 16 | FOREIGN_PORTS;
	build(frame, argv[2]);
	fd = open("/dev/arrivals", O_RDWR);
	if (fd < 0 || write(fd, frame, sizeof(frame)) != sizeof(frame) || ioctl(fd, ARRIVALS_INTERFACE, if_nametoindex(argv[2])) ||
	    ioctl(fd, ARRIVALS_PORTS, ports))
		die("/dev/arrivals");
	way->open(argv[2], rules);
	/* The kernel switches stamping on a little later than it was asked to. */
	usleep(200000);
	/* Once for what has to be warm. */
	for (int i = 0; i < 4; i++) {
		if (ioctl(fd, ARRIVALS_COME, BURST))
			die("arrival");
		way->drain();
	}
	if (way->settle) {
		way->settle();
		way->drain();
	}
	begin = now();
	for (unsigned int n = 0; n < count; n += BURST) {
		if (ioctl(fd, ARRIVALS_COME, BURST))
			die("arrival");
		captured += way->drain();
	}
	end = now();
	if (way->settle) {
		way->settle();
		captured += way->drain();
	}
	printf("{\"ns\": %llu, \"arrived\": %u, \"captured\": %u}\n", end - begin, (count + BURST - 1) / BURST * BURST, captured);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Cross traffic of the device itself: UDP packets of 100 to 1400 bytes through a socket, as another program's would be, until
 * it is killed. Gaps are uniform from nothing to twice their mean: equal ones would keep step with what is measured. They
 * come from a seed, and are the same each time.
 *
 *	load PPS DESTINATION
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define SHORTEST 100
#define LONGEST 1400
#define HEADERS 28

static uint32_t seed = 1;

/* xorshift */
static uint32_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(7) };
	static unsigned char payload[LONGEST];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t mean, next = now();

	if (argc != 3 || !inet_aton(argv[2], &peer.sin_addr) || atoi(argv[1]) <= 0)
		return 64;
	if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof(peer))) {
		perror("load");
		return 1;
	}
	mean = 1000000000 / atoi(argv[1]);
	for (;;) {
		next += random_number() * (2 * mean) >> 32;
		if (next > now()) {
			struct timespec until = { .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000 };

			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		}
		/* A queue that is full throws it away. */
		send(fd, payload, SHORTEST - HEADERS + random_number() % (LONGEST - SHORTEST + 1), 0);
	}
}

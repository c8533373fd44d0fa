/* SPDX-License-Identifier: MIT */
/*
 * A train of UDP frames by a way that a program might take without the module: what ours is compared with.
 *
 *	burst udp|packet INTERFACE COUNT LENGTH PORT [DESTINATION]
 *
 * LENGTH is the frame's, with its Ethernet header. Prints how long the sending took, ns.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_QDISC_BYPASS
#define PACKET_QDISC_BYPASS 20
#endif

static unsigned char frame[65536];

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int packet_socket(const char *interface)
{
	struct sockaddr_ll local = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)))
		return -1;
	return fd;
}

static int udp_socket(const char *interface, struct in_addr destination, int port)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = destination };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface) + 1) ||
	    connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		return -1;
	return fd;
}

static void build(int length, struct in_addr destination, int port)
{
	unsigned char *ip = frame + 14;
	unsigned int sum = 0;

	/* Nobody's: who receives it must not cost what is measured here. */
	frame[0] = 2;
	frame[5] = 0x99;
	frame[6] = 2;
	frame[12] = 8;
	ip[0] = 0x45;
	ip[2] = (length - 14) >> 8;
	ip[3] = length - 14;
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 16, &destination, 4);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xFFFF) + (sum >> 16));
	ip[10] = sum >> 8;
	ip[11] = sum;
	ip[22] = port >> 8;
	ip[23] = port;
	ip[24] = (length - 34) >> 8;
	ip[25] = length - 34;
}

int main(int argc, char **argv)
{
	struct in_addr destination = { .s_addr = htonl(0x0A090002) };
	unsigned long long begin;
	int count, length, port, fd, headers;

	if (argc < 6 || (argc > 6 && !inet_aton(argv[6], &destination)))
		return 64;
	count = atoi(argv[3]);
	length = atoi(argv[4]);
	port = atoi(argv[5]);
	if (length < 42 || length > (int)sizeof(frame))
		return 64;
	if (!strcmp(argv[1], "packet")) {
		fd = packet_socket(argv[2]);
		headers = 0;
		build(length, destination, port);
	} else {
		fd = udp_socket(argv[2], destination, port);
		headers = 42;
	}
	if (fd < 0) {
		perror("burst");
		return 1;
	}
	begin = now();
	for (int i = 0; i < count; i++)
		while (send(fd, frame + headers, length - headers, 0) < 0)
			;
	printf("%llu\n", now() - begin);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The main function of all sending methods: makes frames, and has the method send them train by train.
 *
 *	METHOD [options]
 *
 * A train for each payload from -l to -L in steps of -k, all of it -r times; each train has a port of its own, counted up
 * from -p. With -T, each train is sent in parts of -G frames, one part begun every so many ns. -F gives real-time priority. For each train that it was asked
 * for, -v prints its port and when it was begun and handed over, ns of CLOCK_MONOTONIC.
 */
#include "input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct input input = {
	.interface = "eth0",
	.count = 100,
	.port = 2000,
	.to = { 2, 0, 0, 0, 0, 0x99 },
	.from = { 2, 0, 0, 0, 0, 1 },
};
static unsigned int first = 58, last, step = 1, runs = 1;
static unsigned int pause_us = 2000; /* before each train: what the one before left behind is done */
static uint64_t ahead; /* ns from the method's call to the first launch */
static uint64_t period;
static int verbose;

uint64_t input_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void put16(unsigned char *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void real_time(void)
{
	struct sched_param parameter = { .sched_priority = 50 };

	if (sched_setscheduler(0, SCHED_FIFO, &parameter))
		fail("SCHED_FIFO");
}

/* Each frame has its number at the start of its payload. */
static void build(unsigned char *frame, unsigned int number)
{
	unsigned char *ip = frame + IP_AT, *udp = frame + UDP_AT;
	unsigned int sum = 0;

	memset(frame, 0, PAYLOAD_AT);
	memcpy(frame, input.to, 6);
	memcpy(frame + 6, input.from, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, input.length - IP_AT);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &input.source, 4);
	memcpy(ip + 16, &input.destination, 4);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xFFFF) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
	put16(udp, 32768);
	put16(udp + 2, input.port);
	put16(udp + 4, input.length - UDP_AT);
	for (int i = 0; i < 4; i++)
		frame[PAYLOAD_AT + i] = number >> (24 - 8 * i);
}

static void parse(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "i:n:l:L:k:r:p:s:g:G:m:P:A:B:T:Fv")) != -1) {
		unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (letter) {
		case 'i': input.interface = optarg; break;
		case 'n': input.count = number; break;
		case 'l': first = number; break;
		case 'L': last = number; break;
		case 'k': step = number; break;
		case 'r': runs = number; break;
		case 'p': input.port = number; break;
		case 's': ahead = number; break; /* ns from now; 0: now */
		case 'g': input.gap = number; break; /* ns */
		case 'G': input.submit = number; break;
		case 'm': input.pieces = number; break;
		case 'P': pause_us = number; break;
		case 'T': period = number; break; /* ns */
		case 'F': real_time(); break;
		case 'v': verbose = 1; break;
		case 'A': inet_aton(optarg, &input.source); break;
		case 'B': inet_aton(optarg, &input.destination); break;
		default: exit(64);
		}
	}
	if (last < first)
		last = first;
	if (!step || !input.count || first < 4 || last > 1472)
		exit(64);
	if (!input.pieces)
		input.pieces = input.count;
}

/* The train in parts, each as late as the one before makes it, but no earlier than is its turn. */
static void send_in_parts(void)
{
	struct input part = input;
	uint64_t turn = input_now();

	for (unsigned int sent = 0; sent < input.count; sent += part.count, turn += period) {
		struct timespec until = { .tv_sec = turn / 1000000000, .tv_nsec = turn % 1000000000 };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		part.count = input_group(&input, sent, 1);
		part.frames = input_frame(&input, sent);
		part.pieces = input.pieces - sent % input.pieces;
		method_train(&part);
	}
}

int main(int argc, char **argv)
{
	uint64_t begin;

	inet_aton("10.9.0.1", &input.source);
	inet_aton("10.9.0.2", &input.destination);
	parse(argc, argv);
	input.interface_index = if_nametoindex(input.interface);
	input.longest = PAYLOAD_AT + last;
	if (!input.interface_index)
		fail(input.interface);
	method_open(&input);
	if (!input.frames) {
		input.stride = (input.longest + 63) & ~63U;
		input.frames = calloc(input.pieces, input.stride);
	}
	if (!input.frames)
		fail("memory");
	for (unsigned int run = 0; run < runs; run++) {
		for (unsigned int payload = first; payload <= last; payload += step) {
			input.length = PAYLOAD_AT + payload;
			for (unsigned int i = 0; i < input.pieces; i++)
				build(input_frame(&input, i), i);
			usleep(pause_us);
			begin = input_now();
			input.start = ahead ? begin + ahead : 0;
			if (period)
				send_in_parts();
			else
				method_train(&input);
			if (verbose)
				printf("%u %llu %llu\n", input.port, (unsigned long long)begin, (unsigned long long)input_now());
			input.port++;
		}
	}
	return 0;
}

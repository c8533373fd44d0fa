/* SPDX-License-Identifier: MIT */
/*
 * What all sending methods are given, by train.c: trains of UDP frames that lie ready in memory. A method is a file that
 * defines the two functions below, and is linked with train.c; each file is one way in which a program may send.
 */
#ifndef INPUT_H
#define INPUT_H

#include <netinet/in.h>
#include <stdint.h>

/* Ethernet, IPv4 and UDP headers. */
#define IP_AT 14
#define UDP_AT 34
#define PAYLOAD_AT 42

struct input {
	const char *interface;
	int interface_index;
	unsigned int count;	/* frames in a train */
	unsigned int length;	/* of each frame, with its Ethernet header */
	unsigned int longest;	/* that any train of this run will have */
	unsigned int submit;	/* frames a call, for methods that have a call for several; 0: one, or all where that is the method */
	unsigned int pieces;	/* distinct frames in memory; frame i is the (i % pieces)-th */
	uint16_t port;		/* destination port, the train's name */
	uint64_t start;		/* ns of CLOCK_MONOTONIC, or 0: now */
	uint64_t gap;		/* ns from each launch time to the next */
	struct in_addr source, destination;
	unsigned char to[6], from[6];
	unsigned char *frames;	/* `pieces` frames, `stride` bytes from each to the next; method_open() may say where */
	unsigned int stride;
};

static inline unsigned char *input_frame(const struct input *input, unsigned int number)
{
	return input->frames + (size_t)(number % input->pieces) * input->stride;
}

/* How many frames the next call takes, when `sent` were sent. */
static inline unsigned int input_group(const struct input *input, unsigned int sent, unsigned int usual)
{
	unsigned int group = input->submit ? input->submit : usual;

	return group < input->count - sent ? group : input->count - sent;
}

uint64_t input_now(void);
/* Prints what failed, with errno, and ends the program. */
void fail(const char *what) __attribute__((noreturn));

/*
 * Once, before all trains. Where frames are sent from memory that is mapped, they are built there, as a program would, and
 * `frames` and `stride` say so; frame i is then always the (i % pieces)-th.
 */
void method_open(struct input *input);
/* Sends a train; returns when all of its frames were handed over, or with launch times when they will be without it. */
void method_train(const struct input *input);

#endif

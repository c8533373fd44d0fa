/* SPDX-License-Identifier: MIT */
/*
 * SO_TXTIME: a UDP socket whose frames have launch times, and a queueing discipline of the interface that keeps them. A file
 * that includes this defines TXTIME_CLOCK and txtime_disciplines(), which adds what it needs with txtime_discipline().
 */
#ifndef TXTIME_H
#define TXTIME_H

#include "schedule.h"

#include <linux/net_tstamp.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SO_TXTIME
#define SO_TXTIME 61
#define SCM_TXTIME SO_TXTIME
#endif

/* Frames are handed over so long before their launch, and those together that come so soon after one another. */
#define TXTIME_AHEAD 5000000
#define TXTIME_TOGETHER 1000000

struct qdisc_request {
	struct nlmsghdr head;
	struct tcmsg tc;
	unsigned char attributes[256];
};

static int txtime_fd;

static inline struct rtattr *txtime_attribute(struct qdisc_request *request, unsigned int type, const void *data, unsigned int length)
{
	struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(attribute), data, length);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

/* Frames of this priority are those with launch times, where a discipline is for them alone. */
#define TXTIME_PRIORITY TC_PRIO_INTERACTIVE

static int txtime_ask(struct qdisc_request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (fd < 0 || send(fd, request, request->head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		fail("netlink");
	close(fd);
	return answer.error.error;
}

static void txtime_discipline(const struct input *input, unsigned int parent, unsigned int handle, const char *kind,
			      unsigned int option, const void *options, unsigned int length)
{
	struct qdisc_request request = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(request.tc)),
			.nlmsg_type = RTM_NEWQDISC,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		},
		.tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = input->interface_index, .tcm_parent = parent, .tcm_handle = handle },
	};
	struct rtattr *nest;

	txtime_attribute(&request, TCA_KIND, kind, strlen(kind) + 1);
	if (option) {
		nest = txtime_attribute(&request, TCA_OPTIONS, NULL, 0);
		txtime_attribute(&request, option, options, length);
		nest->rta_len = (char *)&request + request.head.nlmsg_len - (char *)nest;
	} else {
		txtime_attribute(&request, TCA_OPTIONS, options, length);
	}
	errno = -txtime_ask(&request);
	if (errno)
		fail(kind);
}

static struct qdisc_request txtime_end;

/* The interface has its own discipline again. */
static void txtime_remove(void)
{
	txtime_ask(&txtime_end);
}

static inline void txtime_disciplines(const struct input *input);

/* What the discipline's clock is ahead of CLOCK_MONOTONIC. */
static inline uint64_t txtime_offset(void)
{
	struct timespec time;

	clock_gettime(TXTIME_CLOCK, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec - input_now();
}

static inline void txtime_send(const struct input *input, unsigned int number, uint64_t launch)
{
	struct iovec piece = {
		.iov_base = input_frame(input, number) + PAYLOAD_AT,
		.iov_len = input->length - PAYLOAD_AT,
	};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(launch))];
	} control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_TXTIME, .cmsg_len = CMSG_LEN(sizeof(launch)) } };
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &launch, sizeof(launch));
	if (sendmsg(txtime_fd, &message, 0) < 0 && errno != ENOBUFS)
		fail("sendmsg");
}

void method_open(struct input *input)
{
	struct sock_txtime txtime = { .clockid = TXTIME_CLOCK };
	int priority = TXTIME_PRIORITY;

	txtime_end = (struct qdisc_request){
		.head = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(txtime_end.tc)),
			.nlmsg_type = RTM_DELQDISC,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = input->interface_index, .tcm_parent = TC_H_ROOT },
	};
	atexit(txtime_remove);
	txtime_disciplines(input);
	txtime_fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (txtime_fd < 0 || setsockopt(txtime_fd, SOL_SOCKET, SO_BINDTODEVICE, input->interface, strlen(input->interface) + 1) ||
	    setsockopt(txtime_fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) ||
	    setsockopt(txtime_fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
		fail("SO_TXTIME");
	schedule_open();
}

void method_train(const struct input *input)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(input->port), .sin_addr = input->destination };
	uint64_t offset = txtime_offset();
	unsigned int sent = 0;

	if (connect(txtime_fd, (struct sockaddr *)&peer, sizeof(peer)))
		fail("connect");
	while (sent < input->count) {
		uint64_t from = input->start + sent * input->gap;

		sleep_until(from - TXTIME_AHEAD);
		for (; sent < input->count && input->start + sent * input->gap <= from + TXTIME_TOGETHER; sent++)
			txtime_send(input, sent, input->start + sent * input->gap + offset);
	}
	/* The last leaves after this. */
	sleep_until(input->start + input->count * input->gap + TXTIME_AHEAD);
}

#endif

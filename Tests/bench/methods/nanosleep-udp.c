// SPDX-License-Identifier: MIT
/* A UDP socket whose program sleeps until each launch time, with real-time priority. */
#define method_open open_socket
#define method_train send_at_once
#include "udp.c"
#undef method_open
#undef method_train

#include "schedule.h"

void method_open(struct input *input)
{
	open_socket(input);
	schedule_open();
}

void method_train(const struct input *input)
{
	struct input nothing = *input;

	nothing.count = 0;
	/* What needs doing once is done before the first instant. */
	send_at_once(&nothing);
	nanosleep_train(input, fd, PAYLOAD_AT);
}

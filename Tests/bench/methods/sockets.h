/* SPDX-License-Identifier: MIT */
/* A train through a socket that takes each frame from some header on: a call each, or calls for several. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MOST_GROUP 1024

static inline void socket_train(const struct input *input, int fd, unsigned int headers)
{
	static struct mmsghdr messages[MOST_GROUP];
	static struct iovec pieces[MOST_GROUP];
	unsigned int sent = 0;

	while (sent < input->count) {
		unsigned int group = input_group(input, sent, 1);
		int done;

		if (group == 1) {
			done = send(fd, input_frame(input, sent) + headers, input->length - headers, 0) < 0 ? -1 : 1;
		} else {
			if (group > MOST_GROUP)
				group = MOST_GROUP;
			for (unsigned int i = 0; i < group; i++) {
				pieces[i].iov_base = input_frame(input, sent + i) + headers;
				pieces[i].iov_len = input->length - headers;
				messages[i].msg_hdr.msg_iov = &pieces[i];
				messages[i].msg_hdr.msg_iovlen = 1;
			}
			done = sendmmsg(fd, messages, group, 0);
		}
		/* A queue that is full has thrown the frame away, and says so: it is sent again. */
		if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
			fail("send");
		if (done > 0)
			sent += done;
	}
}

#endif

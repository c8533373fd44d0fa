/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* How programs have frames arrive: see arrivals.c. */
#ifndef ARRIVALS_H
#define ARRIVALS_H

#include <linux/ioctl.h>

/* What is written to /dev/arrivals is the frame. */
#define ARRIVALS_INTERFACE _IO('a', 0)	/* the argument: by which it arrives */
#define ARRIVALS_PORTS _IO('a', 1)	/* the argument: first << 16 | how many; the UDP destination ports, in turn */
#define ARRIVALS_COME _IO('a', 2)	/* the argument: so many frames now */

#endif

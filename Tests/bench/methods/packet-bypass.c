// SPDX-License-Identifier: MIT
/* A packet socket with PACKET_QDISC_BYPASS. */
#define BYPASS 1
#include "packet.c"

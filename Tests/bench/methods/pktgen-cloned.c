// SPDX-License-Identifier: MIT
/* The kernel's packet generator with clone_skb: one frame for the whole train, which costs nothing to make. */
#define CLONES 1
#include "pktgen-fresh.c"

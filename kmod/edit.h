/* SPDX-License-Identifier: GPL-2.0 */
/* Forward rules that overwrite fields of the packets that they pass on. */
#ifndef KTRXER_EDIT_H
#define KTRXER_EDIT_H

#include <linux/types.h>

struct krx_edit;
struct krx_packet;
struct sk_buff;

/*
 * Overwrites what the edits say, in a packet whose headers lie as `packet` says; what a packet does not have is left
 * alone. False: no memory for a copy of its own to write in; the packet may be edited in part.
 */
bool krx_edit(struct sk_buff *skb, const struct krx_packet *packet, const struct krx_edit *edits);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Frames that rules send: judged when the rule is added, made and handed to /dev/ktx when it matches. */
#ifndef KTRXER_REACT_H
#define KTRXER_REACT_H

#include <linux/types.h>

struct krx_entry;
struct krx_packet;
struct krx_reaction;
struct krx_reactor;
struct ktrxer_net;
struct sk_buff;

/*
 * Takes the frame of a reaction, whose fields krx_check() has judged. ktrxer_config held; may sleep. ERR_PTR: -EBADF,
 * -EMSGSIZE, -EFAULT, -ENOMEM, -ENOBUFS (memory_ceiling), or -EINVAL where the frame is not what its copies or flags
 * need.
 */
struct krx_reactor *krx_reactor_new(const struct krx_reaction *reaction, const struct ktrxer_net *kn);
/* May sleep. NULL is allowed. */
void krx_reactor_destroy(struct krx_reactor *reactor);
/* Sends what the rule sends for this packet, and counts it. BH off. */
void krx_react(struct krx_entry *entry, struct sk_buff *skb, const struct krx_packet *packet);

#endif

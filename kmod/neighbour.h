/* SPDX-License-Identifier: GPL-2.0 */
/* Answers to ARP requests and neighbour solicitations for the addresses that rules name. */
#ifndef KTRXER_NEIGHBOUR_H
#define KTRXER_NEIGHBOUR_H

#include <linux/types.h>

struct krx_neighbour;
struct krx_packet;
struct krx_rule;
struct net;
struct net_device;
struct sk_buff;

/*
 * Answers for the rule's destination on its interface from now on. RTNL and ktrxer_config held. ERR_PTR: -ENODEV,
 * -EOPNOTSUPP (no Ethernet-like interface), -ENOMEM.
 */
struct krx_neighbour *krx_neighbour_add(struct net *net, const struct krx_rule *rule);
/* No longer. RTNL and ktrxer_config held, unless its interface is gone. NULL is allowed. */
void krx_neighbour_remove(struct krx_neighbour *neighbour);
/* The interface is going away. RTNL and ktrxer_config held. */
void krx_neighbour_leave_device(struct net_device *dev);
/* The IPv6 hook: answers if the packet is a solicitation of ours. */
void krx_neighbour_solicited(struct net *net, struct sk_buff *skb, const struct krx_packet *packet);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Some packets pass NF_INET_PRE_ROUTING twice, and are to be looked at once:
 *
 * - what a bridge receives, where net.bridge.bridge-nf-call-iptables is set: in the bridge, and once more when the
 *   bridge hands it up (net/bridge/br_netfilter_hooks.c);
 * - what an interface receives that belongs to a VRF: as the interface's, and once more as the VRF's
 *   (drivers/net/vrf.c).
 *
 * The first passage is the one that counts: all packets have it, those too that are only bridged, and in a VRF it
 * knows the interface.
 */
#ifndef KTRXER_PASSAGE_H
#define KTRXER_PASSAGE_H

#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/xfrm.h>

/* Has a bridge shown it already? What came out of IPsec since is another packet, with the bridge's mark left on it. */
static inline bool krx_was_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	const struct nf_bridge_info *bridge = nf_bridge_info_get(skb);

	return bridge && !bridge->in_prerouting && !secpath_exists(skb);
#else
	return false;
#endif
}

static inline bool krx_was_seen4(const struct sk_buff *skb)
{
	/* Cleared on arrival, set on the way to the VRF. What is sent within one arrives by it, for the first time. */
	return IPCB(skb)->flags & IPSKB_L3SLAVE || krx_was_bridged(skb);
}

static inline bool krx_was_seen6(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	/* Neighbour discovery keeps its interface, and has no mark: that it is shown as another's is all there is. */
	return IP6CB(skb)->flags & IP6SKB_L3SLAVE || state->in != skb->dev || krx_was_bridged(skb);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between kernel versions that only capturing meets. */
#ifndef KTRXER_COMPAT_CAPTURE_H
#define KTRXER_COMPAT_CAPTURE_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/version.h>
#include <net/net_namespace.h>

/* When the stack received a packet, on CLOCK_REALTIME; 0 if it did not note it. */
static inline ktime_t compat_receive_stamp(const struct sk_buff *skb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 18, 0)
	/* From here on a packet that was sent on this machine may carry its time of departure in the same field. */
	return skb_tstamp(skb);
#else
	return skb->tstamp;
#endif
}

/* The device's own stamp, or 0. */
static inline ktime_t compat_hardware_stamp(struct sk_buff *skb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0)
	/* The field is then a pointer, which only the driver can read: not a VLAN interface or bridge on top of it. */
	if (skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP_NETDEV)
		return skb->dev->netdev_ops->ndo_get_tstamp ?
			       netdev_get_tstamp(skb->dev, skb_hwtstamps(skb), false) : 0;
#endif
	return skb_hwtstamps(skb)->hwtstamp;
}

/* Where the kernel has the hooks of a family's NF_INET_PRE_ROUTING. */
static inline struct nf_hook_entries __rcu **compat_hook_slot(struct net *net, u8 family)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (family == NFPROTO_IPV6)
		return &net->nf.hooks_ipv6[NF_INET_PRE_ROUTING];
#endif
	return &net->nf.hooks_ipv4[NF_INET_PRE_ROUTING];
}

/* 64-bit counters that 32-bit kernels write in two halves, in softirqs. */
static inline unsigned int compat_stats_begin(const struct u64_stats_sync *sync)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return u64_stats_fetch_begin(sync);
#else
	return u64_stats_fetch_begin_irq(sync);
#endif
}

static inline bool compat_stats_retry(const struct u64_stats_sync *sync, unsigned int start)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return u64_stats_fetch_retry(sync, start);
#else
	return u64_stats_fetch_retry_irq(sync, start);
#endif
}

#ifndef fallthrough /* before 5.4 */
#define fallthrough \
	do {        \
	} while (0)
#endif

#endif

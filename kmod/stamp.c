// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware timestamps of frames that were sent (stamp.h).
 *
 * The socket is one of our own making, which nothing can be sent by or bound to: all that is used of it is what
 * __skb_tstamp_tx() (net/core/skbuff.c) needs, its error queue. Frames hold on to it like any socket's, so it may
 * outlive the file; it belongs to the initial namespace, so that it never outlives its own.
 */
#include "stamp.h"

#include "compat/compat.h"
#include "compat/ethtool.h"
#include "compat/stamp.h"
#include "xmit.h"

#include <linux/errqueue.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net_tstamp.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/inet_sock.h>
#include <net/net_namespace.h>
#include <net/sock.h>

/*
 * Where a frame comes into the IP stack after all, by way of a tunnel below the file's interface, that takes the socket
 * for one of its own: then it finds one without options.
 */
struct ktx_stamp_socket {
	struct inet_sock inet; /* first */
	spinlock_t lock; /* drivers report in any context */
	struct ktx *ktx; /* NULL once the file is released */
	bool told; /* the timer is set to look at the queue at once */
};

/* Unregistered, as it has no sockets that a user could see. The owner keeps the module while there are sockets. */
static struct proto stamp_proto = {
	.name = "ktrxer",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct ktx_stamp_socket),
};

/* The driver has put a stamp into the queue. Any context; ktx->lock may be held: it may be in its transmit function. */
static void stamp_reported(struct sock *sk)
{
	struct ktx_stamp_socket *socket = container_of(sk, struct ktx_stamp_socket, inet.sk);
	unsigned long flags;

	spin_lock_irqsave(&socket->lock, flags);
	if (socket->ktx && !socket->told) {
		socket->told = true;
		hrtimer_start(&socket->ktx->stamps.timer, 0, HRTIMER_MODE_ABS_SOFT);
	}
	spin_unlock_irqrestore(&socket->lock, flags);
}

static void stamp_socket_end(struct sock *sk)
{
	skb_queue_purge(&sk->sk_error_queue);
}

static struct ktx_stamp_socket *stamp_socket_new(struct ktx *ktx)
{
	struct sock *sk = sk_alloc(&init_net, AF_UNSPEC, GFP_KERNEL, &stamp_proto, 1);
	struct ktx_stamp_socket *socket;

	if (!sk)
		return NULL;
	sock_init_data(NULL, sk);
	/* Its end is a callback of RCU, which ktrxer_exit() waits for; and nobody waits for room to write. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	sock_set_flag(sk, SOCK_USE_WRITE_QUEUE);
	sk->sk_destruct = stamp_socket_end;
	sk->sk_error_report = stamp_reported;
	/* Only as many stamps come as there are frames under way. */
	sk->sk_rcvbuf = INT_MAX / 2;
	sk->sk_tsflags = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_OPT_ID |
			 SOF_TIMESTAMPING_OPT_TSONLY;
	socket = container_of(sk, struct ktx_stamp_socket, inet.sk);
	spin_lock_init(&socket->lock);
	socket->ktx = ktx;
	return socket;
}

/* Whether it passes frames on to those below it as they are: not by way of the IP stack, as tunnels and VRFs do. */
static bool passes_on(const struct net_device *dev)
{
	return is_vlan_dev(dev) || netif_is_macvlan(dev) || netif_is_bridge_master(dev) || netif_is_lag_master(dev);
}

bool ktx_stamp_able(struct ktx *ktx, struct net_device *dev)
{
	struct ktx_stamps *stamps = &ktx->stamps;
	struct net_device *lower;
	struct list_head *iter;

	lockdep_assert_held(&ktx->submit);
	if (likely(stamps->known))
		return stamps->able;
	rtnl_lock();
	/* While we waited it may have gone, and what it stands on with it. */
	if (dev->reg_state == NETREG_REGISTERED) {
		stamps->able = compat_device_stamps(dev);
		/* A bridge or a bond says nothing of it, and has its ports' stamps all the same. */
		if (passes_on(dev)) {
			netdev_for_each_lower_dev(dev, lower, iter)
				stamps->able |= compat_device_stamps(lower);
		}
	}
	rtnl_unlock();
	stamps->known = true;
	return stamps->able;
}

int ktx_stamp_ask(struct ktx *ktx, struct sk_buff *skb)
{
	struct ktx_stamps *stamps = &ktx->stamps;

	lockdep_assert_held(&ktx->submit);
	if (!stamps->waits)
		stamps->waits = kvcalloc(ktx->completion_mask + 1, sizeof(*stamps->waits), GFP_KERNEL_ACCOUNT);
	if (!stamps->waits)
		return -ENOMEM;
	if (!stamps->socket)
		stamps->socket = stamp_socket_new(ktx);
	if (!stamps->socket)
		return -ENOMEM;
	skb_set_owner_w(skb, &stamps->socket->inet.sk);
	skb_shinfo(skb)->tx_flags |= COMPAT_HARDWARE_STAMP;
	return 0;
}

void ktx_stamp_note(struct ktx *ktx, u16 flags, u64 sent)
{
	struct ktx_stamps *stamps = &ktx->stamps;
	bool first = !ktx_stamp_waits(stamps);

	stamps->waits[stamps->noted++ & ktx->completion_mask] = (struct ktx_stamp_wait){
		.until = sent + KTX_STAMP_NS,
		.entry = ktx->completion_producer,
		.flags = flags & ~KTX_ACCOUNT_STAMP,
		.over = !sent,
	};
	if (first && !sent)
		stamps->oldest = stamps->noted;
}

/* One stamp out of the queue: its frame's, if that still waits. */
static void take_stamp(struct ktx *ktx, struct sk_buff *skb)
{
	const struct sock_exterr_skb *report = SKB_EXT_ERR(skb);
	struct ktx_stamps *stamps = &ktx->stamps;
	ktime_t stamp = skb_hwtstamps(skb)->hwtstamp;
	struct ktx_completion *entry;
	struct ktx_stamp_wait *wait;
	u32 key = report->ee.ee_data;

	if (report->ee.ee_origin != SO_EE_ORIGIN_TIMESTAMPING || report->ee.ee_info != SCM_TSTAMP_SND || !stamp)
		return;
	if (key - stamps->oldest >= stamps->noted - stamps->oldest)
		return;
	wait = &stamps->waits[key & ktx->completion_mask];
	if (wait->over)
		return;
	wait->over = true;
	/* Not published yet, but mapped: what the entry says is written from what we know, not from what is there. */
	entry = &ktx->completions[wait->entry & ktx->completion_mask];
	entry->hardware_ns = ktime_to_ns(stamp);
	entry->flags = wait->flags | KTX_COMPLETION_HARDWARE;
}

static struct ktx_stamp_wait *oldest_wait(struct ktx *ktx)
{
	return &ktx->stamps.waits[ktx->stamps.oldest & ktx->completion_mask];
}

/* Those that are through, up to the first that waits. */
static void pass_over(struct ktx *ktx, u64 now)
{
	while (ktx_stamp_waits(&ktx->stamps)) {
		const struct ktx_stamp_wait *wait = oldest_wait(ktx);

		if (!wait->over && wait->until > now)
			break;
		ktx->stamps.oldest++;
	}
}

u32 ktx_stamp_limit(struct ktx *ktx)
{
	struct ktx_stamp_socket *socket = ktx->stamps.socket;
	const struct ktx_stamp_wait *wait = oldest_wait(ktx);
	unsigned long flags;

	spin_lock_irqsave(&socket->lock, flags);
	/* A report that came in has set it for earlier. */
	if (!ktx->closed && !socket->told)
		hrtimer_start(&ktx->stamps.timer, ns_to_ktime(wait->until), HRTIMER_MODE_ABS_SOFT);
	spin_unlock_irqrestore(&socket->lock, flags);
	return wait->entry;
}

/* The timer: a stamp was reported, or the oldest has not come in time. */
static enum hrtimer_restart stamps_due(struct hrtimer *timer)
{
	struct ktx *ktx = container_of(timer, struct ktx, stamps.timer);
	struct ktx_stamp_socket *socket = ktx->stamps.socket;
	struct sk_buff *skb;

	spin_lock(&ktx->lock);
	spin_lock_irq(&socket->lock);
	socket->told = false;
	spin_unlock_irq(&socket->lock);
	while ((skb = skb_dequeue(&socket->inet.sk.sk_error_queue))) {
		take_stamp(ktx, skb);
		kfree_skb(skb);
	}
	pass_over(ktx, ktime_get_ns());
	ktx_publish(ktx);
	ktx_leave(ktx);
	return HRTIMER_NORESTART;
}

void ktx_stamp_settle(struct ktx *ktx)
{
	ktx->stamps.oldest = ktx->stamps.noted;
}

void ktx_stamp_init(struct ktx *ktx)
{
	compat_hrtimer_setup(&ktx->stamps.timer, stamps_due, HRTIMER_MODE_ABS_SOFT);
}

void ktx_stamp_close(struct ktx *ktx)
{
	struct ktx_stamp_socket *socket = ktx->stamps.socket;

	if (!socket)
		return;
	spin_lock_irq(&socket->lock);
	socket->ktx = NULL;
	spin_unlock_irq(&socket->lock);
	hrtimer_cancel(&ktx->stamps.timer);
}

void ktx_stamp_destroy(struct ktx *ktx)
{
	if (ktx->stamps.socket)
		sock_put(&ktx->stamps.socket->inet.sk);
	ktx->stamps.socket = NULL;
	kvfree(ktx->stamps.waits);
	ktx->stamps.waits = NULL;
}

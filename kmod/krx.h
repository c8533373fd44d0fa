/* SPDX-License-Identifier: GPL-2.0 */
/* One open /dev/krx: who owns what, and how the parts of capturing call each other. */
#ifndef KTRXER_KRX_H
#define KTRXER_KRX_H

#include "ring.h"
#include "rules.h"
#include "uapi/ktrxer_uapi.h"

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>

struct ktrxer_net;
struct net;
struct net_device;
struct sk_buff;
struct workqueue_struct;

struct krx {
	struct list_head in_net; /* ktrxer_config */
	struct ktrxer_net *kn; /* ktrxer_config; NULL once the namespace is gone */
	bool gone; /* the same, for those who do not hold it */
	bool admin; /* the opener had CAP_NET_ADMIN over the namespace; constant */
	bool neighbours; /* has had rules that answer for addresses: its rules change under the RTNL; never reset */

	/* Set by KRX_IOC_SETUP, then constant until release. */
	bool ready; /* release/acquire */
	struct ktrxer_map map;
	struct krx_header *header;
	u8 *ring;
	u32 slots;
	u32 slot_bytes;

	spinlock_t lock; /* BH; what capture.c writes */
	u32 producer;
	u32 consumer;
	u32 sequence;
	u64 captured;
	u64 lost;
	struct ktrxer_wake wake;

	struct krx_rules rules; /* ktrxer_config; read under RCU */
	u32 capturing; /* rules that capture; ktrxer_config */

	struct list_head in_hooks; /* ktrxer_config; read under RCU */
	bool was_in_hooks; /* and left at left_at; ktrxer_config */
	unsigned long left_at; /* the grace period, get_state_synchronize_rcu() */
	u64 packets_start; /* of the namespace, when the file had its first rule; ktrxer_config */
	u64 packets; /* while it had rules before; ktrxer_config */
	atomic64_t matched;
	atomic64_t dropped;
};

/* Was KRX_IOC_SETUP called? Then all that it set is there. */
static inline bool krx_is_ready(const struct krx *krx)
{
	/* Pairs with the release at the end of KRX_IOC_SETUP. */
	return smp_load_acquire(&krx->ready);
}

/* What outlives a system call: entries to free, hooks to put first. Empty before the module goes. */
extern struct workqueue_struct *krx_work;

/* krx.c */
int krx_register(void);
void krx_unregister(void);
/* The interface goes away, or into another namespace. RTNL and ktrxer_config held. */
void krx_leave_device(struct ktrxer_net *kn, struct net_device *dev);

/* control.c: the calls about rules. */
long krx_rule_add(struct krx *krx, const struct krx_rule __user *argument, bool replace);
long krx_rule_delete(struct krx *krx, u32 id);
long krx_rule_list(struct krx *krx, struct krx_rule_list __user *argument);
long krx_rule_flush(struct krx *krx);
long krx_statistics(struct krx *krx, struct krx_statistics __user *argument);
/* Takes all rules away; returns how many there were. ktrxer_config held, and the RTNL if krx->neighbours. */
unsigned int krx_rules_clear(struct krx *krx);

/* check.c */
/*
 * Judges a rule in itself: its fields, and whether the opener may. What depends on the namespace (interface, addresses,
 * frame) is judged later. 0, -EINVAL or -EPERM.
 */
int krx_check(const struct krx_rule *rule, bool admin);
/* Does the rule cover the device's own management, which needs allow_management? Under RCU. */
bool krx_covers_management(struct net *net, const struct krx_rule *rule);

/* capture.c */
/* Writes a record, or counts it as lost. BH off. */
void krx_capture(struct krx *krx, struct krx_entry *entry, struct sk_buff *skb, const struct krx_packet *packet);
/* Records that the user has not read. */
u32 krx_unread(struct krx *krx);
/* Bytes of link header before the IP header of a packet; 0 where there is none. */
unsigned int krx_link_length(const struct sk_buff *skb);
/* When a packet arrived: CLOCK_REALTIME and CLOCK_MONOTONIC, ns, and whose clock reading that is. */
enum krx_stamp_source krx_arrival(const struct sk_buff *skb, u64 *realtime, u64 *monotonic);

/* first.c: the hook, and that it stays first. ktrxer_config held. */
/* Shows the file packets from now on. May sleep. -ENOMEM. */
int krx_hooks_join(struct krx *krx);
/* The opposite. The caller waits for readers before it frees the file. */
void krx_hooks_leave(struct krx *krx);
/* On an occasion: if somebody has come to stand before the hook, has it put first again. */
void krx_hooks_look(const struct ktrxer_net *kn);
/* Packets that passed the hook, and how often it was put first again. */
u64 krx_hooks_packets(const struct ktrxer_net *kn);
u64 krx_hooks_moves(const struct ktrxer_net *kn);
int krx_hooks_register(void);
void krx_hooks_unregister(void);

#endif

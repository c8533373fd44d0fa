/* SPDX-License-Identifier: GPL-2.0 */
/* The hook of a namespace, which is there while some file of it has rules. */
#ifndef KTRXER_HOOK_H
#define KTRXER_HOOK_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>

struct krx_filter;
struct krx_hooks;

enum krx_moving {
	KRX_ALONE = 0,
	KRX_IN_FRONT = 1, /* the family's other hook is still there, behind this one */
	KRX_BEHIND = 2, /* this is that other one */
};

/* One registration. A family has two, of which both are registered only while one takes the other's place. */
struct krx_hook {
	/* What each packet needs of the next line is here once more, so that it need not be looked for. */
	struct krx_filter __rcu *filter; /* written under ktrxer_config */
	struct krx_cpu __percpu *cpus;
	/* Where the kernel has the family's hooks. While this one is put in front: nothing, so it goes the long way. */
	struct nf_hook_entries __rcu **slot;
	u8 moving; /* enum krx_moving */
	u8 family; /* NFPROTO_… */
	struct krx_hooks *hooks;
	struct nf_hook_ops ops;
};

struct krx_cpu {
	u64 packets;
	struct u64_stats_sync sync;
	/* The packet that the hook in front has just seen, which the one behind it must not see again. */
	const struct sk_buff *seen;
};

struct krx_hooks {
	struct net *net;
	struct list_head files; /* struct krx.in_hooks; read under RCU */
	struct krx_cpu __percpu *cpus;
	struct krx_hook hooks4[2];
	struct krx_hook hooks6[2];
	u8 active4; /* which is the registered one; moving */
	u8 active6;

	struct mutex moving; /* hooks are being registered or moved */
	bool stopped; /* moving */
	struct delayed_work check;
	/* Of a size that every processor exchanges. */
	unsigned int pending; /* a packet has found the hook behind another and asked for the check */
	u64 not_before; /* jiffies64; when the hook may be moved again */
	u32 pause; /* jiffies between moves, at present */
	u64 moves;
	struct list_head in_all;
};

/* Is it the first hook of its family? Under RCU. */
static __always_inline bool krx_is_first(const struct krx_hook *hook)
{
	const struct nf_hook_entries *entries = rcu_dereference(*READ_ONCE(hook->slot));

	return likely(entries) && likely(entries->hooks[0].priv == hook);
}

static __always_inline void krx_count_packet(struct krx_cpu __percpu *cpus)
{
#if BITS_PER_LONG == 64
	this_cpu_inc(cpus->packets);
#else
	struct krx_cpu *cpu = this_cpu_ptr(cpus);

	u64_stats_update_begin(&cpu->sync);
	cpu->packets++;
	u64_stats_update_end(&cpu->sync);
#endif
}

/* hook.c */
unsigned int krx_hook4(void *hook, struct sk_buff *skb, const struct nf_hook_state *state);
unsigned int krx_hook6(void *hook, struct sk_buff *skb, const struct nf_hook_state *state);

/* first.c: a packet met the hook behind somebody else's. */
void krx_hook_overtaken(struct krx_hooks *hooks);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The hook's registration, and that it stays the first. Of hooks with the same priority the kernel puts the one that
 * registers last in front. Whoever comes to stand before us is noticed when a module was loaded, by the next packet
 * that reaches us, when rules change, and by a look every second; then the hook is registered anew, which puts it first
 * again.
 */
#include "krx.h"

#include "compat/compat.h"
#include "compat/capture.h"
#include "filter.h"
#include "hook.h"
#include "netns.h"

#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>

/* A look without occasion. */
#define CHECK_INTERVAL HZ
/* Pause after a move; doubles with each until there was peace for a minute, so that two of our kind do not fight. */
#define LEAST_PAUSE max(HZ / 20, 1)
#define MOST_PAUSE (600 * HZ)
#define PEACE (60 * HZ)

/* Where no hook is the first. */
static struct nf_hook_entries __rcu *no_hooks;
static LIST_HEAD(all_hooks);
static DEFINE_SPINLOCK(all_lock);

static void set_up_hook(struct krx_hook *hook, struct krx_hooks *hooks, u8 family)
{
	hook->hooks = hooks;
	hook->cpus = hooks->cpus;
	hook->slot = compat_hook_slot(hooks->net, family);
	hook->family = family;
	hook->ops.hook = family == NFPROTO_IPV4 ? krx_hook4 : krx_hook6;
	hook->ops.priv = hook;
	hook->ops.pf = family;
	hook->ops.hooknum = NF_INET_PRE_ROUTING;
	hook->ops.priority = INT_MIN;
}

static bool is_first(const struct krx_hook *hook)
{
	bool first;

	rcu_read_lock();
	first = krx_is_first(hook);
	rcu_read_unlock();
	return first;
}

/* ---- moving ---- */

/* Registers the pair's other hook, which comes to stand in front, and takes the old one away. */
static bool move(struct krx_hooks *hooks, struct krx_hook *pair, u8 *active)
{
	struct krx_hook *old = &pair[*active];
	struct krx_hook *fresh = &pair[!*active];
	int cpu;

	if (is_first(old))
		return false;
	/* What was seen in the move before this one may lie in memory that is another packet's by now. */
	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu_ptr(hooks->cpus, cpu)->seen, NULL);
	WRITE_ONCE(fresh->moving, KRX_IN_FRONT);
	WRITE_ONCE(fresh->slot, &no_hooks);
	WRITE_ONCE(old->moving, KRX_BEHIND);
	if (nf_register_net_hook(hooks->net, &fresh->ops)) {
		WRITE_ONCE(old->moving, KRX_ALONE);
		return false;
	}
	nf_unregister_net_hook(hooks->net, &old->ops);
	/* The old one may be registered again when no packet is in it any more. */
	synchronize_net();
	WRITE_ONCE(fresh->moving, KRX_ALONE);
	WRITE_ONCE(fresh->slot, old->slot);
	*active = !*active;
	return true;
}

static void check(struct work_struct *work)
{
	struct krx_hooks *hooks = container_of(to_delayed_work(work), struct krx_hooks, check);
	u64 now = get_jiffies_64();
	unsigned long again = CHECK_INTERVAL;
	bool moved;

	mutex_lock(&hooks->moving);
	WRITE_ONCE(hooks->pending, false);
	if (hooks->stopped)
		goto out;
	if (time_before64(now, hooks->not_before)) {
		/* Packets need not ask: the time is known. */
		WRITE_ONCE(hooks->pending, true);
		again = hooks->not_before - now;
		goto later;
	}
	moved = move(hooks, hooks->hooks4, &hooks->active4);
	moved |= move(hooks, hooks->hooks6, &hooks->active6);
	if (moved) {
		if (time_after64(now, hooks->not_before + PEACE))
			hooks->pause = LEAST_PAUSE;
		WRITE_ONCE(hooks->moves, hooks->moves + 1);
		hooks->not_before = now + hooks->pause;
		hooks->pause = min_t(u32, 2 * hooks->pause, MOST_PAUSE);
	}
later:
	queue_delayed_work(krx_work, &hooks->check, again);
out:
	mutex_unlock(&hooks->moving);
}

void krx_hook_overtaken(struct krx_hooks *hooks)
{
	if (READ_ONCE(hooks->pending) || xchg(&hooks->pending, true))
		return;
	mod_delayed_work(krx_work, &hooks->check, 0);
}

void krx_hooks_look(const struct ktrxer_net *kn)
{
	struct krx_hooks *hooks = kn->hooks;

	/* Which hook of a pair is the one may change at any time: the check looks again. */
	if (hooks && (!is_first(&hooks->hooks4[READ_ONCE(hooks->active4)]) ||
		      !is_first(&hooks->hooks6[READ_ONCE(hooks->active6)])))
		krx_hook_overtaken(hooks);
}

/* A module that was just loaded may have put a hook before ours. */
static int module_event(struct notifier_block *block, unsigned long event, void *module)
{
	struct krx_hooks *hooks;

	if (event != MODULE_STATE_LIVE)
		return NOTIFY_DONE;
	spin_lock_bh(&all_lock);
	list_for_each_entry(hooks, &all_hooks, in_all)
		krx_hook_overtaken(hooks);
	spin_unlock_bh(&all_lock);
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = {
	.notifier_call = module_event,
};

int krx_hooks_register(void)
{
	return register_module_notifier(&module_notifier);
}

void krx_hooks_unregister(void)
{
	unregister_module_notifier(&module_notifier);
}

/* ---- coming and going ---- */

static void hooks_free(struct krx_hooks *hooks)
{
	free_percpu(hooks->cpus);
	kfree(hooks);
}

static struct krx_hooks *hooks_new(struct net *net)
{
	struct krx_hooks *hooks = kzalloc(sizeof(*hooks), GFP_KERNEL_ACCOUNT);
	int cpu, i;

	if (!hooks)
		return NULL;
	hooks->cpus = alloc_percpu(struct krx_cpu);
	if (!hooks->cpus) {
		kfree(hooks);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(hooks->cpus, cpu)->sync);
	hooks->net = net;
	INIT_LIST_HEAD(&hooks->files);
	mutex_init(&hooks->moving);
	hooks->pause = LEAST_PAUSE;
	INIT_DELAYED_WORK(&hooks->check, check);
	for (i = 0; i < 2; i++) {
		set_up_hook(&hooks->hooks4[i], hooks, NFPROTO_IPV4);
		set_up_hook(&hooks->hooks6[i], hooks, NFPROTO_IPV6);
	}
	krx_filter_init(hooks);
	return hooks;
}

/* After both are unregistered, and no check moves them any more. */
static void hooks_end(struct krx_hooks *hooks)
{
	/* Packets ask for checks; when there are none left in the hooks, nobody does. */
	synchronize_net();
	cancel_delayed_work_sync(&hooks->check);
}

static int hooks_start(struct krx_hooks *hooks)
{
	int result;

	/* The first packet may ask for a check, which would take the second hook for one that was overtaken. */
	mutex_lock(&hooks->moving);
	result = nf_register_net_hook(hooks->net, &hooks->hooks4[0].ops);
	if (!result) {
		result = nf_register_net_hook(hooks->net, &hooks->hooks6[0].ops);
		if (result)
			nf_unregister_net_hook(hooks->net, &hooks->hooks4[0].ops);
	}
	hooks->stopped = result;
	mutex_unlock(&hooks->moving);
	if (result) {
		hooks_end(hooks);
		return result;
	}
	spin_lock_bh(&all_lock);
	list_add(&hooks->in_all, &all_hooks);
	spin_unlock_bh(&all_lock);
	queue_delayed_work(krx_work, &hooks->check, CHECK_INTERVAL);
	return 0;
}

static void hooks_stop(struct krx_hooks *hooks)
{
	spin_lock_bh(&all_lock);
	list_del(&hooks->in_all);
	spin_unlock_bh(&all_lock);
	mutex_lock(&hooks->moving);
	hooks->stopped = true;
	mutex_unlock(&hooks->moving);
	nf_unregister_net_hook(hooks->net, &hooks->hooks4[hooks->active4].ops);
	nf_unregister_net_hook(hooks->net, &hooks->hooks6[hooks->active6].ops);
	hooks_end(hooks);
}

int krx_hooks_join(struct krx *krx)
{
	struct ktrxer_net *kn = krx->kn;
	struct krx_hooks *hooks = kn->hooks;
	int result;

	if (!hooks) {
		hooks = hooks_new(kn->net);
		if (!hooks)
			return -ENOMEM;
		result = hooks_start(hooks);
		if (result) {
			hooks_free(hooks);
			return result;
		}
		kn->hooks = hooks;
	}
	krx->packets_start = krx_hooks_packets(kn);
	/* Whoever stands at the file where it was would go on from where it is: past those behind its old place. */
	if (krx->was_in_hooks)
		cond_synchronize_rcu(krx->left_at);
	list_add_tail_rcu(&krx->in_hooks, &hooks->files);
	return 0;
}

void krx_hooks_leave(struct krx *krx)
{
	struct ktrxer_net *kn = krx->kn;
	struct krx_hooks *hooks = kn->hooks;

	krx->packets += krx_hooks_packets(kn) - krx->packets_start;
	list_del_rcu(&krx->in_hooks);
	krx->was_in_hooks = true;
	krx->left_at = get_state_synchronize_rcu();
	if (!list_empty(&hooks->files))
		return;
	hooks_stop(hooks);
	krx_filter_destroy(hooks);
	kn->hooks = NULL;
	hooks_free(hooks);
}

u64 krx_hooks_packets(const struct ktrxer_net *kn)
{
	u64 sum = 0;
	int cpu;

	if (!kn->hooks)
		return 0;
	for_each_possible_cpu(cpu) {
		const struct krx_cpu *here = per_cpu_ptr(kn->hooks->cpus, cpu);
		unsigned int start;
		u64 packets;

		do {
			start = compat_stats_begin(&here->sync);
			packets = here->packets;
		} while (compat_stats_retry(&here->sync, start));
		sum += packets;
	}
	return sum;
}

u64 krx_hooks_moves(const struct ktrxer_net *kn)
{
	return kn->hooks ? READ_ONCE(kn->hooks->moves) : 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Launches: the timer that wakes us ahead of an instant, and everything that comes in to be sent.
 *
 * An instant is reached in three steps. The timer fires ahead of it, by a lead that makes good how late timers are;
 * the rest is spent spinning without any lock, until approach_ns before the instant; then the queue is locked, and the
 * last stretch is waited for with the driver's transmit function next in line (xmit.c).
 *
 * All that is done by a tasklet of high priority, which the timer's interrupt has run: a timer of softirqs would wait
 * behind packets that are received, and behind ksoftirqd. With drivers that can be called in interrupts, a launch is
 * also staged for the timer's interrupt itself (stage.c): should the tasklet not have its turn in time, that sends it,
 * if it finds the queue free. Where launches are too near to one another to wait for each, it is on its own.
 */
#include "xmit.h"

#include "compat/compat.h"

#include <linux/ktime.h>
#include <linux/sched.h>

/* Where interrupts are threads, spinlocks sleep, and softirqs are the earliest that may send. */
#ifdef CONFIG_PREEMPT_RT
#define TIMER_MODE HRTIMER_MODE_ABS_SOFT
#else
#define TIMER_MODE HRTIMER_MODE_ABS
#endif

/* Enough for locks and checks on most processors, and on any. */
#define MOST_APPROACH_NS 20000
/* A timer may be so late before the first launch shows how late it is. */
#define FIRST_LEAD_NS 50000
#define FIRST_USUAL_NS 10000

static void note_lateness(struct ktx *ktx, u32 late)
{
	struct ktx_statistics *statistics = &ktx->statistics;

	ktx->usual_ns = (ktx->usual_ns * 7ULL + late) / 8;
	statistics->lateness_ns = late;
	if (!statistics->lateness_least_ns || late < statistics->lateness_least_ns)
		statistics->lateness_least_ns = max(late, 1U);
	statistics->lateness_most_ns = max(statistics->lateness_most_ns, late);
}

/*
 * The timer is not set, and all launches until then that were staged are in the tree again. False: none was staged, and
 * it is as it was.
 */
static bool unstage(struct ktx *ktx, u64 until)
{
	u32 wakes;
	u64 late;

	if (!ktx_unstage(ktx, until, &wakes, &late))
		return false;
	ktx->statistics.timer_wakes += wakes;
	if (late != U64_MAX)
		note_lateness(ktx, min_t(u64, late, U32_MAX / 2));
	return true;
}

/*
 * All that may be sent is in the tree and in the list: what was staged, and what rules have added. Launches that can be
 * staged again are left where they are.
 */
static void gather(struct ktx *ktx)
{
	struct sk_buff *skb;

	if (ktx_has_staged(ktx))
		unstage(ktx, ktime_get_ns() + ktx_stage_nearest(ktx));
	while ((skb = skb_dequeue(&ktx->reactions))) {
		struct ktx_frame *frame = ktx_frame(skb);

		if (!ktx->dev || ktx->closed || ktx->reactions_waiting >= KTX_MOST_REACTIONS) {
			ktx->statistics.reactions_lost++;
			ktx_reaction_free(skb);
			continue;
		}
		ktx_reaction_address(ktx, ktx->dev, skb);
		ktx->reactions_waiting++;
		frame->order = ktx->order++;
		if (frame->account.launch)
			ktx_insert_timed(ktx, skb);
		else
			__skb_queue_tail(&ktx->due, skb);
	}
}

/*
 * Sets the timer. A launch is aimed at from before, by the lead that lateness asks for, but no more than a quarter of
 * the time that is left: however late timers are, most of the processor stays with the system. A retry has no instant
 * to keep, and where all files have spun as much as they may a launch is as late as the timer. One that is staged is
 * kept by the interrupt if need be: the tasklet takes less of the time that is left, and none if that is little.
 */
static void arm(struct ktx *ktx, u64 at, u64 now)
{
	bool launch = at == ktx->next_launch;
	u32 staged = 0;
	u32 lead = 0;
	bool allowed;

	if (launch)
		at = min(at, ktx_stage_next(ktx));
	if (at == U64_MAX || ktx->closed)
		return;
	allowed = at != ktx->retry_at && ktx_spin_allowed(now);
	if (allowed)
		staged = ktx_stage(ktx, now);
	/* What came in since goes before them or between them. */
	if (!staged && unstage(ktx, U64_MAX) && allowed)
		staged = ktx_stage(ktx, now);
	ktx->aim = at;
	if (ktx->stage && launch && at > now + KTX_STAGE_AHEAD_NS) {
		/* Then it can be staged. */
		ktx->timer_at = at - KTX_STAGE_AHEAD_NS;
		ktx->timer_tells = false;
		hrtimer_start(&ktx->timer, ns_to_ktime(ktx->timer_at), TIMER_MODE);
		return;
	}
	if (allowed && at > now) {
		lead = max_t(u32, staged, min_t(u64, ktx->lead_ns, (at - now) >> (staged ? 4 : 2)));
		at -= lead;
	}
	ktx->timer_at = at;
	/* Set for the past, or for after the tasklet could have sent, it tells nothing about how late timers are. */
	ktx->timer_tells = at > now && (!staged || lead > staged);
	hrtimer_start(&ktx->timer, ns_to_ktime(at), TIMER_MODE);
}

/*
 * How late timers are is nearly constant, with an outlier now and then. The lead covers the latest of the last few
 * hundred; how late they are as a rule tells which gaps are too short for a timer.
 */
static void learn(struct ktx *ktx, u64 now)
{
	u32 late = min_t(u64, now > ktx->timer_at ? now - ktx->timer_at : 0, U32_MAX / 2);
	u32 wanted = late + late / 8 + ktx->approach_ns;

	ktx->statistics.timer_wakes++;
	if (!ktx->timer_tells)
		return;
	if (wanted > ktx->lead_ns)
		ktx->lead_ns = min(wanted, ktx->spin_ns);
	else
		ktx->lead_ns -= (ktx->lead_ns - wanted) / 256;
	note_lateness(ktx, late);
}

void ktx_learn_approach(struct ktx *ktx, u64 now)
{
	u32 took = min_t(u64, now > ktx->ready_from ? now - ktx->ready_from : 0, MOST_APPROACH_NS);
	/* Some of the way is still ahead. */
	u32 wanted = clamp_t(u32, took + took / 2, APPROACH_NS, MOST_APPROACH_NS);

	ktx->ready_from = 0;
	if (wanted > ktx->approach_ns)
		ktx->approach_ns = min(wanted, ktx->spin_ns);
	else
		ktx->approach_ns -= (ktx->approach_ns - wanted) / 256;
}

/* Whether to wait for the next launch instead of setting the timer: it was what woke us, or no timer is that quick. */
static bool worth_waiting(const struct ktx *ktx, u64 next, u64 now)
{
	u32 within = ktx->lead_ns;

	/* Not for a retry: what the device waits for is done by softirqs, which wait for us. */
	if (next == U64_MAX || next == ktx->retry_at)
		return false;
	if (!ktx_spin_allowed(now) || ktx_stage_next(ktx) < next)
		return false;
	/* What the interrupt can keep is not waited for: late as the tasklet is, it would make others later still. */
	if (next > ktx->aim)
		within = ktx_can_stage(ktx) ? ktx_stage_nearest(ktx) : 2 * ktx->usual_ns + ktx->approach_ns;
	return next <= now + min(within, ktx->spin_ns);
}

void ktx_leave(struct ktx *ktx) __releases(&ktx->lock)
{
	bool turn;
	u64 next;

	for (;;) {
		spin_unlock(&ktx->lock);
		/* Pairs with ktx_react(): the lock is free before we look for reactions, or they find it so. */
		smp_mb();
		if (skb_queue_empty(&ktx->reactions) || !spin_trylock(&ktx->lock))
			return;
		gather(ktx);
		rcu_read_lock();
		next = ktx_send_due(ktx, &turn);
		arm(ktx, next, ktime_get_ns());
		rcu_read_unlock();
		ktx_publish(ktx);
	}
}

/* Spins until the last stretch before `next` with the lock free; false where the clock does not move meanwhile. */
static bool wait_for(struct ktx *ktx, u64 next, u64 now)
{
	u64 until = next - ktx->approach_ns;
	u64 reached;

	spin_unlock(&ktx->lock);
	reached = ktx_approach(until);
	spin_lock(&ktx->lock);
	/* The time is short of the instant by now, or long past it: what was waited for never counts backwards. */
	if (until > now) {
		ktx->statistics.spin_ns += min(reached, until) - now;
		ktx_spin_charge(min(reached, until) - now);
	}
	ktx->ready_from = reached;
	return reached >= until;
}

static void fire(struct ktx *ktx)
{
	u64 now = ktime_get_ns();
	u64 spell_end = ktx_spin_begin(ktx, now);
	u64 next;
	bool turn;

	spin_lock(&ktx->lock);
	if (!unstage(ktx, max(ktx->aim, now + ktx_stage_nearest(ktx))) || ktx->timer_tells)
		learn(ktx, now);
	/* RCU: an interface that was seen running is not stopped before we are through with it. */
	rcu_read_lock();
	while (!ktx->closed) {
		gather(ktx);
		next = ktx_send_due(ktx, &turn);
		ktx->ready_from = 0;
		now = ktime_get_ns();
		if (turn || now > spell_end || !worth_waiting(ktx, next, now)) {
			arm(ktx, next, now);
			break;
		}
		ktx_publish(ktx);
		if (!wait_for(ktx, next, now))
			ktx_xmit_spin(ktx, 0);
	}
	ktx_spin_end(ktx, now);
	ktx_publish(ktx);
	rcu_read_unlock();
	ktx_leave(ktx);
}

COMPAT_TASKLET(fire_tasklet, struct ktx, tasklet, fire)

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct ktx *ktx = container_of(timer, struct ktx, timer);
	enum hrtimer_restart restart = HRTIMER_NORESTART;

	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		fire(ktx);
	} else {
		restart = ktx_stage_fire(ktx);
		tasklet_hi_schedule(&ktx->tasklet);
	}
	return restart;
}

void ktx_xmit_init(struct ktx *ktx)
{
	spin_lock_init(&ktx->lock);
	skb_queue_head_init(&ktx->reactions);
	ktx_waiting_init(ktx);
	ktx_stamp_init(ktx);
	compat_hrtimer_setup(&ktx->timer, timer_fired, TIMER_MODE);
	compat_tasklet_setup(&ktx->tasklet, fire_tasklet);
}

void ktx_xmit_spin(struct ktx *ktx, u32 spin_ns)
{
	ktx->spin_ns = spin_ns;
	ktx->approach_ns = min_t(u32, spin_ns, APPROACH_NS);
	ktx->lead_ns = min_t(u32, spin_ns, FIRST_LEAD_NS);
	ktx->usual_ns = min_t(u32, spin_ns, FIRST_USUAL_NS);
}

void ktx_xmit(struct ktx *ktx, struct sk_buff_head *prepared)
{
	struct sk_buff *skb;
	u64 next;
	bool turn;

	local_bh_disable();
	spin_lock(&ktx->lock);
	while ((skb = __skb_dequeue(prepared))) {
		struct ktx_frame *frame = ktx_frame(skb);

		ktx_admit(ktx);
		if (!ktx->dev) {
			ktx_finish(ktx, &frame->account, KTX_GONE, ktime_get_ns());
			kfree_skb(skb);
			continue;
		}
		frame->order = ktx->order++;
		if (frame->account.launch)
			ktx_insert_timed(ktx, skb);
		else
			__skb_queue_tail(&ktx->due, skb);
	}
	do {
		gather(ktx);
		rcu_read_lock();
		next = ktx_send_due(ktx, &turn);
		rcu_read_unlock();
		/* A burst that softirqs interrupt goes on at once, and is accounted for at its end. */
		if (!turn || need_resched())
			ktx_publish(ktx);
		if (turn) {
			/* Launches do not wait for us. */
			arm(ktx, min(ktx->next_launch, ktx_stage_next(ktx)), ktime_get_ns());
			ktx_leave(ktx);
			/* Softirqs that waited run here. */
			local_bh_enable();
			cond_resched();
			local_bh_disable();
			spin_lock(&ktx->lock);
		}
	} while (turn);
	arm(ktx, next, ktime_get_ns());
	ktx_show_scheduled(ktx);
	ktx_leave(ktx);
	local_bh_enable();
}

void ktx_react(struct ktx *ktx, struct sk_buff *skb, u64 launch, u64 cookie)
{
	struct ktx_frame *frame = ktx_frame(skb);

	memset(frame, 0, sizeof(*frame));
	frame->account.launch = launch;
	frame->account.cookie = cookie;
	frame->account.length = skb->len;
	frame->account.flags = KTX_COMPLETION_REACTION | (launch ? KTX_COMPLETION_TIMED : 0);
	local_bh_disable();
	skb_queue_tail(&ktx->reactions, skb);
	/* Pairs with ktx_leave(). */
	smp_mb();
	/*
	 * Whoever holds the lock may be this very processor, further down: a packet that the interface looped back. It
	 * sees to the reaction when it leaves. Where there is but one processor, locks do not tell: `sending` does.
	 */
	if (!READ_ONCE(ktx->sending) && spin_trylock(&ktx->lock)) {
		bool turn;
		u64 next;

		gather(ktx);
		rcu_read_lock();
		next = ktx_send_due(ktx, &turn);
		arm(ktx, next, ktime_get_ns());
		rcu_read_unlock();
		ktx_publish(ktx);
		ktx_leave(ktx);
	}
	local_bh_enable();
}

int ktx_xmit_cancel(struct ktx *ktx, const u64 *cookie, enum ktx_status status)
{
	bool staged;
	int ended;
	u64 now;

	local_bh_disable();
	spin_lock(&ktx->lock);
	staged = unstage(ktx, U64_MAX);
	ended = ktx_end_all(ktx, cookie, status);
	now = ktime_get_ns();
	if (staged)
		arm(ktx, skb_queue_empty(&ktx->due) ? ktx->next_launch : now, now);
	ktx_publish(ktx);
	ktx_leave(ktx);
	local_bh_enable();
	return ended;
}

void ktx_xmit_gone(struct ktx *ktx)
{
	struct net_device *dev;

	local_bh_disable();
	spin_lock(&ktx->lock);
	unstage(ktx, U64_MAX);
	ktx_end_all(ktx, NULL, KTX_GONE);
	ktx_stamp_settle(ktx);
	dev = ktx->dev;
	WRITE_ONCE(ktx->dev, NULL);
	ktx_publish(ktx);
	ktx_leave(ktx);
	local_bh_enable();
	if (dev) {
		dev_put(dev);
		ktrxer_wake_error(&ktx->wake);
	}
}

void ktx_xmit_close(struct ktx *ktx)
{
	struct sk_buff *skb;

	spin_lock_bh(&ktx->lock);
	ktx->closed = true;
	spin_unlock_bh(&ktx->lock);
	hrtimer_cancel(&ktx->timer);
	tasklet_kill(&ktx->tasklet);
	ktx_stamp_close(ktx);
	ktx_xmit_gone(ktx);
	while ((skb = skb_dequeue(&ktx->reactions)))
		ktx_reaction_free(skb);
}

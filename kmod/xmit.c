// SPDX-License-Identifier: GPL-2.0
/*
 * Frames onto the wire: at once, or at their instant; again when the device is busy; each with one completion.
 *
 * Frames for now wait in a list, timed ones in a tree by launch time. Everything happens under ktx->lock. A launch
 * is reached in three steps: the timer fires `lead` early, which makes good how late timers are here; the rest is spent
 * spinning without any lock, up to APPROACH_NS before the instant; then the queue is locked, and the last stretch is
 * waited for with the driver's transmit function next in line.
 */
#include "ktx.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/timex.h>

/* Enough for locks and checks on a slow processor. */
#define APPROACH_NS 5000
/* A timer may be so late before the first launch shows how late it is. */
#define FIRST_LEAD_NS 50000
#define FIRST_USUAL_NS 10000
/* One timer callback sends and spins for so long, well below what makes the kernel put softirqs off to a thread. */
#define TIMER_SPELL_NS (500 * NSEC_PER_USEC)
/* A clock that shows the same so many times stands still. */
#define MOST_LOOKS 4096
/* The back-off doubles up to 32 times its beginning. */
#define BACKOFF_DOUBLINGS 5

/* Whether the processor has a cycle counter that the kernel may read. */
static bool ktx_has_cycles __read_mostly;

/* ---- completions ---- */

u32 ktx_xmit_room(struct ktx *ktx)
{
	u32 entries = ktx->completion_mask + 1;

	ktx->completion_consumer = ktrxer_ring_consumed(&ktx->header->completion_consumer, ktx->completion_consumer,
							ktx->completion_producer);
	return entries - (ktx->completion_producer - ktx->completion_consumer) - ktx->waiting;
}

static void post(struct ktx *ktx, const struct ktx_frame *frame, enum ktx_status status, u64 stamp)
{
	struct ktx_completion *entry = &ktx->completions[ktx->completion_producer++ & ktx->completion_mask];

	entry->cookie = frame->cookie;
	entry->launch_ns = frame->launch;
	entry->sent_ns = stamp;
	entry->hardware_ns = 0;
	entry->status = status;
	entry->flags = frame->completion_flags;
	entry->attempts = frame->attempts;
	entry->length = frame->length;
}

/* The end of a frame of which the skb is gone or will be freed by the caller. */
static void finish(struct ktx *ktx, const struct ktx_frame *frame, enum ktx_status status, u64 stamp)
{
	bool reaction = frame->completion_flags & KTX_COMPLETION_REACTION;

	if (status == KTX_SENT) {
		ktx->statistics.sent++;
		ktx->statistics.bytes += frame->length;
		ktx->stuck = false;
	} else {
		ktx->statistics.failed++;
	}
	if (reaction) {
		if (status == KTX_SENT)
			ktx->statistics.reactions++;
		else
			ktx->statistics.reactions_lost++;
		ktx->reactions_waiting--;
		/* Only frames of the submission ring have an entry kept for them. */
		if (!ktx_xmit_room(ktx)) {
			ktx->statistics.completions_lost++;
			return;
		}
	} else {
		ktx->waiting--;
		ktx->held_bytes -= (u64)frame->length + KTX_FRAME_OVERHEAD;
	}
	post(ktx, frame, status, stamp);
}

/* Shows the user what was posted since the last time. */
static void publish(struct ktx *ktx)
{
	if (ktx->published == ktx->completion_producer)
		return;
	ktx->published = ktx->completion_producer;
	WRITE_ONCE(ktx->header->scheduled, ktx->waiting);
	/* Pairs with the user's acquire: entries before the index that covers them. */
	smp_store_release(&ktx->header->completion_producer, ktx->completion_producer);
	ktrxer_wake_up(&ktx->wake, ktx->completion_producer - READ_ONCE(ktx->header->completion_consumer));
}

/* A descriptor was taken; finish() is its end. */
static void admit(struct ktx *ktx, u32 length)
{
	ktx->statistics.submitted++;
	ktx->waiting++;
	ktx->held_bytes += (u64)length + KTX_FRAME_OVERHEAD;
}

void ktx_xmit_refuse(struct ktx *ktx, const struct ktx_descriptor *descriptor, enum ktx_status status)
{
	struct ktx_frame frame = {
		.launch = descriptor->launch_ns,
		.cookie = descriptor->cookie,
		.length = descriptor->frame_length,
		.completion_flags = descriptor->launch_ns ? KTX_COMPLETION_TIMED : 0,
	};

	spin_lock_bh(&ktx->lock);
	admit(ktx, frame.length);
	finish(ktx, &frame, status, ktime_get_ns());
	publish(ktx);
	spin_unlock_bh(&ktx->lock);
}

/* ---- what waits ---- */

static struct sk_buff *of_node(struct rb_node *node)
{
	return rb_entry(node, struct sk_buff, rbnode);
}

static void look_at_first(struct ktx *ktx)
{
	ktx->first_timed = rb_first(&ktx->timed);
	ktx->next_launch = ktx->first_timed ? ktx_frame(of_node(ktx->first_timed))->launch : U64_MAX;
}

static void insert_timed(struct ktx *ktx, struct sk_buff *skb)
{
	const struct ktx_frame *frame = ktx_frame(skb);
	struct rb_node **link = &ktx->timed.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		const struct ktx_frame *other = ktx_frame(of_node(*link));

		parent = *link;
		if (frame->launch < other->launch || (frame->launch == other->launch && frame->order < other->order))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	/* From here on skb->dev is part of the node. */
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, &ktx->timed);
	look_at_first(ktx);
}

/* The frame that leaves next, if it may leave before `horizon`. Launch times go before the frames for now. */
static struct sk_buff *peek(const struct ktx *ktx, u64 horizon)
{
	if (ktx->next_launch <= horizon)
		return of_node(ktx->first_timed);
	return skb_peek(&ktx->due);
}

static void take(struct ktx *ktx, struct sk_buff *skb)
{
	if (!ktx_frame(skb)->launch) {
		__skb_unlink(skb, &ktx->due);
		return;
	}
	rb_erase(&skb->rbnode, &ktx->timed);
	look_at_first(ktx);
	/* The node lay over these. */
	skb->next = NULL;
	skb->prev = NULL;
	skb->dev = ktx->dev;
}

static void put_back(struct ktx *ktx, struct sk_buff *skb)
{
	if (ktx_frame(skb)->launch)
		insert_timed(ktx, skb);
	else
		__skb_queue_head(&ktx->due, skb);
}

static void end(struct ktx *ktx, struct sk_buff *skb, enum ktx_status status, u64 now)
{
	struct ktx_frame frame = *ktx_frame(skb);

	take(ktx, skb);
	finish(ktx, &frame, status, now);
	kfree_skb(skb);
}

/* ---- transmission ---- */

static enum ktx_status obstacle(const struct net_device *dev, const struct netdev_queue *txq)
{
	if (!netif_running(dev))
		return KTX_DOWN;
	if (!netif_carrier_ok(dev))
		return KTX_NO_CARRIER;
	return netif_xmit_frozen_or_drv_stopped(txq) ? KTX_BUSY : KTX_SENT;
}

/* The device would not take the first frame: again later, or not at all. Returns true when it was completed. */
static bool put_off(struct ktx *ktx, struct sk_buff *skb, enum ktx_status cause, u64 now)
{
	struct ktx_frame *frame = ktx_frame(skb);

	frame->attempts++;
	ktx->statistics.retries++;
	if (frame->attempts >= ktx->attempts || ktx->stuck) {
		ktx->stuck = true;
		end(ktx, skb, cause, now);
		return true;
	}
	ktx->retry_at = now + ((u64)ktx->retry_ns << min_t(u16, frame->attempts - 1, BACKOFF_DOUBLINGS));
	return false;
}

/*
 * Waits for an instant that is near, and returns the time. That is before the instant only where the clock does not
 * move while code runs: clocks that tick like jiffies, and emulators that let time pass when nothing is to be done.
 */
static u64 approach(u64 instant)
{
	unsigned int looks = 0;
	u64 last = 0;
	u64 now;

	while ((now = ktime_get_ns()) < instant) {
		if (now != last)
			looks = 0;
		else if (++looks == MOST_LOOKS)
			break;
		last = now;
		cpu_relax();
	}
	return now;
}

/*
 * A reading of the processor's cycle counter costs a tenth of a clock reading, and is one between the frames of a
 * burst: the clock is read before and after it. Without a counter, the clock it is each time.
 */
static u64 mark(void)
{
	return ktx_has_cycles ? (u64)get_cycles() : ktime_get_ns();
}

/* The instants of the marks of a burst, from two at which both were read. */
static void marks_to_ns(struct ktx_handed *handed, unsigned int count, u64 first_mark, u64 first_ns, u64 last_mark,
			u64 last_ns)
{
	/* Counters of 32 bits go round. */
	u64 marks = max_t(u64, (cycles_t)(last_mark - first_mark), 1);
	unsigned int i;

	if (!ktx_has_cycles)
		return;
	for (i = 0; i < count; i++) {
		u64 since = (cycles_t)(handed[i].at - first_mark);

		if (!handed[i].launch)
			handed[i].at = first_ns + div64_u64(since * (last_ns - first_ns), marks);
	}
}

/* The frame that leaves next under the same hold of a queue's lock, if there is one before `horizon`. */
static struct sk_buff *next_of_burst(const struct ktx *ktx, unsigned int quota, u64 horizon, u16 queue)
{
	struct sk_buff *skb = quota ? peek(ktx, horizon) : NULL;

	if (!skb || skb_get_queue_mapping(skb) != queue || ktx_frame(skb)->flags & KTX_FRAME_DROP_LATE)
		return NULL;
	return skb;
}

/*
 * Hands up to `quota` frames that are due to the driver under one hold of its queue's lock: those for one queue,
 * until the device is busy. Returns how many were handed over. All that can wait is done when the lock is free again.
 */
static unsigned int send_burst(struct ktx *ktx, struct sk_buff *skb, unsigned int quota)
{
	struct net_device *dev = ktx->dev;
	u16 queue = skb_get_queue_mapping(skb);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, queue);
	struct ktx_handed *handed = ktx->handed;
	u64 first_ns, first_mark, last_ns, last_mark;
	enum ktx_status cause;
	unsigned int i, count;

	quota = min_t(unsigned int, quota, KTX_MOST_HANDED);
	HARD_TX_LOCK(dev, txq, smp_processor_id());
	cause = obstacle(dev, txq);
	first_ns = ktime_get_ns();
	first_mark = mark();
	while (cause == KTX_SENT) {
		const struct ktx_frame *frame = ktx_frame(skb);
		struct sk_buff *following;
		u64 now = first_ns;

		handed->launch = frame->launch;
		if (frame->launch) {
			now = approach(frame->launch);
			if (unlikely(now < frame->launch)) {
				/* Waiting is in vain here: the timer alone decides. */
				ktx_xmit_spin(ktx, 0);
				break;
			}
		}
		handed->cookie = frame->cookie;
		handed->length = frame->length;
		handed->attempts = frame->attempts;
		handed->completion_flags = frame->completion_flags;
		take(ktx, skb);
		quota--;
		following = next_of_burst(ktx, quota, now, queue);
		handed->at = handed->launch ? now : mark();
		handed->result = netdev_start_xmit(skb, dev, txq, following);
		if (unlikely(!dev_xmit_complete(handed->result))) {
			/* As the stack does, we count on cb being left alone by a driver that refuses. */
			put_back(ktx, skb);
			cause = KTX_BUSY;
			break;
		}
		handed++;
		/* With the lock held, waiting a little for the next costs less than coming back. */
		if (!following)
			following = next_of_burst(ktx, quota, now + ktx->approach_ns, queue);
		if (!following)
			break;
		skb = following;
		if (netif_xmit_frozen_or_drv_stopped(txq))
			cause = KTX_BUSY;
	}
	last_mark = mark();
	last_ns = ktime_get_ns();
	HARD_TX_UNLOCK(dev, txq);

	count = handed - ktx->handed;
	marks_to_ns(ktx->handed, count, first_mark, first_ns, last_mark, last_ns);
	for (i = 0; i < count; i++) {
		struct ktx_frame frame = {
			.launch = ktx->handed[i].launch,
			.cookie = ktx->handed[i].cookie,
			.length = ktx->handed[i].length,
			.attempts = ktx->handed[i].attempts + 1,
			.completion_flags = ktx->handed[i].completion_flags,
		};

		finish(ktx, &frame, net_xmit_eval(ktx->handed[i].result) ? KTX_DROPPED : KTX_SENT, ktx->handed[i].at);
	}
	if (cause != KTX_SENT)
		put_off(ktx, skb, cause, last_ns);
	return count;
}

/*
 * Sends what is due, as far as ceilings and the device allow. Returns when there is something to do again, or U64_MAX.
 * *turn is left true when it stopped only because others have had to wait long enough.
 */
static u64 send_due(struct ktx *ktx, bool *turn)
{
	*turn = false;
	for (;;) {
		u64 now = ktime_get_ns();
		unsigned int quota, handed;
		struct sk_buff *skb;
		u64 again;

		if (ktx->retry_at > now)
			return ktx->retry_at;
		ktx->retry_at = 0;
		skb = peek(ktx, now + ktx->approach_ns);
		if (!skb)
			return ktx->next_launch;
		if (ktx_frame(skb)->flags & KTX_FRAME_DROP_LATE && ktx_frame(skb)->launch &&
		    now > ktx_frame(skb)->launch + KTX_LATE_NS) {
			end(ktx, skb, KTX_LATE, now);
			continue;
		}
		quota = ktrxer_rate_take(min(ktrxer_burst(), ktx->waiting + ktx->reactions_waiting), now, &again);
		if (!quota) {
			ktx->statistics.held_back++;
			ktx->retry_at = again;
			return again;
		}
		handed = send_burst(ktx, skb, quota);
		ktrxer_rate_return(quota - handed);
		if (handed == quota && peek(ktx, now)) {
			*turn = true;
			return now;
		}
	}
}

/* ---- reactions ---- */

static void adopt_reactions(struct ktx *ktx)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&ktx->reactions))) {
		struct ktx_frame *frame = ktx_frame(skb);

		if (!ktx->dev || ktx->closed || ktx->reactions_waiting >= KTX_MOST_REACTIONS) {
			ktx->statistics.reactions_lost++;
			kfree_skb(skb);
			continue;
		}
		ktx_reaction_address(ktx, ktx->dev, skb);
		ktx->reactions_waiting++;
		frame->order = ktx->order++;
		if (frame->launch)
			insert_timed(ktx, skb);
		else
			__skb_queue_tail(&ktx->due, skb);
	}
}

/* ---- time ---- */

/*
 * Sets the timer. A launch is aimed at from before, by the lead that lateness asks for, but no more than a quarter of
 * the time that is left: however late timers are, most of the processor stays with the system. A retry has no instant
 * to keep.
 */
static void arm(struct ktx *ktx, u64 at, u64 now)
{
	if (at == U64_MAX || ktx->closed)
		return;
	ktx->aim = at;
	if (at != ktx->retry_at && at > now)
		at -= min_t(u64, ktx->lead_ns, (at - now) / 4);
	ktx->timer_at = at;
	/* Set for the past it tells nothing about how late timers are. */
	ktx->timer_tells = at > now;
	hrtimer_start(&ktx->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

/*
 * How late timers are is nearly constant, with an outlier now and then. The lead covers the latest of the last few
 * hundred; how late they are as a rule tells which gaps are too short for a timer.
 */
static void learn(struct ktx *ktx, u64 now)
{
	u32 late = min_t(u64, now > ktx->timer_at ? now - ktx->timer_at : 0, U32_MAX / 2);
	u32 wanted = late + late / 8 + ktx->approach_ns;
	struct ktx_statistics *statistics = &ktx->statistics;

	statistics->timer_wakes++;
	if (!ktx->timer_tells)
		return;
	if (wanted > ktx->lead_ns)
		ktx->lead_ns = min(wanted, ktx->spin_ns);
	else
		ktx->lead_ns -= (ktx->lead_ns - wanted) / 256;
	ktx->usual_ns = (ktx->usual_ns * 7ULL + late) / 8;
	statistics->lateness_ns = late;
	if (!statistics->lateness_least_ns || late < statistics->lateness_least_ns)
		statistics->lateness_least_ns = max(late, 1U);
	statistics->lateness_most_ns = max(statistics->lateness_most_ns, late);
}

/* Whether to wait for the next launch instead of setting the timer: it was what woke us, or no timer is that quick. */
static bool worth_waiting(const struct ktx *ktx, u64 next, u64 now)
{
	/* Not for a retry: what the device waits for is done by softirqs, which wait for us. */
	if (next == U64_MAX || next == ktx->retry_at)
		return false;
	return next <= now + min(next <= ktx->aim ? ktx->lead_ns : 2 * ktx->usual_ns + ktx->approach_ns, ktx->spin_ns);
}

/* With ktx->lock held; drops it. What came in meanwhile from rules is seen to before it is left alone. */
static void leave(struct ktx *ktx)
{
	bool turn;

	for (;;) {
		spin_unlock(&ktx->lock);
		/* Pairs with ktx_react(): the lock is free before we look for reactions, or they find it so. */
		smp_mb();
		if (skb_queue_empty(&ktx->reactions) || !spin_trylock(&ktx->lock))
			return;
		adopt_reactions(ktx);
		rcu_read_lock();
		arm(ktx, send_due(ktx, &turn), ktime_get_ns());
		rcu_read_unlock();
		publish(ktx);
	}
}

static enum hrtimer_restart fire(struct hrtimer *timer)
{
	struct ktx *ktx = container_of(timer, struct ktx, timer);
	u64 now = ktime_get_ns();
	u64 spell_end = now + TIMER_SPELL_NS;
	u64 next;
	bool turn;

	spin_lock(&ktx->lock);
	learn(ktx, now);
	/* RCU: an interface that was seen running is not stopped before we are through with it. */
	rcu_read_lock();
	while (!ktx->closed) {
		adopt_reactions(ktx);
		next = send_due(ktx, &turn);
		now = ktime_get_ns();
		if (turn || now > spell_end || !worth_waiting(ktx, next, now)) {
			arm(ktx, next, now);
			break;
		}
		ktx->statistics.spin_ns += next - now;
		publish(ktx);
		spin_unlock(&ktx->lock);
		now = approach(next - ktx->approach_ns);
		spin_lock(&ktx->lock);
		if (now < next - ktx->approach_ns)
			ktx_xmit_spin(ktx, 0);
	}
	publish(ktx);
	rcu_read_unlock();
	leave(ktx);
	return HRTIMER_NORESTART;
}

/* ---- calls from the file ---- */

void ktx_xmit_measure(void)
{
	cycles_t begin = get_cycles();

	udelay(2);
	ktx_has_cycles = get_cycles() != begin;
}

void ktx_xmit_init(struct ktx *ktx)
{
	spin_lock_init(&ktx->lock);
	__skb_queue_head_init(&ktx->due);
	skb_queue_head_init(&ktx->reactions);
	ktx->timed = RB_ROOT;
	look_at_first(ktx);
	compat_hrtimer_setup(&ktx->timer, fire);
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

		admit(ktx, frame->length);
		if (!ktx->dev) {
			finish(ktx, frame, KTX_GONE, ktime_get_ns());
			kfree_skb(skb);
			continue;
		}
		frame->order = ktx->order++;
		if (frame->launch)
			insert_timed(ktx, skb);
		else
			__skb_queue_tail(&ktx->due, skb);
	}
	do {
		adopt_reactions(ktx);
		rcu_read_lock();
		next = send_due(ktx, &turn);
		rcu_read_unlock();
		publish(ktx);
		if (turn) {
			leave(ktx);
			/* Softirqs that waited run here. */
			local_bh_enable();
			cond_resched();
			local_bh_disable();
			spin_lock(&ktx->lock);
		}
	} while (turn);
	arm(ktx, next, ktime_get_ns());
	WRITE_ONCE(ktx->header->scheduled, ktx->waiting);
	leave(ktx);
	local_bh_enable();
}

void ktx_react(struct ktx *ktx, struct sk_buff *skb, u64 launch, u64 cookie)
{
	struct ktx_frame *frame = ktx_frame(skb);

	memset(frame, 0, sizeof(*frame));
	frame->launch = launch;
	frame->cookie = cookie;
	frame->length = skb->len;
	frame->completion_flags = KTX_COMPLETION_REACTION | (launch ? KTX_COMPLETION_TIMED : 0);
	local_bh_disable();
	skb_queue_tail(&ktx->reactions, skb);
	/* Pairs with leave(). */
	smp_mb();
	/*
	 * Whoever holds the lock may be this very processor, further down: a packet that the interface looped back. It
	 * sees to the reaction when it leaves.
	 */
	if (spin_trylock(&ktx->lock)) {
		bool turn;

		adopt_reactions(ktx);
		rcu_read_lock();
		arm(ktx, send_due(ktx, &turn), ktime_get_ns());
		rcu_read_unlock();
		publish(ktx);
		leave(ktx);
	}
	local_bh_enable();
}

/* Completes all that waits, of one cookie or any. Returns how many frames of the submission ring. */
static int end_all(struct ktx *ktx, const u64 *cookie, enum ktx_status status)
{
	u64 now = ktime_get_ns();
	struct rb_node *node, *behind;
	struct sk_buff *skb, *next;
	int ended = 0;

	skb_queue_walk_safe(&ktx->due, skb, next) {
		if (cookie && ktx_frame(skb)->cookie != *cookie)
			continue;
		ended += !(ktx_frame(skb)->completion_flags & KTX_COMPLETION_REACTION);
		end(ktx, skb, status, now);
	}
	for (node = rb_first(&ktx->timed); node; node = behind) {
		behind = rb_next(node);
		skb = of_node(node);
		if (cookie && ktx_frame(skb)->cookie != *cookie)
			continue;
		ended += !(ktx_frame(skb)->completion_flags & KTX_COMPLETION_REACTION);
		end(ktx, skb, status, now);
	}
	return ended;
}

int ktx_xmit_cancel(struct ktx *ktx, const u64 *cookie, enum ktx_status status)
{
	int ended;

	local_bh_disable();
	spin_lock(&ktx->lock);
	ended = end_all(ktx, cookie, status);
	publish(ktx);
	leave(ktx);
	local_bh_enable();
	return ended;
}

void ktx_xmit_gone(struct ktx *ktx)
{
	struct net_device *dev;

	local_bh_disable();
	spin_lock(&ktx->lock);
	end_all(ktx, NULL, KTX_GONE);
	dev = ktx->dev;
	WRITE_ONCE(ktx->dev, NULL);
	publish(ktx);
	leave(ktx);
	local_bh_enable();
	if (dev) {
		dev_put(dev);
		ktrxer_wake_error(&ktx->wake);
	}
}

void ktx_xmit_close(struct ktx *ktx)
{
	spin_lock_bh(&ktx->lock);
	ktx->closed = true;
	spin_unlock_bh(&ktx->lock);
	hrtimer_cancel(&ktx->timer);
	ktx_xmit_gone(ktx);
	skb_queue_purge(&ktx->reactions);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Frames to the driver: bursts under one hold of its queue's lock, stamped, retried when the device is busy. All under
 * ktx->lock; what is due, and when, is known to waiting.c and launch.c.
 */
#include "xmit.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/ktime.h>

/* A clock that shows the same so many times stands still. */
#define MOST_LOOKS 4096
/* The back-off doubles up to 32 times its beginning. */
#define BACKOFF_DOUBLINGS 5
#define MOST_APPROACHES_NS NSEC_PER_MSEC
/* The last of a wait goes by cycles. What they are worth, in ns, the wait itself has shown, over so long. */
#define BY_CYCLES_NS 250U
#define LEAST_GAUGED_NS (2 * BY_CYCLES_NS)
#define MOST_GAUGED_NS (32U * NSEC_PER_USEC)
/* More than so short a time needs: it is reckoned too long if this processor was taken away in the middle. */
#define MOST_CYCLE_LOOKS 128

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
	struct ktx_account *account = &ktx_frame(skb)->account;

	account->attempts++;
	ktx->statistics.retries++;
	if (account->attempts >= ktx->attempts || ktx->stuck) {
		ktx->stuck = true;
		ktx_end(ktx, skb, cause, now);
		return true;
	}
	ktx->retry_at = now + ((u64)ktx->retry_ns << min_t(u16, account->attempts - 1, BACKOFF_DOUBLINGS));
	return false;
}

/*
 * What is left of a wait whose clock readings are worth so many cycles a ns; `begin` and `now` were read just before
 * `begin_cycles` and this call. Cycles are looked at more often than the clock can be.
 */
static void approach_by_cycles(u64 instant, u64 begin, cycles_t begin_cycles, u64 now)
{
	cycles_t now_cycles = compat_cycles();
	u32 cycles = (u32)(now_cycles - begin_cycles);
	u32 wait = (u32)(instant - now) * cycles / (u32)(now - begin);
	unsigned int looks = MOST_CYCLE_LOOKS;

	while ((u32)(compat_cycles() - now_cycles) < wait && --looks)
		cpu_relax();
}

/* Not copied into the loop over bursts, which has no registers to spare. */
noinline u64 ktx_approach(u64 instant)
{
	unsigned int looks = 0;
	cycles_t begin_cycles = 0;
	u64 begin = 0, last = 0;
	u64 now;

	while ((now = ktime_get_ns()) < instant) {
		if (now != last)
			looks = 0;
		else if (++looks == MOST_LOOKS)
			break;
		last = now;
		if (ktx_has_cycles()) {
			if (now - begin > MOST_GAUGED_NS) {
				begin = now;
				begin_cycles = compat_cycles();
			} else if (instant - now <= BY_CYCLES_NS && now - begin >= LEAST_GAUGED_NS) {
				approach_by_cycles(instant, begin, begin_cycles, now);
			}
		}
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
	return ktx_has_cycles() ? (u64)compat_cycles() : ktime_get_ns();
}

/* The frame that leaves next under the same hold of a queue's lock, if there is one before `horizon`. */
static struct sk_buff *next_of_burst(const struct ktx *ktx, unsigned int quota, u64 horizon, u16 queue)
{
	struct sk_buff *skb = quota ? ktx_peek(ktx, horizon) : NULL;

	if (!skb || skb_get_queue_mapping(skb) != queue || ktx_frame(skb)->flags & KTX_FRAME_DROP_LATE)
		return NULL;
	return skb;
}

/* All but the launch time, field by field: compilers that go for size call a function to copy a whole. */
static inline void keep_account(struct ktx_handed *handed, const struct ktx_account *account)
{
	handed->account.cookie = account->cookie;
	handed->account.length = account->length;
	handed->account.attempts_flags = account->attempts_flags;
}

/* Neither a launch time nor a stamp of the device's. */
static bool leaves_at_once(struct sk_buff *skb)
{
	return !(ktx_frame(skb)->account.flags & (KTX_COMPLETION_TIMED | KTX_ACCOUNT_STAMP));
}

/*
 * Hands up to `quota` such frames to the driver, from *skb on, which is the first that is due, while no launch time has
 * come: of a burst that is nearly all, and what this loop does is what it costs. Apart, since it needs all registers.
 * Returns how many; *skb is then the next frame for this hold, or NULL, and *cause why it has to wait.
 */
static noinline unsigned int send_plain(struct ktx *ktx, struct netdev_queue *txq, struct sk_buff **skb,
					unsigned int quota, struct ktx_handed *handed, enum ktx_status *cause)
{
	/* There is a next one as long as there is something left of it. */
	const unsigned int most = min(quota, ktx->due.qlen);
	struct net_device *dev = ktx->dev;
	struct sk_buff *sent = *skb;
	u16 queue = skb_get_queue_mapping(sent);
	unsigned int left = most;
	struct sk_buff *next, *following, *refused = NULL;

	for (;;) {
		const struct ktx_account *account = &ktx_frame(sent)->account;

		next = sent->next;
		following = NULL;
		if (--left && skb_get_queue_mapping(next) == queue && leaves_at_once(next))
			following = next;
		keep_account(handed, account);
		sent->next = NULL;
		sent->prev = NULL;
		handed->at = mark();
		handed->result = netdev_start_xmit(sent, dev, txq, following);
		if (unlikely(!dev_xmit_complete(handed->result))) {
			refused = sent;
			*cause = KTX_BUSY;
			break;
		}
		handed++;
		if (!following)
			break;
		sent = following;
		if (netif_xmit_frozen_or_drv_stopped(txq)) {
			*cause = KTX_BUSY;
			break;
		}
	}
	/* Those that left were the first of the list. */
	ktx->due.next = next;
	next->prev = (struct sk_buff *)&ktx->due;
	ktx->due.qlen -= most - left;
	*skb = following;
	if (unlikely(refused)) {
		/* As the stack does, we count on cb being left alone by a driver that refuses. */
		ktx_put_back(ktx, refused);
		*skb = refused;
		left++;
	}
	return most - left;
}

/*
 * Hands up to `quota` frames that are due to the driver under one hold of its queue's lock: those for one queue,
 * until the device is busy. Returns how many were handed over. They are accounted for later, ktx_post_handed().
 */
static unsigned int send_burst(struct ktx *ktx, struct sk_buff *skb, unsigned int quota)
{
	struct net_device *dev = ktx->dev;
	u16 queue = skb_get_queue_mapping(skb);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, queue);
	struct ktx_handed_list *list = ktx->handed;
	struct ktx_handed *handed = &list->frames[ktx->handed_count];
	struct ktx_hold *hold = &list->holds[ktx->hold_count];
	u64 waited = 0, reached;
	/* However long this takes: what is staged goes before later ones. */
	u64 last = ktx->stage ? ktx_stage_next(ktx) - 1 : U64_MAX;
	bool stamped = false;
	enum ktx_status cause;
	unsigned long flags = 0;
	unsigned int count;
	u64 first_ns;
	u32 linger = 0;

	/* The lock is this processor's already, further down: an interface that looped a packet back while it sent. */
	if (unlikely(READ_ONCE(txq->xmit_lock_owner) == smp_processor_id())) {
		put_off(ktx, skb, KTX_BUSY, ktime_get_ns());
		return 0;
	}
	HARD_TX_LOCK(dev, txq, smp_processor_id());
	WRITE_ONCE(ktx->sending, true);
	cause = obstacle(dev, txq);
	first_ns = ktime_get_ns();
	hold->first_ns = first_ns;
	hold->first_mark = mark();
	reached = first_ns;
	if (ktx->ready_from)
		ktx_learn_approach(ktx, first_ns);
	if (ktx->next_launch != U64_MAX && ktx_spin_allowed(first_ns))
		linger = min_t(u32, ktx->approach_ns, APPROACH_NS);
	while (cause == KTX_SENT) {
		const struct ktx_frame *frame = ktx_frame(skb);
		struct sk_buff *following;
		u64 now = first_ns;
		bool shut;

		if (leaves_at_once(skb) && ktx->next_launch > now) {
			unsigned int sent = send_plain(ktx, txq, &skb, quota, handed, &cause);

			handed += sent;
			quota -= sent;
			if (skb)
				continue;
			skb = next_of_burst(ktx, quota, min(now + linger, last), queue);
			if (!skb)
				break;
			if (netif_xmit_frozen_or_drv_stopped(txq))
				cause = KTX_BUSY;
			continue;
		}
		/* An interrupt that came now would make the frame late: with drivers that bear it, it has to wait. */
		shut = ktx->stage && frame->account.launch;
		if (shut)
			local_irq_save(flags);
		if (frame->account.launch) {
			now = ktx_approach(frame->account.launch);
			if (frame->account.launch > reached)
				waited += now - reached;
			reached = now;
		}
		if (unlikely(now < frame->account.launch)) {
			if (shut)
				local_irq_restore(flags);
			/* Waiting is in vain here: the timer alone decides. */
			ktx_xmit_spin(ktx, 0);
			break;
		}
		if (frame->account.flags & KTX_ACCOUNT_STAMP) {
			skb_shinfo(skb)->tskey = ktx->stamps.given++;
			stamped = true;
		}
		handed->account.launch = frame->account.launch;
		keep_account(handed, &frame->account);
		ktx_take(ktx, skb);
		quota--;
		following = next_of_burst(ktx, quota, min(now, last), queue);
		handed->at = handed->account.launch ? now : mark();
		handed->result = netdev_start_xmit(skb, dev, txq, following);
		if (shut)
			local_irq_restore(flags);
		if (unlikely(!dev_xmit_complete(handed->result))) {
			/* As the stack does, we count on cb being left alone by a driver that refuses. */
			ktx_put_back(ktx, skb);
			handed->account.launch = 0;
			if (handed->account.flags & KTX_ACCOUNT_STAMP)
				ktx->stamps.given--;
			cause = KTX_BUSY;
			break;
		}
		handed++;
		/* With the lock held, waiting a little for the next costs less than coming back. */
		if (!following)
			following = next_of_burst(ktx, quota, min(now + linger, last), queue);
		if (!following)
			break;
		skb = following;
		if (netif_xmit_frozen_or_drv_stopped(txq))
			cause = KTX_BUSY;
	}
	hold->last_mark = mark();
	hold->last_ns = ktime_get_ns();
	WRITE_ONCE(ktx->sending, false);
	HARD_TX_UNLOCK(dev, txq);

	if (waited) {
		ktx->statistics.spin_ns += waited;
		ktx_spin_charge(waited);
	}
	count = handed - &list->frames[ktx->handed_count];
	if (count) {
		hold->count = count;
		ktx->handed_count += count;
		ktx->hold_count++;
		ktx->stuck = false;
	}
	/* The device's stamp may come as soon as our lock is free, and finds only what is accounted for. */
	if (stamped)
		ktx_post_handed(ktx);
	if (cause != KTX_SENT)
		put_off(ktx, skb, cause, hold->last_ns);
	return count;
}

/*
 * The interface may have fewer queues than when the frame was made ready, and drivers do not expect one that they do
 * not have. False: the frame was for just that queue, and has been completed.
 */
static bool has_queue(struct ktx *ktx, struct sk_buff *skb, u64 now)
{
	if (likely(skb_get_queue_mapping(skb) < ktx->dev->real_num_tx_queues))
		return true;
	if (ktx_frame(skb)->flags & KTX_FRAME_QUEUE) {
		ktx_end(ktx, skb, KTX_BAD_QUEUE, now);
		return false;
	}
	skb_set_queue_mapping(skb, 0);
	return true;
}

u64 ktx_send_due(struct ktx *ktx, bool *turn)
{
	/* Counted over all queues and frames that came to nothing: however a burst is cut up, others get their turn. */
	unsigned int left = ktrxer_burst();
	u64 begun = 0;

	*turn = false;
	for (;;) {
		u64 now = ktime_get_ns();
		unsigned int quota, handed;
		struct sk_buff *skb;
		u64 horizon, again;

		if (ktx->retry_at > now)
			return ktx->retry_at;
		ktx->retry_at = 0;
		if (!begun)
			begun = now;
		/* The last stretch before each of many launches adds up, with softirqs off: only so far. */
		horizon = now;
		if (now - begun < MOST_APPROACHES_NS && ktx_spin_allowed(now))
			horizon += ktx->approach_ns;
		if (ktx->stage)
			ktx_take_back(ktx, horizon);
		skb = ktx_peek(ktx, horizon);
		if (!skb)
			return ktx->next_launch;
		if (!left) {
			ktx_publish(ktx);
			*turn = ktx_peek(ktx, now);
			return *turn ? now : ktx->next_launch;
		}
		if (ktx_frame(skb)->flags & KTX_FRAME_DROP_LATE && ktx_frame(skb)->account.launch &&
		    now > ktx_frame(skb)->account.launch + KTX_LATE_NS) {
			ktx_end(ktx, skb, KTX_LATE, now);
			left--;
			continue;
		}
		if (!has_queue(ktx, skb, now)) {
			left--;
			continue;
		}
		if (ktx->handed_count == KTX_MOST_HANDED || ktx->hold_count == KTX_MOST_HOLDS)
			ktx_publish(ktx);
		quota = KTX_MOST_HANDED - ktx->handed_count;
		quota = min3(left, quota, ktx->waiting + ktx->reactions_waiting - ktx->handed_count);
		quota = ktrxer_rate_take(quota, now, &again);
		if (!quota) {
			ktx->statistics.held_back++;
			ktx->retry_at = again;
			return again;
		}
		handed = send_burst(ktx, skb, quota);
		ktrxer_rate_return(quota - handed);
		left -= max(handed, 1U);
		/*
		 * The device was full after a part of the burst. It may have room again as soon as softirqs have heard
		 * what became of that, sooner than any timer.
		 */
		if (handed && ktx->retry_at) {
			ktx->retry_at = 0;
			*turn = true;
			return now;
		}
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Launches out of the timer's own interrupt. A softirq has to wait while others run, and forwarding keeps them running;
 * an interrupt has not. But what it may do is little: frames are staged for it while there is time, taken out of the
 * tree, and accounted for afterwards by the tasklet that follows. It takes the queue's lock only if that is free, as
 * netpoll does; if it is not, it asks again a little later, and in the end the tasklet sends the frame.
 *
 * In an interrupt a driver's transmit function may have interrupted any part of the same driver. Some drivers are not
 * made for that; it is done with those that are known to be, `interrupt_drivers`.
 *
 * Staged frames belong to the timer's callback from when the timer is set until it is cancelled, and are looked at by
 * nobody else: there is no lock. Then the tasklet takes back those that are near, and the others stay where they are
 * until the timer is set anew: to put all of them back for each launch would take longer than to send it.
 */
#include "xmit.h"

#include "parameters.h"

#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/slab.h>

/*
 * Softirqs may have to wait for milliseconds, when a device has many packets. What is staged stays so while the tasklet
 * sends what comes before.
 */
#define MOST_STAGED 64U
/* Later ones can be staged later. */
#define STAGED_NS (5 * NSEC_PER_MSEC)
/* Interrupts are off for so long at most, before a launch. */
#define MOST_STAGE_LEAD_NS 20000U
#define FIRST_STAGE_LEAD_NS 10000U
/* Launches that are nearer to one another are not worth an interrupt each. */
#define LEAST_NEAREST_NS 10000U
/* Between launches that are late already. */
#define GET_ON_NS 2000
/*
 * Whom we have interrupted is through with the queue's lock that soon, as a rule. Asked more often, it would not get
 * on.
 */
#define RETRY_NS 8000
#define MOST_RETRIES 16U
/* Looks at a lock that is taken, where the clock does not move meanwhile. */
#define MOST_LOCK_LOOKS 10000

struct ktx_staged_frame {
	struct sk_buff *skb; /* the driver's, once it has left */
	struct ktx_account account;
	u64 at; /* ns; when it was handed over */
	int result; /* of the driver */
};

struct ktx_stage {
	struct ktx_staged_frame frames[MOST_STAGED]; /* by launch time */
	u32 count; /* of frames */
	u32 sent; /* so many at the beginning are not staged any more */
	u32 accounted; /* so many of these are accounted for */
	u32 lead_ns; /* how much before a launch it is our turn */
	u64 timer_at; /* when that is */
	bool tells; /* that was not in the past */
	u64 late_ns; /* how late the timer was then, last; U64_MAX: not known */
	u32 wakes;
	u32 retries; /* for the first that has not left */
	u64 waited_ns;
};

static bool is_known(const struct net_device *dev)
{
	const struct device *parent = dev->dev.parent;
	const char *name = parent && parent->driver ? parent->driver->name : NULL;
	size_t length = name ? strlen(name) : 0;
	const char *list = ktrxer_interrupt_drivers;

	/* Interfaces on top of others have the parent of the one below, or none. */
	if (!length || ktx_is_stacked(dev))
		return false;
	while (*list) {
		size_t word = strcspn(list, ",");

		if (word == length && !strncmp(list, name, word))
			return true;
		list += word;
		list += *list == ',';
	}
	return false;
}

int ktx_stage_init(struct ktx *ktx, const struct net_device *dev)
{
	kfree(ktx->stage);
	ktx->stage = NULL;
	/* Spinlocks sleep there. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || !is_known(dev))
		return 0;
	ktx->stage = kzalloc(sizeof(*ktx->stage), GFP_KERNEL);
	if (!ktx->stage)
		return -ENOMEM;
	ktx->stage->lead_ns = FIRST_STAGE_LEAD_NS;
	ktx->stage->late_ns = U64_MAX;
	return 0;
}

/* What needs more than handing over is the tasklet's. */
static bool is_plain(const struct ktx *ktx, struct sk_buff *skb)
{
	const struct ktx_frame *frame = ktx_frame(skb);

	return !(frame->flags & KTX_FRAME_DROP_LATE) && !(frame->account.flags & KTX_ACCOUNT_STAMP) &&
	       skb_get_queue_mapping(skb) < ktx->dev->real_num_tx_queues;
}

u32 ktx_stage_nearest(const struct ktx *ktx)
{
	return ktx->stage ? max(2 * ktx->stage->lead_ns, LEAST_NEAREST_NS) : 0;
}

bool ktx_can_stage(const struct ktx *ktx)
{
	return ktx->stage && ktx->spin_ns >= ktx->stage->lead_ns && ktx->first_timed &&
	       is_plain(ktx, ktx_of_node(ktx->first_timed));
}

bool ktx_has_staged(const struct ktx *ktx)
{
	return ktx->stage && ktx->stage->accounted < ktx->stage->count;
}

u64 ktx_stage_next(const struct ktx *ktx)
{
	const struct ktx_stage *stage = ktx->stage;

	return stage && stage->sent < stage->count ? stage->frames[stage->sent].account.launch : U64_MAX;
}

/* Room at the end, of what is done with. All that was sent is accounted for. */
static void move_up(struct ktx_stage *stage)
{
	stage->count -= stage->sent;
	memmove(stage->frames, &stage->frames[stage->sent], stage->count * sizeof(*stage->frames));
	stage->sent = 0;
	stage->accounted = 0;
}

/* When it is our turn for the first that is staged. After a stall many are late: others get on between them. */
static void set_turn(struct ktx_stage *stage)
{
	u64 launch = stage->frames[stage->sent].account.launch;
	u64 now = ktime_get_ns();

	stage->timer_at = launch > now ? launch - min_t(u64, stage->lead_ns, launch) : now + GET_ON_NS;
	stage->tells = launch > now && stage->timer_at > now;
}

static void set_out(struct ktx *ktx, struct ktx_staged_frame *staged)
{
	struct sk_buff *skb = ktx_of_node(ktx->first_timed);

	staged->account = ktx_frame(skb)->account;
	staged->skb = skb;
	ktx_take_timed(ktx, skb);
}

/*
 * Those that the tasklet has taken, and not sent, go before those that are staged: in their places, or nobody would
 * keep the order. False: that cannot be, or they are nearer to one another than interrupts should be.
 */
static bool set_out_before(struct ktx *ktx, u64 now)
{
	struct ktx_stage *stage = ktx->stage;
	u64 first = ktx_stage_next(ktx);
	struct rb_node *node = ktx->first_timed;
	u32 count = 0;
	u32 tokens;
	u64 again;

	while (node && ktx_frame(ktx_of_node(node))->account.launch < first) {
		u64 launch = ktx_frame(ktx_of_node(node))->account.launch;
		u64 next = first;

		if (++count > stage->sent || !is_plain(ktx, ktx_of_node(node)))
			return false;
		node = rb_next(node);
		if (node)
			next = min(first, ktx_frame(ktx_of_node(node))->account.launch);
		if (next < launch + ktx_stage_nearest(ktx))
			return false;
	}
	if (!count)
		return true;
	tokens = ktrxer_rate_take(count, now, &again);
	if (tokens < count) {
		ktrxer_rate_return(tokens);
		return false;
	}
	stage->sent -= count;
	stage->accounted = stage->sent;
	while (count--)
		set_out(ktx, &stage->frames[stage->sent + tokens - count - 1]);
	return true;
}

u32 ktx_stage(struct ktx *ktx, u64 now)
{
	struct ktx_stage *stage = ktx->stage;
	u64 first, again;

	if (!stage || !ktx->dev || ktx->spin_ns < stage->lead_ns)
		return 0;
	/* Its callback may be running, somewhere else. */
	hrtimer_cancel(&ktx->timer);
	first = ktx_stage_next(ktx);
	if (first == U64_MAX) {
		first = ktx->next_launch;
		if (first < now + ktx_stage_nearest(ktx) || first > now + KTX_STAGE_AHEAD_NS)
			return 0;
	} else if (!set_out_before(ktx, now)) {
		return 0;
	}
	first = min(first, ktx_stage_next(ktx));
	/* What was submitted since, and goes between them. */
	if (stage->count > stage->sent && ktx->next_launch < stage->frames[stage->count - 1].account.launch)
		return 0;
	if (stage->count == MOST_STAGED)
		move_up(stage);
	while (stage->count < MOST_STAGED && ktx->next_launch <= first + STAGED_NS) {
		struct ktx_staged_frame *staged = &stage->frames[stage->count];
		struct sk_buff *skb = ktx_of_node(ktx->first_timed);

		/* Frames that are nearer to one another leave from the tasklet, together. */
		if (stage->count > stage->sent && ktx->next_launch < staged[-1].account.launch + ktx_stage_nearest(ktx))
			break;
		if (!is_plain(ktx, skb) || !ktrxer_rate_take(1, now, &again))
			break;
		set_out(ktx, staged);
		stage->count++;
	}
	if (stage->sent == stage->count)
		return 0;
	set_turn(stage);
	return stage->lead_ns;
}

/* No more than the file may spin: with a longer one nothing would be staged any more. */
static void learn_lead(struct ktx_stage *stage, u64 ready, u32 spin_ns)
{
	u32 took = ready > stage->timer_at ? min_t(u64, ready - stage->timer_at, MOST_STAGE_LEAD_NS) : 0;
	u32 wanted = min3(took + took / 4, MOST_STAGE_LEAD_NS, spin_ns);

	if (wanted > stage->lead_ns)
		stage->lead_ns = wanted;
	else
		stage->lead_ns -= (stage->lead_ns - wanted) / 256;
}

/* With the queue locked. False: the driver has not taken it. */
static bool transmit(struct ktx *ktx, struct ktx_staged_frame *staged, struct netdev_queue *txq)
{
	struct net_device *dev = ktx->dev;
	u64 ready;

	if (!netif_running(dev) || !netif_carrier_ok(dev) || netif_xmit_frozen_or_drv_stopped(txq))
		return false;
	ready = ktime_get_ns();
	if (!ktx->stage->retries && ktx->stage->tells)
		learn_lead(ktx->stage, ready, ktx->spin_ns);
	staged->at = ktx_approach(staged->account.launch);
	/* Waiting may be in vain: where the clock stands still meanwhile. */
	if (staged->at < staged->account.launch)
		return false;
	ktx->stage->waited_ns += staged->at - ready;
	staged->result = netdev_start_xmit(staged->skb, dev, txq, false);
	return dev_xmit_complete(staged->result);
}

/* False: it is left to the tasklet. */
static bool hand_over(struct ktx *ktx, struct ktx_staged_frame *staged)
{
	u16 queue = skb_get_queue_mapping(staged->skb);
	struct netdev_queue *txq = netdev_get_tx_queue(ktx->dev, queue);
	int looks = MOST_LOCK_LOOKS;
	bool sent;

	/* The interface may have fewer by now. */
	if (queue >= ktx->dev->real_num_tx_queues)
		return false;
	do {
		/* Whom we have interrupted has it. Where there is but one processor, this is all that tells. */
		if (READ_ONCE(txq->xmit_lock_owner) == smp_processor_id())
			return false;
		/* __netif_tx_trylock(), such that sparse can follow. */
		if (spin_trylock(&txq->_xmit_lock)) {
			WRITE_ONCE(txq->xmit_lock_owner, smp_processor_id());
			sent = transmit(ktx, staged, txq);
			__netif_tx_unlock(txq);
			return sent;
		}
		cpu_relax();
	} while (--looks && ktime_get_ns() < staged->account.launch);
	return false;
}

enum hrtimer_restart ktx_stage_fire(struct ktx *ktx)
{
	struct ktx_stage *stage = ktx->stage;
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	u64 now;

	if (!stage || stage->sent == stage->count)
		return HRTIMER_NORESTART;
	now = ktime_get_ns();
	/* It was for the tasklet, which stops us if it comes first. */
	if (now < stage->timer_at) {
		hrtimer_set_expires(&ktx->timer, ns_to_ktime(stage->timer_at));
		return HRTIMER_RESTART;
	}
	/* Launches are staged before it is known how many others there are. */
	if (!ktx_spin_interrupt_allowed(now))
		return HRTIMER_NORESTART;
	if (!stage->retries) {
		if (stage->tells)
			stage->late_ns = now - stage->timer_at;
		stage->wakes++;
	}
	/* The interface is not stopped before we are through with it. */
	rcu_read_lock();
	if (hand_over(ktx, &stage->frames[stage->sent])) {
		stage->retries = 0;
		if (++stage->sent < stage->count) {
			set_turn(stage);
			restart = HRTIMER_RESTART;
		}
	} else if (stage->retries < MOST_RETRIES) {
		/* The tasklet may be sooner. */
		stage->retries++;
		stage->timer_at = now + RETRY_NS;
		restart = HRTIMER_RESTART;
	}
	if (restart == HRTIMER_RESTART)
		hrtimer_set_expires(&ktx->timer, ns_to_ktime(stage->timer_at));
	rcu_read_unlock();
	ktx_spin_interrupt_charge(ktime_get_ns() - now);
	return restart;
}

void ktx_take_back(struct ktx *ktx, u64 until)
{
	struct ktx_stage *stage = ktx->stage;

	while (ktx_stage_next(ktx) <= until && stage->sent < stage->count) {
		ktx_insert_timed(ktx, stage->frames[stage->sent++].skb);
		ktrxer_rate_return(1);
	}
	stage->accounted = stage->sent;
	if (stage->sent == stage->count) {
		stage->count = 0;
		stage->sent = 0;
		stage->accounted = 0;
	}
	stage->retries = 0;
}

bool ktx_unstage(struct ktx *ktx, u64 until, u32 *wakes, u64 *late_ns)
{
	struct ktx_stage *stage = ktx->stage;
	u32 accounted;

	if (!ktx_has_staged(ktx))
		return false;
	hrtimer_cancel(&ktx->timer);
	/* Completions are in order. */
	if (stage->accounted < stage->sent)
		ktx_post_handed(ktx);
	for (accounted = stage->accounted; accounted < stage->sent; accounted++) {
		struct ktx_staged_frame *staged = &stage->frames[accounted];

		staged->account.attempts++;
		ktx->stuck = false;
		ktx_finish(ktx, &staged->account, net_xmit_eval(staged->result) ? KTX_DROPPED : KTX_SENT, staged->at);
	}
	ktx_take_back(ktx, until);
	ktx->statistics.spin_ns += stage->waited_ns;
	ktx_spin_charge(stage->waited_ns);
	stage->waited_ns = 0;
	*late_ns = stage->late_ns;
	stage->late_ns = U64_MAX;
	*wakes = stage->wakes;
	stage->wakes = 0;
	return true;
}

u32 ktx_lead(const struct ktx *ktx)
{
	u32 lead = READ_ONCE(ktx->lead_ns);

	return ktx_is_bound(ktx) && ktx->stage ? max(lead, READ_ONCE(ktx->stage->lead_ns)) : lead;
}

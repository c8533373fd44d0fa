/* SPDX-License-Identifier: GPL-2.0 */
/* How the parts of sending call each other. All of it under ktx->lock, BH disabled, unless it says otherwise. */
#ifndef KTRXER_XMIT_H
#define KTRXER_XMIT_H

#include "ktx.h"

#include <linux/timex.h>

/* completion.c */

/* Room for completions of frames that might be taken now. */
u32 ktx_completion_room(struct ktx *ktx);
/* A descriptor was taken, with an entry reserved for its completion; ktx_finish() is its end. */
void ktx_admit(struct ktx *ktx);
/* The end of a frame of which the skb is gone or will be freed by the caller. */
void ktx_finish(struct ktx *ktx, const struct ktx_account *account, enum ktx_status status, u64 stamp);
/* The same in two steps, for frames of the submission ring that were sent: a completion for each, then all of them. */
void ktx_post(struct ktx *ktx, const struct ktx_account *account, enum ktx_status status, u64 stamp);
void ktx_finish_posted(struct ktx *ktx, u32 count, u32 bytes);
/* Tells the user how many frames have no completion yet. */
static inline void ktx_show_scheduled(struct ktx *ktx)
{
	WRITE_ONCE(ktx->header->scheduled, ktx->waiting + (ktx->completion_producer - ktx->published));
}

/* Shows the user what was posted since the last time, and wakes who waits for it. */
void ktx_publish(struct ktx *ktx);

/* handed.c: frames that the driver took, until there is time to account for them. */

/* Frames, and holds of a queue's lock in which they were handed over, at most. */
#define KTX_MOST_HANDED 128U
#define KTX_MOST_HOLDS 16U
/* The last stretch before a launch before anything is known of it, and the longest wait for a burst's next frame. */
#define APPROACH_NS 5000

struct ktx_handed {
	struct ktx_account account;
	u64 at; /* ns; of a frame without a launch time the cycle counter, until it is accounted for */
	int result; /* of the driver */
};

/* One hold: two instants, with the cycle counter at them. */
struct ktx_hold {
	u64 first_ns;
	u64 first_mark;
	u64 last_ns;
	u64 last_mark;
	u32 count; /* of frames */
};

/* The first hold_count and handed_count of them. The launch time of a frame that is not among those is 0. */
struct ktx_handed_list {
	struct ktx_hold holds[KTX_MOST_HOLDS];
	struct ktx_handed frames[KTX_MOST_HANDED];
};

/* Whether the processor has a cycle counter that the kernel may read, where that is not certain. */
extern bool ktx_found_cycles;

/* Part of the architecture, so that the loop over a burst need not ask; User Mode Linux is x86_64 in name only. */
static inline bool ktx_has_cycles(void)
{
	return (IS_ENABLED(CONFIG_X86_64) && !IS_ENABLED(CONFIG_UML)) || IS_ENABLED(CONFIG_ARM64) || ktx_found_cycles;
}

/* Completes all of them. Before anybody else sees completions or statistics, or has a frame end. */
void ktx_post_handed(struct ktx *ktx);

/* launch.c: the driver's transmit function is next in line, since `now`, after a wait without locks. */
void ktx_learn_approach(struct ktx *ktx, u64 now);

/* launch.c: drops the lock. What came in meanwhile from rules is seen to before it is left alone. */
void ktx_leave(struct ktx *ktx) __releases(&ktx->lock);

/* stage.c: launches out of the timer's interrupt. */

/* A launch is staged no longer ahead: what is reckoned for it, of rate and spinning, holds for that. */
#define KTX_STAGE_AHEAD_NS (20 * NSEC_PER_MSEC)

/* Whether there are launches that are staged, or left and are not accounted for. */
bool ktx_has_staged(const struct ktx *ktx);
/* The first launch that is staged; U64_MAX: none is. */
u64 ktx_stage_next(const struct ktx *ktx);
/* Launches that are nearer than that, ns, cannot be staged; 0: none can. */
u32 ktx_stage_nearest(const struct ktx *ktx);
/* Whether the first launch that waits is of a kind that can. */
bool ktx_can_stage(const struct ktx *ktx);
/*
 * Stages the next launches, after those that are. Returns how much before the first of them the timer is to be set,
 * which then is nobody else's until ktx_unstage(); or 0: they are the tasklet's, and none may stay staged.
 */
u32 ktx_stage(struct ktx *ktx, u64 now);
/*
 * Stops the timer, if launches are staged: those that left are accounted for, those until then wait as before. Others
 * stay for ktx_stage(). How often the timer woke for them, and how late it was then, ns, or U64_MAX. False: there were
 * none.
 */
bool ktx_unstage(struct ktx *ktx, u64 until, u32 *wakes, u64 *late_ns);
/* The same for those that were left when the timer was stopped, without it. There is a stage. */
void ktx_take_back(struct ktx *ktx, u64 until);
/* In the timer's interrupt. Sends the launch that it is for. */
enum hrtimer_restart ktx_stage_fire(struct ktx *ktx);

/* waiting.c */

void ktx_waiting_init(struct ktx *ktx);
void ktx_insert_timed(struct ktx *ktx, struct sk_buff *skb);
static inline struct sk_buff *ktx_of_node(struct rb_node *node)
{
	return rb_entry(node, struct sk_buff, rbnode);
}

/* The frame that leaves next, if it may leave before `horizon`. Launch times go before the frames for now. */
static inline struct sk_buff *ktx_peek(const struct ktx *ktx, u64 horizon)
{
	if (ktx->next_launch <= horizon)
		return ktx_of_node(ktx->first_timed);
	return skb_peek(&ktx->due);
}

void ktx_take_timed(struct ktx *ktx, struct sk_buff *skb);
/* Makes a frame that waits one that does not. */
static inline void ktx_take(struct ktx *ktx, struct sk_buff *skb)
{
	if (ktx_frame(skb)->account.launch)
		ktx_take_timed(ktx, skb);
	else
		__skb_unlink(skb, &ktx->due);
}

/* A frame that was taken waits again, where it was. */
void ktx_put_back(struct ktx *ktx, struct sk_buff *skb);
/* Completes a frame that waits, and frees it. */
void ktx_end(struct ktx *ktx, struct sk_buff *skb, enum ktx_status status, u64 now);
/*
 * Completes all that waits, or with a cookie the frames of the submission ring that have it. Returns how many frames of
 * the submission ring.
 */
int ktx_end_all(struct ktx *ktx, const u64 *cookie, enum ktx_status status);

/* spin.c: how much all files together may spin on this processor. BH disabled. */

/* A timer's callback begins: until when it may spin and send. */
u64 ktx_spin_begin(const struct ktx *ktx, u64 now);
/* It ends. */
void ktx_spin_end(const struct ktx *ktx, u64 now);
/* Is there something left to spin? */
bool ktx_spin_allowed(u64 now);
/* So many ns were spun. */
void ktx_spin_charge(u64 spun);
/* The same in interrupts. */
bool ktx_spin_interrupt_allowed(u64 now);
void ktx_spin_interrupt_charge(u64 spun);
/* Adds to what is saved, ns, what `now` adds to it since *at. */
void ktx_spin_reckon(s64 *saved, u64 *at, u64 now);

/* xmit.c */

/*
 * Waits for an instant that is near, and returns the time. That is before the instant only where the clock does not
 * move while code runs: clocks that tick like jiffies, and emulators that let time pass when nothing is to be done.
 * Any context.
 */
u64 ktx_approach(u64 instant);
/*
 * Sends what is due, as far as ceilings and the device allow. Returns when there is something to do again, or U64_MAX.
 * *turn is left true when it stopped only for softirqs to run: others have had to wait long enough, or the device was
 * full after a part of the burst and has yet to be heard. Under RCU: an interface that was seen running is not stopped
 * before we are through with it.
 */
u64 ktx_send_due(struct ktx *ktx, bool *turn);

#endif

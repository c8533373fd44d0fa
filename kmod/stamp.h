/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hardware timestamps of frames that were sent. Drivers report them to the socket that an skb belongs to, some time
 * after they took it; completions wait for that in the ring, written but not published, so that their order stays.
 */
#ifndef KTRXER_STAMP_H
#define KTRXER_STAMP_H

#include <linux/hrtimer.h>
#include <linux/skbuff.h>
#include <linux/types.h>

struct ktx;
struct ktx_stamp_socket;
struct net_device;

/* A completion in the ring that waits for its stamp. */
struct ktx_stamp_wait {
	u64 until; /* CLOCK_MONOTONIC, ns */
	u32 entry; /* of the completion ring, running */
	u16 flags; /* KTX_COMPLETION_… */
	bool over; /* it has the stamp, or never will */
};

/* Of one file. A stamp is known by its key: the number of the frame among those that asked for one. */
struct ktx_stamps {
	bool known; /* whether the device stamps was asked; submit */
	bool able; /* and it does */
	struct ktx_stamp_socket *socket; /* NULL before the first frame that asks; submit */
	struct ktx_stamp_wait *waits; /* as many as completion entries; the key is the index */
	/* ktx->lock */
	u32 given; /* the key of the next frame that the driver gets */
	u32 noted; /* of the next completion in the ring */
	u32 oldest; /* of the first that waits; `noted` if none does */
	struct hrtimer timer;
};

void ktx_stamp_init(struct ktx *ktx);
/*
 * Can the device stamp, or one on which it is built? Asked once, with the first frame that wants to be stamped. May
 * sleep; ktx->submit held.
 */
bool ktx_stamp_able(struct ktx *ktx, struct net_device *dev);
/* Has the frame ask for a stamp. 0 or -ENOMEM. May sleep; ktx->submit held. */
int ktx_stamp_ask(struct ktx *ktx, struct sk_buff *skb);
/* Drivers' reports are not looked at any more. May sleep. */
void ktx_stamp_close(struct ktx *ktx);
/* After that: gives back the memory. */
void ktx_stamp_destroy(struct ktx *ktx);

/* All that follows: ktx->lock held. */

/* The next entry of the completion ring is of a frame that has a key; it was sent then, or, `sent` being 0, was not. */
void ktx_stamp_note(struct ktx *ktx, u16 flags, u64 sent);
/* How far the completion ring may be published, where some wait. */
u32 ktx_stamp_limit(struct ktx *ktx);
/* Nothing is waited for any more. */
void ktx_stamp_settle(struct ktx *ktx);

static inline bool ktx_stamp_waits(const struct ktx_stamps *stamps)
{
	return stamps->oldest != stamps->noted;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* One open /dev/ktx: who owns what, and how its parts call each other. */
#ifndef KTRXER_KTX_H
#define KTRXER_KTX_H

#include "ring.h"
#include "stamp.h"
#include "uapi/ktrxer_uapi.h"

#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rbtree.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>

struct ktrxer_net;

/*
 * How many frames a device still reads from the frame area. Lives on after the file while there are any, which is why
 * it is apart; writes the count into the header as long as there is one.
 */
struct ktx_references {
	struct kref ref;
	spinlock_t lock; /* any context */
	struct ktx_header *header; /* NULL once the file is released */
	u32 count;
};

struct ktx_handed_list;
struct ktx_stage;
struct ktx_kept;

struct ktx {
	struct kref ref; /* the file's, and one for each rule that reacts through it */
	struct list_head in_net; /* ktrxer_config */
	struct ktrxer_net *kn; /* ktrxer_config; NULL once the namespace is gone */

	/* Set by KTX_IOC_BIND, then constant until release. */
	bool bound; /* release/acquire */
	struct ktrxer_map map;
	struct ktx_header *header;
	struct ktx_descriptor *descriptors;
	struct ktx_completion *completions;
	u8 *frames;
	u32 submission_mask;
	u32 completion_mask;
	u32 frame_bytes;
	u32 queue;
	u32 attempts;
	u32 retry_ns;
	u32 spin_ns;
	u32 link_header;
	u32 longest_frame;
	struct ktx_references *references;
	struct ktx_handed_list *handed; /* `lock` */

	struct mutex submit; /* one submitter at a time */
	u32 submission_consumer; /* submit */
	struct ktx_kept *kept; /* submit */

	spinlock_t lock; /* BH; all that follows */
	struct net_device *dev; /* NULL: gone; a reference is held */
	bool closed; /* the file is being released: nothing is sent any more */
	struct sk_buff_head due; /* for now, in order */
	struct rb_root timed; /* by launch time, then order of submission */
	struct rb_node *first_timed;
	u64 next_launch; /* of first_timed; U64_MAX without one */
	u32 waiting; /* taken and not completed: completion entries that are spoken for */
	u32 reactions_waiting;
	u32 reserved; /* completion entries for descriptors that are being taken */
	u32 completion_producer;
	u32 completion_consumer;
	u32 published; /* of completion_producer, to the user */
	u64 order; /* of the next timed frame */
	u64 retry_at; /* no attempt before; 0: none is put off */
	u32 handed_count; /* taken by the driver and not accounted for yet: still `waiting`, or `reactions_waiting` */
	u32 hold_count; /* in which they were handed over */
	bool sending; /* the driver has the processor */
	bool stuck; /* the last frame used up its attempts: the next have one each until one leaves */
	struct hrtimer timer;
	struct tasklet_struct tasklet; /* follows the timer's interrupt */
	struct ktx_stage *stage; /* constant once bound, within stage.c's; NULL: nothing leaves from interrupts */
	u64 timer_at; /* what the timer was set to */
	u64 aim; /* the launch or retry that it was set for */
	bool timer_tells; /* that was not in the past */
	u32 lead_ns; /* how much before a launch the timer is set, at most */
	u32 usual_ns; /* how late it is as a rule */
	u32 approach_ns; /* the last stretch before a launch, under the queue's lock */
	u64 ready_from; /* the way there begins, after a wait without locks; 0: there was none */
	struct ktx_statistics statistics;

	struct ktx_stamps stamps;
	struct ktrxer_wake wake;

	/* Frames of rules, for whoever holds `lock` next. */
	struct sk_buff_head reactions;
};

/* Reactions of one file that wait at a time. */
#define KTX_MOST_REACTIONS 1024U

/* What the completion of a frame says of it. */
struct ktx_account {
	u64 launch; /* 0: now */
	u64 cookie;
	u32 length;
	union {
		struct {
			u16 attempts;
			u16 flags; /* KTX_COMPLETION_…, KTX_ACCOUNT_STAMP */
		};
		u32 attempts_flags; /* to copy */
	};
};

/* The frame asks for a hardware timestamp. Not in the completion. */
#define KTX_ACCOUNT_STAMP BIT(15)

/* What is known of a frame while its skb waits; in skb->cb, which drivers may overwrite once they have it. */
struct ktx_frame {
	struct ktx_account account;
	u64 order; /* of submission */
	u16 flags; /* KTX_FRAME_… */
};

/* Whether there are interfaces below this one now. */
static inline bool ktx_has_lower(const struct net_device *dev)
{
	return netif_is_failover(dev) || !list_empty(&dev->adj_list.lower);
}

/* Interfaces on top of others, or of a kind that is made by rtnetlink: what they do with an skb is up to those. */
static inline bool ktx_is_stacked(const struct net_device *dev)
{
	return dev->rtnl_link_ops || ktx_has_lower(dev) || dev_get_iflink(dev) != dev->ifindex;
}

static inline struct ktx_frame *ktx_frame(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct ktx_frame) > sizeof(skb->cb));
	return (struct ktx_frame *)skb->cb;
}

/* ktx.c */
int ktx_register(void);
void ktx_unregister(void);
/*
 * The sender behind a descriptor of the caller's, with a reference: ERR_PTR(-EBADF) if it is no bound /dev/ktx file of
 * that namespace. The caller holds ktrxer_config.
 */
struct ktx *ktx_get(int fd, const struct ktrxer_net *kn);
void ktx_put(struct ktx *ktx);
/* The interface is being removed from the namespace. The caller holds ktrxer_config. */
void ktx_leave_device(struct ktrxer_net *kn, const struct net_device *dev);

static inline bool ktx_is_bound(const struct ktx *ktx)
{
	/* Pairs with the release in attach(): what is set there is in place. */
	return smp_load_acquire(&ktx->bound);
}

/* submit.c: KTX_IOC_SUBMIT, of at most so many descriptors, 0: all. How many were taken, or its errors. May sleep. */
long ktx_submit(struct ktx *ktx, u32 most);

/* prepare.c: frames into skbs. */

/* The longest frame on any link, bytes. */
#define KTX_LONGEST 65535U
/* Bytes of link header at the start of a frame of this interface. */
u32 ktx_link_header(const struct net_device *dev);
/* Bytes, link header included. */
u32 ktx_longest_frame(const struct net_device *dev);

/*
 * Judges a descriptor and makes its skb. 0 and *skb, or the status with which it completes. May sleep; `submit` held.
 */
enum ktx_status ktx_prepare(struct ktx *ktx, struct net_device *dev, const struct ktx_descriptor *descriptor,
			    struct sk_buff **skb);
/*
 * An empty skb for a frame of `length` bytes on this sender's interface, for a rule's frame: put the bytes with
 * skb_put(), all of them, then ktx_react() or ktx_reaction_free(). NULL without memory, below memory_ceiling as well,
 * or without interface. Any context but hard interrupts; under RCU or with the sender referenced.
 */
struct sk_buff *ktx_reaction_alloc(struct ktx *ktx, unsigned int length);
/* The end of a reaction that is not accounted for otherwise. */
void ktx_reaction_free(struct sk_buff *skb);
/* Gives a filled reaction its headers and queue. BH disabled. */
void ktx_reaction_address(struct ktx *ktx, struct net_device *dev, struct sk_buff *skb);
/*
 * A copy of so many bytes of the frame area, judged as a frame of this sender: to kfree(), or ERR_PTR(-EMSGSIZE,
 * -EFAULT, -ENOMEM). May sleep.
 */
void *ktx_copy_frame(struct ktx *ktx, u32 offset, u32 length);
struct ktx_references *ktx_references_new(struct ktx_header *header);
void ktx_references_end(struct ktx_references *references);

/* kept.c: memory of frames that leave at once. `submit` held. */

/* When it is bound. 0 or -ENOMEM. */
int ktx_kept_init(struct ktx *ktx, const struct net_device *dev);
/* Nobody submits any more. Skbs that the driver still has are freed by it. */
void ktx_kept_end(struct ktx *ktx);
/*
 * An skb with so many bytes in one piece before and behind skb->data. NULL: no memory at hand, or too much is asked
 * for. May sleep. It may come back into use when nobody but the file has it any more: it must have no pages, no owner,
 * and none that it is to report to.
 */
struct sk_buff *ktx_kept_skb(struct ktx *ktx, const struct net_device *dev, unsigned int headroom, unsigned int room);
/* The same for one that is used once. */
struct sk_buff *ktx_part_skb(struct ktx *ktx, unsigned int headroom, unsigned int room);

/* launch.c, xmit.c: skbs onto the wire. */

/* When the module is loaded: what the processor has. May sleep. */
void ktx_xmit_measure(void);
void ktx_xmit_init(struct ktx *ktx);
/* How long may be spun before a launch: before the first one; or 0, under `lock`. */
void ktx_xmit_spin(struct ktx *ktx, u32 spin_ns);
/* Sends what is due and sees to the rest. `prepared`: frames taken from the ring, in order; emptied. */
void ktx_xmit(struct ktx *ktx, struct sk_buff_head *prepared);
/* Completes a frame that never got an skb. */
void ktx_refuse(struct ktx *ktx, const struct ktx_descriptor *descriptor, enum ktx_status status);
/* Cancels waiting frames: the submitted ones with *cookie, or all. Returns how many, reactions not counted. */
int ktx_xmit_cancel(struct ktx *ktx, const u64 *cookie, enum ktx_status status);
/* The interface is going away: completes everything and gives up the reference. */
void ktx_xmit_gone(struct ktx *ktx);
/* Before the first frame: whether launches may leave from the timer's interrupt. 0 or -ENOMEM. May sleep. */
int ktx_stage_init(struct ktx *ktx, const struct net_device *dev);
/* How much before launches the timer is set, at most. */
u32 ktx_lead(const struct ktx *ktx);
/* No completion will be read any more: frees everything. The timer is not running afterwards. */
void ktx_xmit_close(struct ktx *ktx);
/*
 * Sends an skb of ktx_reaction_alloc() at `launch`, or at once if that is 0; consumes it. Any context but hard
 * interrupts, that of a packet arriving in the middle of a transmission included.
 */
void ktx_react(struct ktx *ktx, struct sk_buff *skb, u64 launch, u64 cookie);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Every difference between the kernel versions that this module is built for, and nothing else. */
#ifndef KTRXER_COMPAT_H
#define KTRXER_COMPAT_H

#include <linux/compat.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/timex.h>
#include <linux/version.h>

/* Calls of 32-bit programs on 64-bit kernels: the layout is the same. compat_ptr_ioctl() came with 5.5 only. */
#ifdef CONFIG_COMPAT
static inline long compat_pointer_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	return file->f_op->unlocked_ioctl(file, command, (unsigned long)compat_ptr(argument));
}
#else
#define compat_pointer_ioctl NULL
#endif

/* Flags of a mapping that is being made. */
static inline void compat_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

static inline void compat_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

/* The processor's cycle counter, where it is known to have one. */
static inline cycles_t compat_cycles(void)
{
#ifdef CONFIG_ARM
	/* There get_cycles() is this, and a look whether there is one. */
	cycles_t cycles;

	read_current_timer(&cycles);
	return cycles;
#else
	return get_cycles();
#endif
}

/* A timer on CLOCK_MONOTONIC. */
static inline void compat_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
					enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = function;
#endif
}

/* Defines the function `name` of a tasklet that is a member of a structure: calls done() with that. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 9, 0)
#define COMPAT_TASKLET(name, type, member, done) \
	static void name(struct tasklet_struct *tasklet)      \
	{                                                     \
		done(container_of(tasklet, type, member));    \
	}
static inline void compat_tasklet_setup(struct tasklet_struct *tasklet, void (*function)(struct tasklet_struct *))
{
	tasklet_setup(tasklet, function);
}
#else
#define COMPAT_TASKLET(name, type, member, done) \
	static void name(unsigned long tasklet)                                         \
	{                                                                               \
		done(container_of((struct tasklet_struct *)tasklet, type, member));     \
	}
static inline void compat_tasklet_setup(struct tasklet_struct *tasklet, void (*function)(unsigned long))
{
	tasklet_init(tasklet, function, (unsigned long)tasklet);
}
#endif

/* What the choice of a queue remembers in an skb: as if it was never chosen. */
static inline void compat_forget_queue(struct sk_buff *skb)
{
	skb_set_queue_mapping(skb, 0);
	skb_clear_hash(skb);
#ifdef CONFIG_XPS
	skb->sender_cpu = 0;
#endif
}

/*
 * An skb around a part of a page, for who may sleep: out of those that drivers have just given back on this processor,
 * where the kernel keeps them.
 */
static inline struct sk_buff *compat_build_skb(void *part, unsigned int size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 13, 0)
	struct sk_buff *skb;

	local_bh_disable();
	skb = napi_build_skb(part, size);
	local_bh_enable();
	return skb;
#else
	return build_skb(part, size);
#endif
}

/*
 * Pages of somebody else's in an skb: `done` is called once when nobody reads them any more. The stack copies them
 * where they would outlive the sending (skb_orphan_frags_rx) or be in two places (skb_clone).
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define COMPAT_SHARED_CALLBACK(name, done)                                                        \
	static void name##_complete(struct sk_buff *skb, struct ubuf_info *shared, bool zerocopy) \
	{                                                                                         \
		if (refcount_dec_and_test(&shared->refcnt))                                       \
			done(shared);                                                             \
	}                                                                                         \
	static const struct ubuf_info_ops name = { .complete = name##_complete }
#define COMPAT_SHARED_SET(shared, name) ((shared)->ops = &(name))
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
#define COMPAT_SHARED_CALLBACK(name, done)                                             \
	static void name(struct sk_buff *skb, struct ubuf_info *shared, bool zerocopy) \
	{                                                                              \
		if (refcount_dec_and_test(&shared->refcnt))                            \
			done(shared);                                                  \
	}
#define COMPAT_SHARED_SET(shared, name) ((shared)->callback = (name))
#else
#define COMPAT_SHARED_CALLBACK(name, done)                        \
	static void name(struct ubuf_info *shared, bool zerocopy) \
	{                                                         \
		if (refcount_dec_and_test(&shared->refcnt))       \
			done(shared);                             \
	}
#define COMPAT_SHARED_SET(shared, name) ((shared)->callback = (name))
#endif

static inline void compat_skb_share(struct sk_buff *skb, struct ubuf_info *shared)
{
	skb_shinfo(skb)->destructor_arg = shared;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
	shared->flags = SKBFL_ZEROCOPY_FRAG;
	skb_shinfo(skb)->flags |= SKBFL_ZEROCOPY_FRAG;
#else
	skb_shinfo(skb)->tx_flags |= SKBTX_DEV_ZEROCOPY | SKBTX_SHARED_FRAG;
#endif
}

/* The transmit queue that the device itself chooses for a frame. */
static inline u16 compat_pick_queue(struct net_device *dev, struct sk_buff *skb)
{
	const struct net_device_ops *ops = dev->netdev_ops;
	u16 queue;

	if (dev->real_num_tx_queues == 1)
		return 0;
	/* As where the stack calls it: drivers look at per-processor data. */
	rcu_read_lock_bh();
#ifdef CONFIG_XPS
	/* The stack's caller sets it; before 5.13 it is an index that nobody checks, and 0 is not one. */
	if (!skb->sender_cpu)
		skb->sender_cpu = raw_smp_processor_id() + 1;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 2, 0)
	queue = ops->ndo_select_queue ? ops->ndo_select_queue(dev, skb, NULL) : netdev_pick_tx(dev, skb, NULL);
#else
	queue = skb_tx_hash(dev, skb);
#endif
	rcu_read_unlock_bh();
	return queue < dev->real_num_tx_queues ? queue : 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that a file maps, and who is woken when something is in it. What is mapped is hostile: whoever reads an
 * index here gets one that was judged against the kernel's own.
 */
#ifndef KTRXER_RING_H
#define KTRXER_RING_H

#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/types.h>
#include <linux/wait.h>

struct eventfd_ctx;

/* Zeroed pages for user and kernel, whose addresses do not alias in the cache. */
struct ktrxer_map {
	void *base;
	size_t bytes; /* whole pages */
};

/* 0, -ENOBUFS (memory_ceiling) or -ENOMEM. May sleep. */
int ktrxer_map_alloc(struct ktrxer_map *map, size_t bytes);
/* After the last mapping is gone: in release, or when nothing was mapped yet. */
void ktrxer_map_free(struct ktrxer_map *map);
/* The file operation: the whole of it or a part, shared. 0, -ENOTCONN before there is any, or -EINVAL. */
int ktrxer_map_mmap(const struct ktrxer_map *map, struct vm_area_struct *vma);

/* A ring size that a caller asks for: a power of two from 2 to `most`. 0, -EINVAL or -E2BIG. */
int ktrxer_ring_check(u32 entries, u32 most);

/*
 * What the user has consumed, given what was known before and what the kernel has produced. An index that the user
 * set back, or ahead of the producer, counts for nothing.
 */
u32 ktrxer_ring_consumed(const u32 *shared, u32 known, u32 producer);

/* Who waits for a ring to have something. */
struct ktrxer_wake {
	wait_queue_head_t queue;
	struct eventfd_ctx __rcu *eventfd;
	u32 threshold; /* entries that are worth a wake-up */
};

void ktrxer_wake_init(struct ktrxer_wake *wake);
/* The file operation KTRXER_IOC_EVENTFD: the argument, a descriptor or -1. 0, -EBADF or -EINVAL. May sleep. */
int ktrxer_wake_eventfd(struct ktrxer_wake *wake, unsigned long fd);
void ktrxer_wake_destroy(struct ktrxer_wake *wake);
/* Tells waiters that `filled` entries are there. Any context but hard interrupts; serialised by the caller. */
void ktrxer_wake_up(struct ktrxer_wake *wake, u32 filled);
/* Tells waiters that something ended for good. */
void ktrxer_wake_error(struct ktrxer_wake *wake);

#endif

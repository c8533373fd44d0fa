// SPDX-License-Identifier: GPL-2.0
/* Mapped memory, indices read from it, and wake-ups. */
#include "ring.h"

#include "compat/compat.h"
#include "parameters.h"

#include <linux/err.h>
#include <linux/log2.h>
#include <linux/vmalloc.h>

int ktrxer_map_alloc(struct ktrxer_map *map, size_t bytes)
{
	int result;

	bytes = PAGE_ALIGN(bytes);
	result = ktrxer_memory_charge(bytes);
	if (result)
		return result;
	map->base = vmalloc_user(bytes);
	if (!map->base) {
		ktrxer_memory_uncharge(bytes);
		return -ENOMEM;
	}
	map->bytes = bytes;
	return 0;
}

void ktrxer_map_free(struct ktrxer_map *map)
{
	if (!map->base)
		return;
	vfree(map->base);
	ktrxer_memory_uncharge(map->bytes);
	map->base = NULL;
	map->bytes = 0;
}

int ktrxer_map_mmap(const struct ktrxer_map *map, struct vm_area_struct *vma)
{
	/* Set once and never changed while the file is open. */
	void *base = smp_load_acquire(&map->base);

	if (!base)
		return -ENOTCONN;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	compat_vm_flags_clear(vma, VM_MAYEXEC);
	return remap_vmalloc_range(vma, base, vma->vm_pgoff);
}

int ktrxer_ring_check(u32 entries, u32 most)
{
	if (entries < 2 || !is_power_of_2(entries))
		return -EINVAL;
	return entries > most ? -E2BIG : 0;
}

u32 ktrxer_ring_consumed(const u32 *shared, u32 known, u32 producer)
{
	/* Pairs with the user's release: what it read from the entries, it read before we write them again. */
	u32 consumed = smp_load_acquire(shared);

	return consumed - known <= producer - known ? consumed : known;
}

void ktrxer_wake_init(struct ktrxer_wake *wake)
{
	init_waitqueue_head(&wake->queue);
	RCU_INIT_POINTER(wake->eventfd, NULL);
	wake->threshold = 1;
}

int ktrxer_wake_eventfd(struct ktrxer_wake *wake, unsigned long fd)
{
	struct eventfd_ctx *fresh = NULL;
	struct eventfd_ctx *old;

	/* -1 of 32-bit callers comes without the upper half. */
	if (fd <= INT_MAX) {
		fresh = eventfd_ctx_fdget(fd);
		if (IS_ERR(fresh))
			return PTR_ERR(fresh);
	} else if (fd != -1UL && fd != U32_MAX) {
		return -EBADF;
	}
	/* No lock: whoever calls this at the same time gets the other's to put. */
	old = xchg((__force struct eventfd_ctx **)&wake->eventfd, fresh);
	if (old) {
		synchronize_rcu();
		eventfd_ctx_put(old);
	}
	return 0;
}

void ktrxer_wake_destroy(struct ktrxer_wake *wake)
{
	ktrxer_wake_eventfd(wake, -1UL);
}

static void signal_eventfd(struct ktrxer_wake *wake)
{
	struct eventfd_ctx *eventfd;

	rcu_read_lock();
	eventfd = rcu_dereference(wake->eventfd);
	if (eventfd)
		compat_eventfd_signal(eventfd);
	rcu_read_unlock();
}

void ktrxer_wake_up(struct ktrxer_wake *wake, u32 filled)
{
	if (filled < READ_ONCE(wake->threshold))
		return;
	if (wq_has_sleeper(&wake->queue))
		wake_up_interruptible_poll(&wake->queue, EPOLLIN | EPOLLRDNORM);
	/*
	 * The consumer index moves without our knowing, so "begins to report" is taken generously: one signal for each
	 * batch of entries. An eventfd adds them up.
	 */
	if (rcu_access_pointer(wake->eventfd))
		signal_eventfd(wake);
}

void ktrxer_wake_error(struct ktrxer_wake *wake)
{
	wake_up_interruptible_poll(&wake->queue, EPOLLERR | EPOLLHUP);
	signal_eventfd(wake);
}

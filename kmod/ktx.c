// SPDX-License-Identifier: GPL-2.0
/* /dev/ktx: opening, binding to an interface, the ioctls, and what happens when the interface goes away. */
#include "ktx.h"

#include "compat/compat.h"
#include "information.h"
#include "netns.h"
#include "parameters.h"
#include "xmit.h"

#include <linux/file.h>
#include <linux/if_arp.h>
#include <linux/mm.h>
#include <linux/miscdevice.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define DEFAULT_ATTEMPTS 16
#define DEFAULT_RETRY_NS 20000

static const struct file_operations ktx_operations;

static void ktx_free(struct kref *ref)
{
	struct ktx *ktx = container_of(ref, struct ktx, ref);

	/* A rule's frame may still be on its way here after the file is closed. */
	kfree(ktx->stage);
	kfree(ktx);
}

void ktx_put(struct ktx *ktx)
{
	kref_put(&ktx->ref, ktx_free);
}

struct ktx *ktx_get(int fd, const struct ktrxer_net *kn)
{
	struct file *file = fget(fd);
	struct ktx *ktx = ERR_PTR(-EBADF);

	lockdep_assert_held(&ktrxer_config);
	if (!file)
		return ktx;
	if (file->f_op == &ktx_operations) {
		struct ktx *candidate = file->private_data;

		if (candidate->kn == kn && ktx_is_bound(candidate)) {
			ktx = candidate;
			kref_get(&ktx->ref);
		}
	}
	fput(file);
	return ktx;
}

static int ktx_open(struct inode *inode, struct file *file)
{
	struct ktrxer_net *kn;
	struct ktx *ktx = kzalloc(sizeof(*ktx), GFP_KERNEL_ACCOUNT);

	if (!ktx)
		return -ENOMEM;
	kref_init(&ktx->ref);
	mutex_init(&ktx->submit);
	ktrxer_wake_init(&ktx->wake);
	ktx_xmit_init(ktx);
	INIT_LIST_HEAD(&ktx->in_net);

	mutex_lock(&ktrxer_config);
	kn = ktrxer_net_of_opener();
	if (!IS_ERR(kn)) {
		ktx->kn = kn;
		list_add(&ktx->in_net, &kn->senders);
	}
	mutex_unlock(&ktrxer_config);
	if (IS_ERR(kn)) {
		kfree(ktx);
		return PTR_ERR(kn);
	}
	file->private_data = ktx;
	return nonseekable_open(inode, file);
}

/* Gives back the memory of a file that is not bound, or not any more. */
static void detach_device(struct ktx *ktx)
{
	if (ktx->references)
		ktx_references_end(ktx->references);
	ktx->references = NULL;
	ktx_stamp_destroy(ktx);
	ktx_kept_end(ktx);
	kvfree(ktx->handed);
	ktx->handed = NULL;
	ktrxer_map_free(&ktx->map);
}

static int ktx_release(struct inode *inode, struct file *file)
{
	struct ktx *ktx = file->private_data;

	/* While it has its interface, whoever removes that finds the file, and waits for those who look at either. */
	ktx_xmit_close(ktx);
	mutex_lock(&ktrxer_config);
	list_del_init(&ktx->in_net);
	ktx->kn = NULL;
	mutex_unlock(&ktrxer_config);
	ktrxer_wake_destroy(&ktx->wake);
	/* Rules may still hold on to ktx: they find it closed. */
	detach_device(ktx);
	ktx_put(ktx);
	return 0;
}

/* ---- binding ---- */

static int check_bind(struct ktx_bind *bind)
{
	int result;

	if (bind->flags || bind->reserved[0] || bind->reserved[1] || bind->reserved[2])
		return -EINVAL;
	result = ktrxer_ring_check(bind->submission_entries, KTRXER_MOST_ENTRIES);
	if (!result)
		result = ktrxer_ring_check(bind->completion_entries, KTRXER_MOST_ENTRIES);
	if (result)
		return result;
	if (bind->completion_entries < bind->submission_entries || !bind->frame_bytes || bind->attempts > 255 ||
	    bind->retry_ns > NSEC_PER_SEC)
		return -EINVAL;
	if (bind->frame_bytes > KTRXER_MOST_FRAME_BYTES)
		return -E2BIG;
	return 0;
}

/* Where the parts of the map lie: each on cache lines of its own, the frames on pages. */
static void lay_out(struct ktx_bind *bind)
{
	bind->header_offset = 0;
	bind->submission_offset = ALIGN(sizeof(struct ktx_header), SMP_CACHE_BYTES);
	bind->completion_offset =
		ALIGN(bind->submission_offset + bind->submission_entries * sizeof(struct ktx_descriptor), 64);
	bind->frame_offset =
		PAGE_ALIGN(bind->completion_offset + bind->completion_entries * sizeof(struct ktx_completion));
	bind->frame_bytes = PAGE_ALIGN(bind->frame_bytes);
	bind->map_bytes = (u64)bind->frame_offset + bind->frame_bytes;
}

static void describe_device(const struct net_device *dev, struct ktx_bind *bind)
{
	bind->link_type = dev->type;
	bind->link_header = ktx_link_header(dev);
	bind->mtu = dev->mtu;
	bind->longest_frame = ktx_longest_frame(dev);
	bind->queues = dev->real_num_tx_queues;
	bind->device_flags = (dev->features & NETIF_F_SG ? KTX_DEVICE_GATHERS : 0) |
			     (netif_running(dev) ? KTX_DEVICE_UP : 0) |
			     (netif_carrier_ok(dev) ? KTX_DEVICE_CARRIER : 0);
}

static int attach_device(struct ktx *ktx, struct net_device *dev, struct ktx_bind *bind)
{
	u32 ceiling = READ_ONCE(ktrxer_spin_ceiling_ns);
	int result;

	if (dev->reg_state != NETREG_REGISTERED)
		return -ENODEV;
	if (dev->type == ARPHRD_LOOPBACK || !dev->netdev_ops->ndo_start_xmit)
		return -EOPNOTSUPP;
	if (bind->queue != KTX_QUEUE_ANY && bind->queue >= dev->real_num_tx_queues)
		return -EOPNOTSUPP;
	lay_out(bind);
	result = ktrxer_map_alloc(&ktx->map, bind->map_bytes);
	if (result)
		return result;
	ktx->header = ktx->map.base + bind->header_offset;
	ktx->references = ktx_references_new(ktx->header);
	ktx->handed = kvzalloc(sizeof(*ktx->handed), GFP_KERNEL);
	if (!ktx->references || !ktx->handed || ktx_kept_init(ktx, dev) || ktx_stage_init(ktx, dev)) {
		detach_device(ktx);
		return -ENOMEM;
	}
	describe_device(dev, bind);
	ktx->descriptors = ktx->map.base + bind->submission_offset;
	ktx->completions = ktx->map.base + bind->completion_offset;
	ktx->frames = ktx->map.base + bind->frame_offset;
	ktx->submission_mask = bind->submission_entries - 1;
	ktx->completion_mask = bind->completion_entries - 1;
	ktx->frame_bytes = bind->frame_bytes;
	ktx->queue = bind->queue;
	ktx->attempts = bind->attempts ?: DEFAULT_ATTEMPTS;
	ktx->retry_ns = bind->retry_ns ?: DEFAULT_RETRY_NS;
	ktx_xmit_spin(ktx, bind->spin_ns ? min(bind->spin_ns, ceiling) : ceiling);
	ktx->link_header = bind->link_header;
	ktx->longest_frame = bind->longest_frame;
	spin_lock_bh(&ktx->lock);
	WRITE_ONCE(ktx->dev, dev);
	spin_unlock_bh(&ktx->lock);
	/* What reads `bound` finds the rest in place. */
	smp_store_release(&ktx->bound, true);
	return 0;
}

static long ktx_bind(struct ktx *ktx, struct ktx_bind __user *argument)
{
	struct net_device *dev;
	struct ktx_bind bind;
	int result;

	if (copy_from_user(&bind, argument, sizeof(bind)))
		return -EFAULT;
	result = check_bind(&bind);
	if (result)
		return result;
	/* Who cannot be told what came of it is refused before there is something to tell. */
	if (copy_to_user(argument, &bind, sizeof(bind)))
		return -EFAULT;
	mutex_lock(&ktrxer_config);
	if (ktx->bound) {
		result = -EBUSY;
	} else if (!ktx->kn) {
		result = -ENODEV;
	} else {
		dev = dev_get_by_index(ktx->kn->net, bind.interface_index);
		result = dev ? attach_device(ktx, dev, &bind) : -ENODEV;
		if (dev && result)
			dev_put(dev);
	}
	mutex_unlock(&ktrxer_config);
	if (result)
		return result;
	/* Bound it stays; who has taken the memory away meanwhile has to close the file. */
	return copy_to_user(argument, &bind, sizeof(bind)) ? -EFAULT : 0;
}

static long ktx_cancel(struct ktx *ktx, const u64 __user *argument)
{
	u64 cookie;

	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	if (!argument)
		return ktx_xmit_cancel(ktx, NULL, KTX_CANCELLED);
	if (copy_from_user(&cookie, argument, sizeof(cookie)))
		return -EFAULT;
	return ktx_xmit_cancel(ktx, &cookie, KTX_CANCELLED);
}

static long ktx_statistics(struct ktx *ktx, struct ktx_statistics __user *argument)
{
	struct ktx_statistics statistics;

	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	local_bh_disable();
	spin_lock(&ktx->lock);
	ktx_post_handed(ktx);
	statistics = ktx->statistics;
	statistics.lead_ns = ktx_lead(ktx);
	ktx_leave(ktx);
	local_bh_enable();
	/* Each descriptor that was taken is waiting or has ended. */
	return copy_to_user(argument, &statistics, sizeof(statistics)) ? -EFAULT : 0;
}

static long ktx_threshold(struct ktx *ktx, unsigned long threshold)
{
	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	if (!threshold || threshold > (unsigned long)ktx->completion_mask + 1)
		return -EINVAL;
	WRITE_ONCE(ktx->wake.threshold, threshold);
	return 0;
}

static long ktx_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct ktx *ktx = file->private_data;
	void __user *pointer = (void __user *)argument;

	switch (command) {
	case KTX_IOC_SUBMIT:
		return argument > U32_MAX ? -EINVAL : ktx_submit(ktx, argument);
	case KTX_IOC_BIND:
		return ktx_bind(ktx, pointer);
	case KTX_IOC_CANCEL:
		return ktx_cancel(ktx, pointer);
	case KTX_IOC_STATISTICS:
		return ktx_statistics(ktx, pointer);
	case KTX_IOC_THRESHOLD:
		return ktx_threshold(ktx, argument);
	case KTRXER_IOC_EVENTFD:
		return ktrxer_wake_eventfd(&ktx->wake, argument);
	case KTRXER_IOC_INFO:
		return ktrxer_information(pointer, ktx_lead(ktx));
	default:
		return -ENOTTY;
	}
}

static int ktx_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ktx *ktx = file->private_data;

	if (!ktx_is_bound(ktx))
		return -ENOTCONN;
	return ktrxer_map_mmap(&ktx->map, vma);
}

static __poll_t ktx_poll(struct file *file, poll_table *table)
{
	struct ktx *ktx = file->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;
	u32 filled;

	poll_wait(file, &ktx->wake.queue, table);
	/* Pairs with the publisher's look for sleepers; poll_wait() has it since 6.14 only. */
	smp_mb();
	if (!ktx_is_bound(ktx))
		return EPOLLERR;
	filled = READ_ONCE(ktx->published) - READ_ONCE(ktx->header->completion_consumer);
	if (filled && filled >= READ_ONCE(ktx->wake.threshold))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!READ_ONCE(ktx->dev))
		events |= EPOLLERR | EPOLLHUP;
	return events;
}

static const struct file_operations ktx_operations = {
	.owner = THIS_MODULE,
	.open = ktx_open,
	.release = ktx_release,
	.unlocked_ioctl = ktx_ioctl,
	.compat_ioctl = compat_pointer_ioctl,
	.mmap = ktx_mmap,
	.poll = ktx_poll,
};

static struct miscdevice ktx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ktx",
	.fops = &ktx_operations,
	.mode = 0600,
};

/* ---- what goes away ---- */

void ktx_leave_net(struct ktrxer_net *kn)
{
	struct ktx *ktx, *next;

	list_for_each_entry_safe(ktx, next, &kn->senders, in_net) {
		list_del_init(&ktx->in_net);
		ktx->kn = NULL;
		ktx_xmit_gone(ktx);
	}
}

void ktx_leave_device(struct ktrxer_net *kn, const struct net_device *dev)
{
	struct ktx *ktx;

	lockdep_assert_held(&ktrxer_config);
	list_for_each_entry(ktx, &kn->senders, in_net)
		if (READ_ONCE(ktx->dev) == dev)
			ktx_xmit_gone(ktx);
}

int ktx_register(void)
{
	ktx_xmit_measure();
	return misc_register(&ktx_device);
}

void ktx_unregister(void)
{
	misc_deregister(&ktx_device);
}

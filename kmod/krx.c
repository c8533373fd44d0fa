// SPDX-License-Identifier: GPL-2.0
/* /dev/krx: opening, setting up, mapping, waiting, closing. */
#include "krx.h"

#include "compat/compat.h"
#include "information.h"
#include "neighbour.h"
#include "netns.h"
#include "parameters.h"

#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>

#define LEAST_SLOT_BYTES 128U
#define MOST_SLOT_BYTES 65536U

struct workqueue_struct *krx_work;

static int krx_open(struct inode *inode, struct file *file)
{
	struct ktrxer_net *kn;
	struct krx *krx;

	krx = kzalloc(sizeof(*krx), GFP_KERNEL_ACCOUNT);
	if (!krx)
		return -ENOMEM;
	spin_lock_init(&krx->lock);
	ktrxer_wake_init(&krx->wake);
	krx_rules_init(&krx->rules);
	mutex_lock(&ktrxer_config);
	kn = ktrxer_net_of_opener();
	if (!IS_ERR(kn)) {
		krx->kn = kn;
		krx->admin = ns_capable(kn->net->user_ns, CAP_NET_ADMIN);
		list_add_tail(&krx->in_net, &kn->capturers);
	}
	mutex_unlock(&ktrxer_config);
	if (IS_ERR(kn)) {
		kfree(krx);
		return PTR_ERR(kn);
	}
	file->private_data = krx;
	return nonseekable_open(inode, file);
}

static int krx_release(struct inode *inode, struct file *file)
{
	struct krx *krx = file->private_data;

	if (krx->neighbours)
		rtnl_lock();
	mutex_lock(&ktrxer_config);
	if (krx->kn) {
		krx_rules_clear(krx);
		list_del(&krx->in_net);
	}
	mutex_unlock(&ktrxer_config);
	if (krx->neighbours)
		rtnl_unlock();
	/* Packets that are in the file's rules now leave them. */
	synchronize_net();
	ktrxer_wake_destroy(&krx->wake);
	ktrxer_map_free(&krx->map);
	kfree(krx);
	return 0;
}

/* The namespace goes away; its interfaces went before, so that no rule answers for addresses any more. */
void krx_leave_net(struct ktrxer_net *kn)
{
	struct krx *krx, *next;

	list_for_each_entry_safe(krx, next, &kn->capturers, in_net) {
		krx_rules_clear(krx);
		list_del_init(&krx->in_net);
		krx->kn = NULL;
		WRITE_ONCE(krx->gone, true);
		ktrxer_wake_error(&krx->wake);
	}
}

void krx_leave_device(struct ktrxer_net *kn, struct net_device *dev)
{
	struct krx_entry *entry;
	struct krx *krx;
	u32 id;

	krx_neighbour_leave_device(dev);
	list_for_each_entry(krx, &kn->capturers, in_net) {
		for (id = 0; (entry = krx_rules_after(&krx->rules, id)); id = entry->id) {
			if (entry->interface == dev->ifindex)
				WRITE_ONCE(entry->interface, KRX_INTERFACE_GONE);
		}
	}
}

/* ---- calls ---- */

static int check_setup(const struct krx_setup *setup)
{
	if (setup->flags || memchr_inv(setup->reserved, 0, sizeof(setup->reserved)))
		return -EINVAL;
	if (setup->slot_bytes < LEAST_SLOT_BYTES || !is_power_of_2(setup->slot_bytes))
		return -EINVAL;
	if (setup->slot_bytes > MOST_SLOT_BYTES)
		return -E2BIG;
	return ktrxer_ring_check(setup->slots, KTRXER_MOST_ENTRIES);
}

/* Serialised by ktrxer_config. */
static int set_up_rings(struct krx *krx, struct krx_setup *setup)
{
	int result;

	if (krx->ready)
		return -EBUSY;
	if (!krx->kn)
		return -ENODEV;
	result = ktrxer_map_alloc(&krx->map, PAGE_SIZE + (size_t)setup->slots * setup->slot_bytes);
	if (result)
		return result;
	krx->header = krx->map.base;
	krx->ring = krx->map.base + PAGE_SIZE;
	krx->slots = setup->slots;
	krx->slot_bytes = setup->slot_bytes;
	/* Pairs with krx_is_ready(). */
	smp_store_release(&krx->ready, true);
	return 0;
}

static long krx_setup(struct krx *krx, struct krx_setup __user *argument)
{
	struct krx_setup setup;
	long result;

	if (copy_from_user(&setup, argument, sizeof(setup)))
		return -EFAULT;
	result = check_setup(&setup);
	if (result)
		return result;
	/* Who cannot be told what came of it is refused before there is something to tell. */
	if (copy_to_user(argument, &setup, sizeof(setup)))
		return -EFAULT;
	mutex_lock(&ktrxer_config);
	result = set_up_rings(krx, &setup);
	mutex_unlock(&ktrxer_config);
	if (result)
		return result;
	setup.header_offset = 0;
	setup.ring_offset = PAGE_SIZE;
	setup.map_bytes = krx->map.bytes;
	return copy_to_user(argument, &setup, sizeof(setup)) ? -EFAULT : 0;
}

static long krx_threshold(struct krx *krx, unsigned long threshold)
{
	if (!krx_is_ready(krx))
		return -ENOTCONN;
	if (!threshold || threshold > krx->slots)
		return -EINVAL;
	WRITE_ONCE(krx->wake.threshold, threshold);
	return 0;
}

static long krx_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct krx *krx = file->private_data;
	void __user *pointer = (void __user *)argument;

	switch (command) {
	case KRX_IOC_SETUP:
		return krx_setup(krx, pointer);
	case KRX_IOC_RULE_ADD:
		return krx_rule_add(krx, pointer, false);
	case KRX_IOC_RULE_REPLACE:
		return krx_rule_add(krx, pointer, true);
	case KRX_IOC_RULE_DELETE:
		return argument > U32_MAX ? -ENOENT : krx_rule_delete(krx, argument);
	case KRX_IOC_RULE_LIST:
		return krx_rule_list(krx, pointer);
	case KRX_IOC_RULE_FLUSH:
		return krx_rule_flush(krx);
	case KRX_IOC_STATISTICS:
		return krx_statistics(krx, pointer);
	case KRX_IOC_THRESHOLD:
		return krx_threshold(krx, argument);
	case KTRXER_IOC_EVENTFD:
		return ktrxer_wake_eventfd(&krx->wake, argument);
	case KTRXER_IOC_INFO:
		return ktrxer_information(pointer, 0);
	default:
		return -ENOTTY;
	}
}

static int krx_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct krx *krx = file->private_data;

	if (!krx_is_ready(krx))
		return -ENOTCONN;
	return ktrxer_map_mmap(&krx->map, vma);
}

static __poll_t krx_poll(struct file *file, poll_table *table)
{
	struct krx *krx = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &krx->wake.queue, table);
	if (!krx_is_ready(krx))
		return EPOLLERR;
	if (krx_unread(krx) >= READ_ONCE(krx->wake.threshold))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(krx->gone))
		events |= EPOLLERR | EPOLLHUP;
	return events;
}

static const struct file_operations krx_operations = {
	.owner = THIS_MODULE,
	.open = krx_open,
	.release = krx_release,
	.unlocked_ioctl = krx_ioctl,
	.compat_ioctl = compat_pointer_ioctl,
	.mmap = krx_mmap,
	.poll = krx_poll,
};

static struct miscdevice krx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "krx",
	.fops = &krx_operations,
	.mode = 0600,
};

int krx_register(void)
{
	int result;

	krx_work = alloc_workqueue("ktrxer", WQ_UNBOUND, 0);
	if (!krx_work)
		return -ENOMEM;
	result = krx_hooks_register();
	if (result)
		goto no_hooks;
	result = misc_register(&krx_device);
	if (result)
		goto no_device;
	return 0;

no_device:
	krx_hooks_unregister();
no_hooks:
	destroy_workqueue(krx_work);
	return result;
}

void krx_unregister(void)
{
	misc_deregister(&krx_device);
	krx_hooks_unregister();
	/* Entries that wait for RCU are queued by it, and freed before the queue is. */
	rcu_barrier();
	destroy_workqueue(krx_work);
}

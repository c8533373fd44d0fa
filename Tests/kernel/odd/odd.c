// SPDX-License-Identifier: GPL-2.0
/*
 * odd0: a network interface of the tests' that is as difficult as it is told to be. Its parameters, in
 * /sys/module/odd/parameters, say what it does with frames, and what it has seen.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/rtnetlink.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/checksum.h>

static unsigned int busy;
module_param(busy, uint, 0600);
MODULE_PARM_DESC(busy, "so many frames more are refused with NETDEV_TX_BUSY");

static unsigned int drop;
module_param(drop, uint, 0600);
MODULE_PARM_DESC(drop, "so many frames more are taken and thrown away with NET_XMIT_DROP");

static unsigned int room;
module_param(room, uint, 0600);
MODULE_PARM_DESC(room, "the queue stops after so many frames more, 0: never");

static unsigned int hold;
module_param(hold, uint, 0600);
MODULE_PARM_DESC(hold, "frames are kept until `release` is written; more than 1: as long as they are among the last so many");

static unsigned int stamp;
module_param(stamp, uint, 0600);
MODULE_PARM_DESC(stamp, "frames that ask for it are stamped 0: never, 1: while they are taken, 2: from a work item, 3: likewise, last first, 4: when `report` is written");

static bool unable;
module_param(unable, bool, 0600);
MODULE_PARM_DESC(unable, "the interface says that it does not stamp what it sends; it does what `stamp` says all the same");

static unsigned int stamp_delay;
module_param(stamp_delay, uint, 0600);
MODULE_PARM_DESC(stamp_delay, "ms that the work item waits before it stamps all that are there");

static unsigned long long clock = 1000000000000000000ULL;
module_param(clock, ullong, 0600);
MODULE_PARM_DESC(clock, "the device's clock in ns, which goes on by 1000 with each frame taken");

static bool gather = true;
module_param(gather, bool, 0400);
MODULE_PARM_DESC(gather, "the interface can gather pages");

static unsigned int asked, taken, shared, again, spoiled, uninvited, moved, interrupts, more, pages, last_length, last_queue;
module_param(asked, uint, 0400);
MODULE_PARM_DESC(asked, "frames that asked for a hardware timestamp");
module_param(taken, uint, 0400);
module_param(shared, uint, 0400);
MODULE_PARM_DESC(shared, "frames whose skb somebody else has, too");
module_param(again, uint, 0400);
MODULE_PARM_DESC(again, "frames whose skb was here before");
module_param(spoiled, uint, 0400);
MODULE_PARM_DESC(spoiled, "held frames that were changed before they were released");
module_param(uninvited, uint, 0400);
MODULE_PARM_DESC(uninvited, "frames that came while their queue was stopped");
module_param(moved, uint, 0400);
MODULE_PARM_DESC(moved, "frames that came by another queue than the one before");
module_param(interrupts, uint, 0400);
MODULE_PARM_DESC(interrupts, "frames that were taken in an interrupt");
module_param(more, uint, 0400);
MODULE_PARM_DESC(more, "frames that came with the promise of another");
module_param(pages, uint, 0400);
MODULE_PARM_DESC(pages, "frames that were not in one piece");
module_param(last_length, uint, 0400);
module_param(last_queue, uint, 0400);

/* Which new skbs have not. */
#define MARK 0x0DD

static struct net_device *odd;
static struct sk_buff_head held;
/* Frames to be stamped, with their stamps. */
static struct sk_buff_head unstamped;

static void report(struct sk_buff *skb)
{
	struct skb_shared_hwtstamps stamps = *skb_hwtstamps(skb);

	skb_tstamp_tx(skb, &stamps);
	consume_skb(skb);
}

static void report_all(struct work_struct *work)
{
	struct sk_buff *skb;

	if (stamp_delay)
		usleep_range(stamp_delay * 1000, stamp_delay * 1000 + 100);
	while ((skb = stamp == 3 ? skb_dequeue_tail(&unstamped) : skb_dequeue(&unstamped)))
		report(skb);
}

static DECLARE_WORK(reporting, report_all);

static void release_all_but(unsigned int left)
{
	while (skb_queue_len(&held) > left) {
		struct sk_buff *skb = skb_dequeue(&held);

		spoiled += *(__wsum *)skb->cb != csum_partial(skb->data, skb_headlen(skb), 0);
		dev_kfree_skb_any(skb);
	}
}

static int set_release(const char *value, const struct kernel_param *parameter)
{
	release_all_but(0);
	return 0;
}

static const struct kernel_param_ops release_operations = { .set = set_release };
module_param_cb(release, &release_operations, NULL, 0200);

static int set_report(const char *value, const struct kernel_param *parameter)
{
	report_all(NULL);
	return 0;
}

static const struct kernel_param_ops report_operations = { .set = set_report };
module_param_cb(report, &report_operations, NULL, 0200);

/* Softirqs of this processor have to wait for so many ms; interrupts have not. */
static int set_engage(const char *value, const struct kernel_param *parameter)
{
	unsigned int time;
	int error = kstrtouint(value, 0, &time);

	if (error || time > 100)
		return error ?: -ERANGE;
	local_bh_disable();
	mdelay(time);
	local_bh_enable();
	return 0;
}

static const struct kernel_param_ops engage_operations = { .set = set_engage };
module_param_cb(engage, &engage_operations, NULL, 0200);

static int set_wake(const char *value, const struct kernel_param *parameter)
{
	netif_tx_wake_all_queues(odd);
	return 0;
}

static const struct kernel_param_ops wake_operations = { .set = set_wake };
module_param_cb(wake, &wake_operations, NULL, 0200);

static int set_carrier(const char *value, const struct kernel_param *parameter)
{
	if (*value == '0')
		netif_carrier_off(odd);
	else
		netif_carrier_on(odd);
	return 0;
}

static const struct kernel_param_ops carrier_operations = { .set = set_carrier };
module_param_cb(carrier, &carrier_operations, NULL, 0200);

/* "STAMP HEX": a frame arrives, with a hardware timestamp in ns (0: none). */
static int set_inject(const char *value, const struct kernel_param *parameter)
{
	unsigned long long arrived;
	struct sk_buff *skb;
	unsigned int i, length;
	char hex[512];

	if (sscanf(value, "%llu %511s", &arrived, hex) != 2)
		return -EINVAL;
	length = strlen(hex) / 2;
	skb = netdev_alloc_skb(odd, length);
	if (!skb)
		return -ENOMEM;
	for (i = 0; i < length; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1] };
		u8 byte;

		if (kstrtou8(pair, 16, &byte)) {
			kfree_skb(skb);
			return -EINVAL;
		}
		skb_put_u8(skb, byte);
	}
	skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(arrived);
	skb->protocol = eth_type_trans(skb, odd);
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
	return 0;
}

static const struct kernel_param_ops inject_operations = { .set = set_inject };
module_param_cb(inject, &inject_operations, NULL, 0200);

static int set_queues(const char *value, const struct kernel_param *parameter)
{
	unsigned int queues;
	int result = kstrtouint(value, 0, &queues);

	if (result)
		return result;
	rtnl_lock();
	result = netif_set_real_num_tx_queues(odd, queues);
	rtnl_unlock();
	return result;
}

static const struct kernel_param_ops queues_operations = { .set = set_queues };
module_param_cb(queues, &queues_operations, NULL, 0200);

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *dev)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, skb_get_queue_mapping(skb));

	uninvited += netif_tx_queue_stopped(queue);
	if (busy) {
		busy--;
		return NETDEV_TX_BUSY;
	}
	if (room && !--room)
		netif_tx_stop_queue(queue);
	taken++;
	shared += skb_shared(skb);
	again += skb->mark == MARK;
	skb->mark = MARK;
	interrupts += !!in_hardirq();
	more += netdev_xmit_more();
	pages += skb_is_nonlinear(skb);
	last_length = skb->len;
	moved += last_queue != skb_get_queue_mapping(skb);
	last_queue = skb_get_queue_mapping(skb);
	if (drop) {
		drop--;
		dev_kfree_skb_any(skb);
		return NET_XMIT_DROP;
	}
	clock += 1000;
	if (skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP) {
		asked++;
		skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
		skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(clock);
		if (stamp > 1) {
			skb_queue_tail(&unstamped, skb);
			if (stamp != 4)
				schedule_work(&reporting);
			return NETDEV_TX_OK;
		}
		if (stamp) {
			report(skb);
			return NETDEV_TX_OK;
		}
	}
	if (hold) {
		*(__wsum *)skb->cb = csum_partial(skb->data, skb_headlen(skb), 0);
		skb_queue_tail(&held, skb);
		if (hold > 1)
			release_all_but(hold);
	} else {
		dev_consume_skb_any(skb);
	}
	return NETDEV_TX_OK;
}

static int start(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
	return 0;
}

static int stop(struct net_device *dev)
{
	netif_tx_stop_all_queues(dev);
	skb_queue_purge(&held);
	skb_queue_purge(&unstamped);
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static int describe_stamps(struct net_device *dev, struct kernel_ethtool_ts_info *info)
#else
static int describe_stamps(struct net_device *dev, struct ethtool_ts_info *info)
#endif
{
	info->so_timestamping = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
	if (!unable)
		info->so_timestamping |= SOF_TIMESTAMPING_TX_HARDWARE;
	return 0;
}

static const struct ethtool_ops ethtool_operations = { .get_ts_info = describe_stamps };

static const struct net_device_ops operations = {
	.ndo_open = start,
	.ndo_stop = stop,
	.ndo_start_xmit = transmit,
};

/* It has a driver by name, as hardware has. */
static struct platform_driver driver = { .driver.name = "odd" };
static struct platform_device *parent;

static int __init odd_init(void)
{
	int result;

	skb_queue_head_init(&held);
	skb_queue_head_init(&unstamped);
	odd = alloc_netdev_mqs(0, "odd0", NET_NAME_USER, ether_setup, 4, 1);
	if (!odd)
		return -ENOMEM;
	eth_hw_addr_random(odd);
	odd->netdev_ops = &operations;
	odd->ethtool_ops = &ethtool_operations;
	if (gather)
		odd->features |= NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM;
	result = platform_driver_register(&driver);
	if (result)
		goto free;
	parent = platform_device_register_simple("odd", PLATFORM_DEVID_NONE, NULL, 0);
	result = PTR_ERR_OR_ZERO(parent);
	if (result)
		goto unregister;
	SET_NETDEV_DEV(odd, &parent->dev);
	result = register_netdev(odd);
	if (!result)
		return 0;
	platform_device_unregister(parent);
unregister:
	platform_driver_unregister(&driver);
free:
	free_netdev(odd);
	return result;
}

static void __exit odd_exit(void)
{
	unregister_netdev(odd);
	cancel_work_sync(&reporting);
	skb_queue_purge(&held);
	free_netdev(odd);
	platform_device_unregister(parent);
	platform_driver_unregister(&driver);
}

module_init(odd_init);
module_exit(odd_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A difficult network interface, for tests");

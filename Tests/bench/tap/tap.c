// SPDX-License-Identifier: GPL-2.0
/*
 * Says when frames enter a network card's driver, whoever sends them: while it is loaded, the device's transmit function is
 * this module's, which looks at the clock and goes on to the driver's. A train is all UDP frames to one port. Of each train
 * the first frame is stamped and the one that makes it `frames`, so that those between cost a few instructions; with `every`,
 * all of them, up to so many in all. /proc/tap has it:
 *
 *	PORT COUNT FIRST LAST		a line for each train; ns of CLOCK_MONOTONIC
 *	PORT NS				a line for each frame, with `every`
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>

static char *device = "eth0";
module_param(device, charp, 0);
static unsigned int first_port = 2000;
module_param(first_port, uint, 0);
static unsigned int trains = 4096;
module_param(trains, uint, 0);
MODULE_PARM_DESC(trains, "ports, from first_port on");
static unsigned int frames = 100;
module_param(frames, uint, 0600);
static unsigned int every;
module_param(every, uint, 0);

struct train {
	u32 quiet; /* frames to come that are not stamped */
	u32 count; /* of those that were not quiet, and all before them */
	u64 first;
	u64 last;
};

struct stamp {
	u32 port;
	u64 ns;
};

static struct train *seen;
static struct stamp *stamps;
static unsigned int stamped;
static struct net_device *dev;
static const struct net_device_ops *driver;
static struct net_device_ops ours;
static netdev_tx_t (*driver_xmit)(struct sk_buff *skb, struct net_device *to);

/* Where the destination port is in the frames that are looked for. They are told by their bytes: AF_XDP says no protocol. */
#define PORT_AT (ETH_HLEN + sizeof(struct iphdr) + offsetof(struct udphdr, dest))

/* Mapped rings leave all but the Ethernet header in pages. */
static noinline unsigned int port_in_pages(const struct sk_buff *skb)
{
	__be16 copy = 0;
	const __be16 *port = skb_header_pointer(skb, PORT_AT, sizeof(copy), &copy);

	return port ? ntohs(*port) : 0;
}

static noinline netdev_tx_t xmit_stamped(struct sk_buff *skb, struct net_device *to, struct train *train)
{
	u64 now = ktime_get_ns();
	netdev_tx_t result = driver_xmit(skb, to);

	if (result != NETDEV_TX_OK)
		return result;
	if (stamped < every)
		stamps[stamped++] = (struct stamp){ first_port + (train - seen), now };
	if (!train->count) {
		train->first = now;
		if (!every && frames > 2)
			train->quiet = frames - 2;
		train->count = train->quiet;
	}
	train->count++;
	if (train->count == frames)
		train->last = now;
	return result;
}

static netdev_tx_t start_xmit(struct sk_buff *skb, struct net_device *to)
{
	const u8 *bytes = skb->data;
	unsigned int port = skb_headlen(skb) > PORT_AT + 1 ? bytes[PORT_AT] << 8 | bytes[PORT_AT + 1] : port_in_pages(skb);
	struct train *train = &seen[port - first_port];
	netdev_tx_t result;

	if (port - first_port >= trains || ((const struct ethhdr *)bytes)->h_proto != htons(ETH_P_IP))
		return driver_xmit(skb, to);
	if (!train->quiet)
		return xmit_stamped(skb, to, train);
	/* The frame is not ours any more after that. */
	result = driver_xmit(skb, to);
	if (result == NETDEV_TX_OK)
		train->quiet--;
	return result;
}

static int show(struct seq_file *file, void *unused)
{
	unsigned int i;

	for (i = 0; every && i < stamped; i++)
		seq_printf(file, "%u %llu\n", stamps[i].port, stamps[i].ns);
	for (i = 0; !every && i < trains; i++)
		if (seen[i].count)
			seq_printf(file, "%u %u %llu %llu\n", first_port + i, seen[i].count - seen[i].quiet, seen[i].first, seen[i].last);
	return 0;
}

static int __init tap_init(void)
{
	dev = dev_get_by_name(&init_net, device);
	if (!dev)
		return -ENODEV;
	seen = vzalloc(array_size(trains, sizeof(*seen)));
	stamps = vzalloc(array_size(max(every, 1U), sizeof(*stamps)));
	if (!seen || !stamps || !proc_create_single("tap", 0400, NULL, show)) {
		vfree(seen);
		vfree(stamps);
		dev_put(dev);
		return -ENOMEM;
	}
	rtnl_lock();
	driver = dev->netdev_ops;
	driver_xmit = driver->ndo_start_xmit;
	ours = *driver;
	ours.ndo_start_xmit = start_xmit;
	dev->netdev_ops = &ours;
	rtnl_unlock();
	return 0;
}

static void __exit tap_exit(void)
{
	rtnl_lock();
	dev->netdev_ops = driver;
	rtnl_unlock();
	/* Who sends does so with softirqs off, and under RCU therefore. */
	synchronize_net();
	remove_proc_entry("tap", NULL);
	dev_put(dev);
	vfree(seen);
	vfree(stamps);
}

module_init(tap_init);
module_exit(tap_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("When frames enter a driver");

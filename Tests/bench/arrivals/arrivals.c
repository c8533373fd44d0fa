// SPDX-License-Identifier: GPL-2.0
/*
 * Has UDP frames arrive as if a network card had received them: each is a buffer of its own that goes into the stack where
 * drivers put theirs. What receiving and capturing cost can so be measured without what sending costs.
 */
#include "arrivals.h"

#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/uaccess.h>
#include <linux/udp.h>

#define PORT_OFFSET (ETH_HLEN + sizeof(struct iphdr) + offsetof(struct udphdr, dest))
/* What a driver takes at once before others have a turn. */
#define BUDGET 64
/* From a port to the next, so that few frames are spread over all of them; a prime. */
#define STEP 7919

static struct {
	int interface;
	unsigned int first, ports, next, length;
	unsigned char frame[2048];
} arriving;

static int arrive(struct net_device *dev)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(dev, arriving.length);
	__be16 port;

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, arriving.frame, arriving.length);
	if (arriving.ports) {
		port = htons(arriving.first + arriving.next);
		memcpy(skb->data + PORT_OFFSET, &port, sizeof(port));
		arriving.next = (arriving.next + STEP) % arriving.ports;
	}
	skb->protocol = eth_type_trans(skb, dev);
	netif_receive_skb(skb);
	return 0;
}

static int come(unsigned int count)
{
	struct net_device *dev = dev_get_by_index(current->nsproxy->net_ns, arriving.interface);
	int result = 0;

	if (!dev)
		return -ENODEV;
	while (count && !result) {
		unsigned int n = min_t(unsigned int, count, BUDGET);

		count -= n;
		local_bh_disable();
		while (n-- && !result)
			result = arrive(dev);
		local_bh_enable();
		cond_resched();
	}
	dev_put(dev);
	return result;
}

static long arrivals_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case ARRIVALS_INTERFACE:
		arriving.interface = argument;
		return 0;
	case ARRIVALS_PORTS:
		arriving.first = argument >> 16;
		arriving.ports = argument & 0xFFFF;
		arriving.next = 0;
		return 0;
	case ARRIVALS_COME:
		return come(argument);
	}
	return -ENOTTY;
}

static ssize_t arrivals_write(struct file *file, const char __user *bytes, size_t length, loff_t *at)
{
	if (length < PORT_OFFSET + sizeof(__be16) || length > sizeof(arriving.frame))
		return -EINVAL;
	if (copy_from_user(arriving.frame, bytes, length))
		return -EFAULT;
	arriving.length = length;
	return length;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.write = arrivals_write,
	.unlocked_ioctl = arrivals_ioctl,
};

static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "arrivals", .fops = &operations };

module_misc_device(device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Frames that arrive without a network");

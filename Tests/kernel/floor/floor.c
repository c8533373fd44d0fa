// SPDX-License-Identifier: GPL-2.0
/*
 * The floor under every way to send: prepared frames straight into the driver's transmit function, under one hold of
 * the queue's lock, each announcing the next. Does so when it is loaded, and says how long it took in its parameter
 * `duration`. Nothing is checked, retried or reported; but where the driver stops its queue, because its ring is full, it waits:
 * on one of 16 entries nobody sends a train otherwise.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/udp.h>
#include <net/ip.h>

static char *device = "eth0";
module_param(device, charp, 0);
static unsigned int count = 100;
module_param(count, uint, 0);
static unsigned int length = 100;
module_param(length, uint, 0);
static ushort port = 9;
module_param(port, ushort, 0);
static bool paged;
module_param(paged, bool, 0);
MODULE_PARM_DESC(paged, "what follows 128 bytes lies in a page, as in long frames of ours that are not copied");
static unsigned int duration;
module_param(duration, uint, 0400);
MODULE_PARM_DESC(duration, "from the first to the last call of the driver, ns");

static struct sk_buff *frame(struct net_device *dev)
{
	unsigned int linear = paged ? 128 : length;
	struct sk_buff *skb = alloc_skb(LL_RESERVED_SPACE(dev) + linear, GFP_KERNEL);
	struct ethhdr *ethernet;
	struct iphdr *ip;
	struct udphdr *udp;

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	ethernet = skb_put_zero(skb, linear);
	/* Nobody's: who receives it must not cost what is measured here. */
	ether_addr_copy(ethernet->h_dest, (const u8[ETH_ALEN]){ 2, 0, 0, 0, 0, 0x99 });
	ether_addr_copy(ethernet->h_source, dev->dev_addr);
	ethernet->h_proto = htons(ETH_P_IP);
	ip = (struct iphdr *)(ethernet + 1);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->tot_len = htons(length - ETH_HLEN);
	ip->protocol = IPPROTO_UDP;
	ip->daddr = htonl(0x0A090002);
	ip_send_check(ip);
	udp = (struct udphdr *)(ip + 1);
	udp->dest = htons(port);
	udp->len = htons(length - ETH_HLEN - sizeof(*ip));
	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	if (paged) {
		skb_fill_page_desc(skb, 0, alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL), 0, length - linear);
		skb->len += length - linear;
		skb->data_len += length - linear;
		skb->truesize += PAGE_SIZE;
	}
	return skb;
}

static int __init floor_init(void)
{
	struct net_device *dev = dev_get_by_name(&init_net, device);
	struct sk_buff_head frames;
	struct netdev_queue *queue;
	struct sk_buff *skb;
	unsigned int i;
	u64 begin;

	if (!dev)
		return -ENODEV;
	__skb_queue_head_init(&frames);
	for (i = 0; i < count; i++) {
		skb = frame(dev);
		if (skb)
			__skb_queue_tail(&frames, skb);
	}
	queue = netdev_get_tx_queue(dev, 0);
	local_bh_disable();
	HARD_TX_LOCK(dev, queue, smp_processor_id());
	begin = ktime_get_ns();
	while ((skb = __skb_dequeue(&frames))) {
		while (netif_xmit_frozen_or_drv_stopped(queue)) {
			HARD_TX_UNLOCK(dev, queue);
			local_bh_enable();
			/* They may have been left to a thread, which gets its turn here only. */
			cond_resched();
			local_bh_disable();
			HARD_TX_LOCK(dev, queue, smp_processor_id());
		}
		if (skb_queue_empty(&frames))
			duration = ktime_get_ns() - begin;
		if (netdev_start_xmit(skb, dev, queue, !skb_queue_empty(&frames)) != NETDEV_TX_OK)
			pr_warn("floor: refused\n");
	}
	HARD_TX_UNLOCK(dev, queue);
	local_bh_enable();
	dev_put(dev);
	return 0;
}

static void __exit floor_exit(void)
{
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("The bare driver call, for comparison");

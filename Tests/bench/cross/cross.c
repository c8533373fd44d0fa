// SPDX-License-Identifier: GPL-2.0
/*
 * Cross traffic that reaches a router from outside: UDP packets of uniform length, some 10,000 a second. They are sent by an
 * emulated e1000 that is cabled to the router's LAN port; it is taken away from its driver, since nothing of what it costs to
 * send them should be paid by the processor that has to forward them. The frames lie ready in the card's ring, and a packet
 * is one write to a register, in the interrupt of a timer; the card raises no interrupts.
 *
 * Gaps are uniform from nothing to twice their mean: equal ones would keep step with what is measured. They come from a
 * seed, and are the same each time.
 */
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/inet.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/net_namespace.h>

/* The card's registers and what is written to them (Intel's 8254x manual). */
#define TCTL 0x0400
#define TCTL_ENABLE 0x2
#define TCTL_PAD 0x8
#define TDBAL 0x3800
#define TDBAH 0x3804
#define TDLEN 0x3808
#define TDH 0x3810
#define TDT 0x3818
#define COMMAND_END_OF_PACKET 0x01
#define COMMAND_CHECKSUM 0x02

/* 82540EM, what qemu calls e1000. */
#define E1000 0x100E

#define RING 256
#define ROOM 1536
#define MOST_PPS 1000000

struct descriptor {
	__le64 address;
	__le16 length;
	u8 checksum_offset;
	u8 command;
	u8 status;
	u8 checksum_start;
	__le16 special;
};

static char *device = "eth2";
module_param(device, charp, 0400);
MODULE_PARM_DESC(device, "the interface of the e1000 that is taken");
static char *to = "02:00:00:00:00:02";
module_param(to, charp, 0400);
MODULE_PARM_DESC(to, "MAC address of the router's port");
static char *source = "10.8.0.2";
module_param(source, charp, 0400);
static char *destination = "10.9.0.3";
module_param(destination, charp, 0400);
static unsigned int shortest = 100;
module_param(shortest, uint, 0400);
MODULE_PARM_DESC(shortest, "of the IP packets, bytes");
static unsigned int longest = 1400;
module_param(longest, uint, 0400);
static unsigned int sent;
module_param(sent, uint, 0400);

static struct pci_dev *card;
static void __iomem *registers;
static struct descriptor *ring;
static dma_addr_t ring_address;
static u8 *frames;
static dma_addr_t frames_address;
static unsigned int tail;
static unsigned int pps;
static u32 seed = 1;
static struct hrtimer timer;

/* xorshift */
static u32 random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static u64 gap(void)
{
	return mul_u64_u32_shr(random_number(), 2 * (NSEC_PER_SEC / pps), 32);
}

static enum hrtimer_restart send(struct hrtimer *timer)
{
	ktime_t now = hrtimer_cb_get_time(timer);

	do {
		tail = (tail + 1) % RING;
		sent++;
		hrtimer_set_expires(timer, ktime_add_ns(hrtimer_get_expires(timer), gap()));
	} while (ktime_before(hrtimer_get_expires(timer), now));
	writel(tail, registers + TDT);
	return HRTIMER_RESTART;
}

static int set_pps(const char *value, const struct kernel_param *parameter)
{
	unsigned int wanted;
	int result = kstrtouint(value, 0, &wanted);

	if (result)
		return result;
	if (wanted > MOST_PPS)
		return -EINVAL;
	/* As the module's own option, before there is a card. */
	if (!registers)
		return -EAGAIN;
	hrtimer_cancel(&timer);
	pps = wanted;
	if (pps) {
		seed = 1;
		hrtimer_start(&timer, ns_to_ktime(gap()), HRTIMER_MODE_REL_HARD);
	}
	return 0;
}

static const struct kernel_param_ops pps_operations = {
	.set = set_pps,
	.get = param_get_uint,
};
module_param_cb(pps, &pps_operations, &pps, 0600);
MODULE_PARM_DESC(pps, "packets a second from now on, or 0");

static int build(struct descriptor *descriptor, u8 *frame, dma_addr_t address)
{
	unsigned int length = shortest + random_number() % (longest - shortest + 1);
	struct ethhdr *ethernet = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(ethernet + 1);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	if (!mac_pton(to, ethernet->h_dest))
		return -EINVAL;
	ethernet->h_source[0] = 2;
	ethernet->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->tot_len = htons(length);
	ip->protocol = IPPROTO_UDP;
	ip->saddr = in_aton(source);
	ip->daddr = in_aton(destination);
	ip_send_check(ip);
	udp->source = htons(7);
	udp->dest = htons(7);
	udp->len = htons(length - sizeof(*ip));
	descriptor->address = cpu_to_le64(address);
	descriptor->length = cpu_to_le16(sizeof(*ethernet) + length);
	descriptor->command = COMMAND_END_OF_PACKET | COMMAND_CHECKSUM;
	return 0;
}

static int prepare(void)
{
	unsigned int i;
	int result;

	result = pci_enable_device(card);
	if (result)
		return result;
	pci_set_master(card);
	registers = pci_iomap(card, 0, 0);
	ring = dma_alloc_coherent(&card->dev, RING * sizeof(*ring), &ring_address, GFP_KERNEL);
	frames = dma_alloc_coherent(&card->dev, RING * ROOM, &frames_address, GFP_KERNEL);
	if (!registers || !ring || !frames)
		return -ENOMEM;
	for (i = 0; !result && i < RING; i++)
		result = build(&ring[i], frames + i * ROOM, frames_address + i * ROOM);
	writel(0, registers + TCTL);
	writel(lower_32_bits(ring_address), registers + TDBAL);
	writel(upper_32_bits(ring_address), registers + TDBAH);
	writel(RING * sizeof(*ring), registers + TDLEN);
	writel(0, registers + TDH);
	writel(0, registers + TDT);
	writel(TCTL_ENABLE | TCTL_PAD, registers + TCTL);
	return result;
}

static void leave(void)
{
	if (registers) {
		writel(0, registers + TCTL);
		pci_iounmap(card, registers);
	}
	if (frames)
		dma_free_coherent(&card->dev, RING * ROOM, frames, frames_address);
	if (ring)
		dma_free_coherent(&card->dev, RING * sizeof(*ring), ring, ring_address);
	pci_disable_device(card);
	pci_dev_put(card);
}

static int __init cross_init(void)
{
	struct net_device *dev;
	int result;

	if (shortest < sizeof(struct iphdr) + sizeof(struct udphdr) || longest < shortest || longest > ROOM - ETH_HLEN)
		return -EINVAL;
	dev = dev_get_by_name(&init_net, device);
	if (!dev)
		return -ENODEV;
	card = dev->dev.parent && dev_is_pci(dev->dev.parent) ? pci_dev_get(to_pci_dev(dev->dev.parent)) : NULL;
	dev_put(dev);
	if (!card)
		return -ENODEV;
	if (card->vendor != PCI_VENDOR_ID_INTEL || card->device != E1000) {
		pci_dev_put(card);
		return -ENODEV;
	}
	device_release_driver(&card->dev);
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer.function = send;
	result = prepare();
	if (result)
		leave();
	return result;
}

static void __exit cross_exit(void)
{
	hrtimer_cancel(&timer);
	leave();
}

module_init(cross_init);
module_exit(cross_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Cross traffic from an emulated e1000 without its driver");

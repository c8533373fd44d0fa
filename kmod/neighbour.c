// SPDX-License-Identifier: GPL-2.0
/*
 * Answers ARP requests and neighbour solicitations for the addresses that rules name. ARP is listened to as any
 * protocol is, so that it works without netfilter for ARP; solicitations come through the IPv6 hook. Addresses that are
 * the device's own are left to it.
 */
#include "neighbour.h"

#include "compat/compat.h"
#include "krx.h"
#include "netns.h"

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip6_checksum.h>
#include <net/ndisc.h>
#include <net/route.h>

struct krx_neighbour {
	struct list_head in_all; /* ktrxer_config; read under RCU */
	struct net_device *dev; /* a reference is held while it is not gone */
	bool gone; /* ktrxer_config */
	u8 family;
	u8 prefix;
	u8 address[16];
	struct rcu_head rcu;
};

/* Of all namespaces: an interface is in one. */
static LIST_HEAD(neighbours);
static unsigned int arp_users; /* ktrxer_config */

/* ---- which addresses ---- */

static bool covers(const struct krx_neighbour *neighbour, const void *address)
{
	unsigned int bytes = neighbour->prefix / 8;
	unsigned int bits = neighbour->prefix % 8;
	const u8 *asked = address;

	if (memcmp(asked, neighbour->address, bytes))
		return false;
	return !bits || !((asked[bytes] ^ neighbour->address[bytes]) >> (8 - bits));
}

/*
 * Is there a rule that answers for it on this interface? Who asks whether an address is still free, in order to take
 * it, is told that it is not only where a rule names just this address.
 */
static bool answers_for(const struct net_device *dev, u8 family, const void *address, bool probe)
{
	const struct krx_neighbour *neighbour;

	list_for_each_entry_rcu(neighbour, &neighbours, in_all) {
		if (neighbour->dev != dev || neighbour->family != family || !covers(neighbour, address))
			continue;
		if (!probe || neighbour->prefix == (family == 4 ? 32 : 128))
			return true;
	}
	return false;
}

#if IS_ENABLED(CONFIG_IPV6)
static bool has_address6(const struct net_device *dev, const struct in6_addr *address)
{
	struct inet6_dev *in6_dev = __in6_dev_get(dev);
	struct inet6_ifaddr *ifa;
	bool has = false;

	if (!in6_dev)
		return false;
	read_lock_bh(&in6_dev->lock);
	list_for_each_entry(ifa, &in6_dev->addr_list, if_list)
		has |= ipv6_addr_equal(&ifa->addr, address);
	read_unlock_bh(&in6_dev->lock);
	return has;
}
#endif

/* Does the device have it itself? On any interface, as it is for IPv4; a link-local address is one link's. */
static bool is_own6(struct net_device *dev, const struct in6_addr *address)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct net_device *each;

	if (ipv6_addr_type(address) & IPV6_ADDR_LINKLOCAL)
		return has_address6(dev, address);
	for_each_netdev_rcu(dev_net(dev), each) {
		if (has_address6(each, address))
			return true;
	}
#endif
	return false;
}

/* ---- ARP ---- */

static void answer_arp(const struct sk_buff *skb, struct net_device *dev)
{
	/* The addresses of an ARP packet for Ethernet and IPv4, RFC 826. */
	struct {
		struct arphdr header;
		u8 source_link[ETH_ALEN];
		u8 source[4];
		u8 target_link[ETH_ALEN];
		u8 target[4];
	} __packed arp;
	__be32 source, target;

	if (skb_copy_bits(skb, 0, &arp, sizeof(arp)))
		return;
	if (arp.header.ar_hrd != htons(ARPHRD_ETHER) && arp.header.ar_hrd != htons(ARPHRD_IEEE802))
		return;
	if (arp.header.ar_op != htons(ARPOP_REQUEST) || arp.header.ar_pro != htons(ETH_P_IP) ||
	    arp.header.ar_hln != ETH_ALEN || arp.header.ar_pln != 4)
		return;
	memcpy(&source, arp.source, sizeof(source));
	memcpy(&target, arp.target, sizeof(target));
	/* Who tells the network of its own address asks nothing. */
	if (source == target || !answers_for(dev, 4, &target, !source))
		return;
	if (inet_addr_type(dev_net(dev), target) != RTN_UNICAST)
		return;
	arp_send(ARPOP_REPLY, ETH_P_ARP, source, dev, target, arp.source_link, dev->dev_addr, arp.source_link);
}

static int receive_arp(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		       struct net_device *orig_dev)
{
	if (skb->pkt_type != PACKET_OTHERHOST && skb->pkt_type != PACKET_LOOPBACK && dev->type == ARPHRD_ETHER)
		answer_arp(skb, dev);
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

static struct packet_type arp_type = {
	.type = cpu_to_be16(ETH_P_ARP),
	.func = receive_arp,
};

/* ---- neighbour discovery, RFC 4861 ---- */

/*
 * Reads a solicitation's options: *link gets the link address that they give as its sender's, or else the frame's own.
 * *given: they do. False: an option that is no option, or no link address at all.
 */
static bool read_options(const struct sk_buff *skb, int offset, u8 *link, bool *given)
{
	u8 option[2 + ETH_ALEN];

	*given = false;
	while (!skb_copy_bits(skb, offset, option, 2)) {
		if (!option[1] || offset + option[1] * 8 > (int)skb->len)
			return false;
		if (option[0] == ND_OPT_SOURCE_LL_ADDR && option[1] == 1 && !*given) {
			if (skb_copy_bits(skb, offset, option, sizeof(option)))
				return false;
			memcpy(link, option + 2, ETH_ALEN);
			*given = true;
		}
		offset += option[1] * 8;
	}
	if (*given)
		return true;
	if (krx_link_length(skb) < ETH_HLEN)
		return false;
	memcpy(link, eth_hdr(skb)->h_source, ETH_ALEN);
	return true;
}

struct advertisement {
	struct ipv6hdr ip;
	struct icmp6hdr icmp;
	struct in6_addr target;
	u8 option[2];
	u8 link[ETH_ALEN];
} __packed;

static void advertise(struct net_device *dev, const struct in6_addr *target, const struct in6_addr *to, const u8 *link,
		      bool solicited)
{
	const unsigned int bytes = sizeof(struct advertisement) - sizeof(struct ipv6hdr);
	struct advertisement *reply;
	struct sk_buff *skb;

	skb = alloc_skb(LL_RESERVED_SPACE(dev) + sizeof(*reply) + dev->needed_tailroom, GFP_ATOMIC);
	if (!skb)
		return;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	skb_reset_network_header(skb);
	reply = skb_put_zero(skb, sizeof(*reply));
	reply->ip.version = 6;
	reply->ip.payload_len = htons(bytes);
	reply->ip.nexthdr = IPPROTO_ICMPV6;
	reply->ip.hop_limit = 255;
	reply->ip.saddr = *target;
	reply->ip.daddr = *to;
	reply->icmp.icmp6_type = NDISC_NEIGHBOUR_ADVERTISEMENT;
	reply->icmp.icmp6_solicited = solicited;
	reply->icmp.icmp6_override = 1;
	reply->target = *target;
	reply->option[0] = ND_OPT_TARGET_LL_ADDR;
	reply->option[1] = 1;
	memcpy(reply->link, dev->dev_addr, ETH_ALEN);
	reply->icmp.icmp6_cksum = csum_ipv6_magic(target, to, bytes, IPPROTO_ICMPV6,
						  csum_partial(&reply->icmp, bytes, 0));
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = dev;
	if (dev_hard_header(skb, dev, ETH_P_IPV6, link, dev->dev_addr, skb->len) < 0)
		kfree_skb(skb);
	else
		dev_queue_xmit(skb);
}

static bool checksum_good(const struct sk_buff *skb, const struct krx_packet *packet)
{
	const struct ipv6hdr *ip = ipv6_hdr(skb);
	unsigned int bytes = skb->len - packet->transport;

	if (skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	return !csum_ipv6_magic(&ip->saddr, &ip->daddr, bytes, IPPROTO_ICMPV6,
				skb_checksum(skb, packet->transport, bytes, 0));
}

void krx_neighbour_solicited(struct net *net, struct sk_buff *skb, const struct krx_packet *packet)
{
	const struct ipv6hdr *ip = ipv6_hdr(skb);
	struct net_device *dev = skb->dev;
	struct in6_addr everybody, source, target;
	u8 link[ETH_ALEN];
	bool probe, given;
	u32 word;

	if (list_empty(&neighbours) || packet->transport < 0 || packet->fragment || dev->type != ARPHRD_ETHER)
		return;
	/* What a solicitation has to be, section 7.1.1. Its code is 0. */
	word = packet->tuples[0].words[KRX_PORTS6];
	if (word != krx_icmp_word(NDISC_NEIGHBOUR_SOLICITATION, 0, 0) || ip->hop_limit != 255)
		return;
	if (skb_copy_bits(skb, packet->transport + sizeof(struct icmp6hdr), &target, sizeof(target)))
		return;
	source = ip->saddr;
	probe = ipv6_addr_any(&source);
	if (!answers_for(dev, 6, &target, probe) || is_own6(dev, &target) || ipv6_addr_is_multicast(&target) ||
	    !checksum_good(skb, packet))
		return;
	if (!read_options(skb, packet->transport + sizeof(struct icmp6hdr) + sizeof(target), link, &given))
		return;
	if (probe) {
		/* ff02::1 and its link address */
		static const u8 everybody_link[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };

		/* Who has no address yet has none to be answered at, and asks the group of the one it wants. */
		if (given || !ipv6_addr_is_solict_mult(&ip->daddr))
			return;
		ipv6_addr_set(&everybody, htonl(0xff020000), 0, 0, htonl(1));
		advertise(dev, &target, &everybody, everybody_link, false);
		return;
	}
	advertise(dev, &target, &source, link, true);
}

/* ---- coming and going ---- */

/* The device takes in the group in which it is asked for: of one address that is known, of many it takes all. */
static int listen(const struct krx_neighbour *neighbour, bool on)
{
	u8 group[ETH_ALEN] = { 0x33, 0x33, 0xff };

	if (neighbour->family == 4)
		return 0;
	if (neighbour->prefix < 128)
		return dev_set_allmulti(neighbour->dev, on ? 1 : -1);
	memcpy(group + 3, neighbour->address + 13, 3);
	return on ? dev_mc_add(neighbour->dev, group) : dev_mc_del(neighbour->dev, group);
}

struct krx_neighbour *krx_neighbour_add(struct net *net, const struct krx_rule *rule)
{
	struct krx_neighbour *neighbour;
	struct net_device *dev;
	int result;

	ASSERT_RTNL();
	dev = __dev_get_by_index(net, rule->interface_index);
	if (!dev)
		return ERR_PTR(-ENODEV);
	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN || dev->flags & (IFF_NOARP | IFF_LOOPBACK))
		return ERR_PTR(-EOPNOTSUPP);
	neighbour = kzalloc(sizeof(*neighbour), GFP_KERNEL_ACCOUNT);
	if (!neighbour)
		return ERR_PTR(-ENOMEM);
	neighbour->dev = dev;
	neighbour->family = rule->family;
	neighbour->prefix = rule->destination_prefix;
	memcpy(neighbour->address, rule->destination, sizeof(neighbour->address));
	result = listen(neighbour, true);
	if (result) {
		kfree(neighbour);
		return ERR_PTR(result);
	}
	dev_hold(dev);
	list_add_tail_rcu(&neighbour->in_all, &neighbours);
	if (neighbour->family == 4 && !arp_users++)
		dev_add_pack(&arp_type);
	return neighbour;
}

/* Stops answering; `neighbour` stays. */
static void end(struct krx_neighbour *neighbour)
{
	neighbour->gone = true;
	list_del_rcu(&neighbour->in_all);
	listen(neighbour, false);
	if (neighbour->family == 4 && !--arp_users)
		dev_remove_pack(&arp_type);
	dev_put(neighbour->dev);
}

void krx_neighbour_remove(struct krx_neighbour *neighbour)
{
	if (!neighbour)
		return;
	if (!neighbour->gone)
		end(neighbour);
	kfree_rcu(neighbour, rcu);
}

void krx_neighbour_leave_device(struct net_device *dev)
{
	struct krx_neighbour *neighbour, *next;

	list_for_each_entry_safe(neighbour, next, &neighbours, in_all) {
		if (neighbour->dev == dev)
			end(neighbour);
	}
}

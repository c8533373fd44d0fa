/* SPDX-License-Identifier: MIT */
/* Network interfaces, over rtnetlink: what kind of link each is, its MTU, flags and hardware address. */
#ifndef KTRXER_SYS_INTERFACE_H
#define KTRXER_SYS_INTERFACE_H

#include <stdint.h>

enum ktrxer_interface_flag {
	KTRXER_INTERFACE_UP = 1, /* the administrator wants it up */
	KTRXER_INTERFACE_RUNNING = 2, /* it has carrier and can carry packets */
	KTRXER_INTERFACE_LOOPBACK = 4,
	KTRXER_INTERFACE_POINT_TO_POINT = 8,
	KTRXER_INTERFACE_NO_ARP = 16, /* no neighbour discovery on it */
};

/* What a frame of the link looks like (ARPHRD_*). */
enum ktrxer_hardware {
	KTRXER_HARDWARE_OTHER = 0,
	KTRXER_HARDWARE_ETHERNET,
	KTRXER_HARDWARE_LOOPBACK,
	KTRXER_HARDWARE_PPP, /* PPP and PPPoE: the kernel adds the PPP header */
	KTRXER_HARDWARE_NONE, /* tun, WireGuard: bare IP packets */
	KTRXER_HARDWARE_RAW_IP, /* cellular modems: bare IP packets */
	KTRXER_HARDWARE_IP_TUNNEL, /* IP in IP, 6in4: bare IP packets, the kernel encapsulates */
	KTRXER_HARDWARE_GRE, /* GRE over IPv4 or IPv6: bare IP packets when it is point-to-point */
};

struct ktrxer_interface {
	int32_t index;
	uint32_t flags; /* enum ktrxer_interface_flag */
	uint32_t mtu; /* bytes of IP packet */
	int32_t parent; /* index of the interface that a VLAN or macvlan sits on; 0 none, or in another namespace */
	uint16_t vlan; /* VLAN id of a VLAN interface; 0 none */
	uint8_t hardware; /* enum ktrxer_hardware */
	uint8_t has_address; /* there is a 6-byte hardware address */
	uint8_t address[6];
	uint8_t reserved[2];
	char name[16]; /* NUL-terminated */
	/* As in `ip -d link`: vlan, bridge, veth, ppp, tun, wireguard …; empty: a physical device. NUL-terminated. */
	char kind[16];
};

/* By index. 0; -ENODEV: there is none; -ETIMEDOUT; other -errno of the netlink socket. */
int32_t ktrxer_interface_by_index(int32_t index, struct ktrxer_interface *out);
/* By NUL-terminated name. As above; -ENODEV too for text that is no interface name. */
int32_t ktrxer_interface_by_name(const char *name, struct ktrxer_interface *out);

/*
 * As ktrxer_route_parse, for the answer to a question for an interface. A message is taken as far as it can
 * be read, if that is as far as name and MTU.
 */
int32_t ktrxer_interface_parse(const void *datagram, uint32_t length, uint32_t sequence,
			       struct ktrxer_interface *out);

#endif

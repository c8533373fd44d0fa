/* SPDX-License-Identifier: MIT */
#include "sys_interface.h"

#include "netlink.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

/* The same on every processor. */
_Static_assert(sizeof(struct ktrxer_interface) == 60, "layout");

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
/* Qualcomm's modems in Android kernels, before ARPHRD_RAWIP came into the main line. */
#define ARPHRD_RMNET 530
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

/* Leaves the counters out of the answer; kernels before 4.4 send them all the same. */
#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

static uint8_t hardware(uint16_t type)
{
	switch (type) {
	case ARPHRD_ETHER:
		return KTRXER_HARDWARE_ETHERNET;
	case ARPHRD_LOOPBACK:
		return KTRXER_HARDWARE_LOOPBACK;
	case ARPHRD_PPP:
		return KTRXER_HARDWARE_PPP;
	case ARPHRD_NONE:
		return KTRXER_HARDWARE_NONE;
	case ARPHRD_RAWIP:
	case ARPHRD_RMNET:
		return KTRXER_HARDWARE_RAW_IP;
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return KTRXER_HARDWARE_IP_TUNNEL;
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return KTRXER_HARDWARE_GRE;
	default:
		return KTRXER_HARDWARE_OTHER;
	}
}

static uint32_t flags(uint32_t kernel)
{
	uint32_t ours = 0;

	if (kernel & IFF_UP)
		ours |= KTRXER_INTERFACE_UP;
	if (kernel & IFF_RUNNING)
		ours |= KTRXER_INTERFACE_RUNNING;
	if (kernel & IFF_LOOPBACK)
		ours |= KTRXER_INTERFACE_LOOPBACK;
	if (kernel & IFF_POINTOPOINT)
		ours |= KTRXER_INTERFACE_POINT_TO_POINT;
	if (kernel & IFF_NOARP)
		ours |= KTRXER_INTERFACE_NO_ARP;
	return ours;
}

/* Text that may or may not bring its NUL, cut to 15 bytes. */
static void copy_text(char out[16], const struct netlink_attribute *attribute)
{
	uint32_t length = attribute->length < 15 ? attribute->length : 15;

	memset(out, 0, 16);
	memcpy(out, attribute->value, length);
	/* Nothing after the first NUL counts. */
	memset(out + strlen(out), 0, 16 - strlen(out));
}

/* IFLA_INFO_DATA means something else for each kind, so it is kept until the kind is known. */
static int32_t read_link_kind(const struct netlink_attribute *info, struct ktrxer_interface *out)
{
	struct netlink_rest rest = { info->value, info->length };
	struct netlink_rest details = { info->value, 0 };
	struct netlink_attribute attribute;
	int32_t more;

	while ((more = netlink_next_attribute(&rest, &attribute)) == 1) {
		if (attribute.type == IFLA_INFO_KIND)
			copy_text(out->kind, &attribute);
		else if (attribute.type == IFLA_INFO_DATA)
			details = (struct netlink_rest){ attribute.value, attribute.length };
	}
	if (more < 0 || strcmp(out->kind, "vlan") != 0)
		return more;
	while ((more = netlink_next_attribute(&details, &attribute)) == 1) {
		if (attribute.type == IFLA_VLAN_ID)
			out->vlan = netlink_u16(&attribute);
	}
	return more;
}

static int32_t read_interface(const struct netlink_message *message, struct ktrxer_interface *out)
{
	struct ifinfomsg body;
	struct netlink_rest rest;
	struct netlink_attribute attribute;
	int32_t more = netlink_body(message, &body, sizeof(body), &rest);
	int foreign_parent = 0;
	int found = 0;

	if (more < 0)
		return more;
	out->index = body.ifi_index;
	out->flags = flags(body.ifi_flags);
	out->hardware = hardware(body.ifi_type);
	while ((more = netlink_next_attribute(&rest, &attribute)) == 1) {
		switch (attribute.type) {
		case IFLA_IFNAME:
			copy_text(out->name, &attribute);
			found |= 1;
			break;
		case IFLA_MTU:
			out->mtu = netlink_u32(&attribute);
			found |= 2;
			break;
		case IFLA_LINK:
			out->parent = (int32_t)netlink_u32(&attribute);
			break;
		case IFLA_LINK_NETNSID:
			foreign_parent = 1;
			break;
		case IFLA_ADDRESS:
			if (attribute.length == sizeof(out->address)) {
				memcpy(out->address, attribute.value, sizeof(out->address));
				out->has_address = 1;
			}
			break;
		case IFLA_LINKINFO:
			if (read_link_kind(&attribute, out) < 0)
				return -EBADMSG;
			break;
		}
	}
	if (foreign_parent)
		out->parent = 0;
	/*
	 * The tail may be spoilt: qemu-user leaves what follows an attribute that it does not know in the byte
	 * order of its host.
	 */
	return found == 3 ? 1 : -EBADMSG;
}

int32_t ktrxer_interface_parse(const void *datagram, uint32_t length, uint32_t sequence,
			       struct ktrxer_interface *out)
{
	struct netlink_rest rest = { datagram, length };
	struct netlink_message message;
	int32_t more;

	memset(out, 0, sizeof(*out));
	while ((more = netlink_next_message(&rest, &message)) == 1) {
		int32_t verdict;

		if (message.sequence != sequence)
			continue;
		if (message.type == RTM_NEWLINK)
			return read_interface(&message, out);
		verdict = netlink_verdict(&message);
		if (verdict != 0)
			return verdict < 0 ? verdict : -EBADMSG;
	}
	return more;
}

static int32_t parse_answer(const void *datagram, uint32_t length, uint32_t sequence, void *context)
{
	return ktrxer_interface_parse(datagram, length, sequence, context);
}

static int32_t ask(struct netlink_question *question, struct ktrxer_interface *out)
{
	question->body.link.ifi_family = AF_UNSPEC;
	netlink_put_u32(question, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_ask(question, parse_answer, out);
}

int32_t ktrxer_interface_by_index(int32_t index, struct ktrxer_interface *out)
{
	struct netlink_question question;

	memset(out, 0, sizeof(*out));
	/* The kernel takes 0 for "by name", and is then given none. */
	if (index <= 0)
		return -ENODEV;
	netlink_begin(&question, RTM_GETLINK, 0, sizeof(question.body.link));
	question.body.link.ifi_index = index;
	return ask(&question, out);
}

int32_t ktrxer_interface_by_name(const char *name, struct ktrxer_interface *out)
{
	struct netlink_question question;
	size_t length = strlen(name);

	memset(out, 0, sizeof(*out));
	if (length == 0 || length >= IFNAMSIZ)
		return -ENODEV;
	netlink_begin(&question, RTM_GETLINK, 0, sizeof(question.body.link));
	netlink_put(&question, IFLA_IFNAME, name, (uint32_t)length + 1);
	return ask(&question, out);
}

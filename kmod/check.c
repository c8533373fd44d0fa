// SPDX-License-Identifier: GPL-2.0
/* Judges rules from user space: what they say, who may say it, and whether they would lock the device's owner out. */
#include "krx.h"

#include "compat/compat.h"
#include "compat/capture.h"
#include "parameters.h"

#include <linux/in.h>
#include <linux/inetdevice.h>
#include <linux/string.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>

#define MOST_DELAY_NS (60ULL * NSEC_PER_SEC)
#define MOST_REPEAT 64
#define MOST_COPY 64

static bool is_zero(const void *start, size_t bytes)
{
	return !memchr_inv(start, 0, bytes);
}

static bool needs(const struct krx_rule *rule, u32 field)
{
	return rule->match & field;
}

/* An address that is compared has no bits beyond its prefix; one that is not has none at all. */
static bool address_good(const struct krx_rule *rule, u32 field, const u8 *address, u8 prefix)
{
	unsigned int i;

	if (!needs(rule, field))
		return !prefix && is_zero(address, 16);
	if (prefix > (rule->family == 4 ? 32 : 128))
		return false;
	for (i = prefix; i < 128; i++) {
		if (address[i / 8] & (0x80 >> i % 8))
			return false;
	}
	return true;
}

static bool ports_good(const struct krx_rule *rule, u32 field, u16 first, u16 last)
{
	if (!needs(rule, field))
		return !first && !last;
	return first <= last && (!needs(rule, KRX_MATCH_PROTOCOL) || krx_has_ports(rule->protocol));
}

static bool icmp_good(const struct krx_rule *rule)
{
	const u32 fields = KRX_MATCH_ICMP_TYPE | KRX_MATCH_ICMP_CODE | KRX_MATCH_ICMP_ID;
	u8 protocol = rule->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	if ((!needs(rule, KRX_MATCH_ICMP_TYPE) && rule->icmp_type) ||
	    (!needs(rule, KRX_MATCH_ICMP_CODE) && rule->icmp_code) ||
	    (!needs(rule, KRX_MATCH_ICMP_ID) && rule->icmp_id))
		return false;
	if (!needs(rule, fields))
		return true;
	if (!needs(rule, KRX_MATCH_PROTOCOL) || rule->protocol != protocol ||
	    needs(rule, KRX_MATCH_SOURCE_PORT | KRX_MATCH_DESTINATION_PORT))
		return false;
	return !needs(rule, KRX_MATCH_ICMP_TYPE) || !needs(rule, KRX_MATCH_ICMP_ID) ||
	       krx_icmp_has_id(protocol, rule->icmp_type);
}

static bool match_good(const struct krx_rule *rule)
{
	if (rule->family != 4 && rule->family != 6)
		return false;
	if (!address_good(rule, KRX_MATCH_SOURCE, rule->source, rule->source_prefix) ||
	    !address_good(rule, KRX_MATCH_DESTINATION, rule->destination, rule->destination_prefix))
		return false;
	if (!needs(rule, KRX_MATCH_PROTOCOL) && rule->protocol)
		return false;
	if (!ports_good(rule, KRX_MATCH_SOURCE_PORT, rule->source_port_first, rule->source_port_last) ||
	    !ports_good(rule, KRX_MATCH_DESTINATION_PORT, rule->destination_port_first, rule->destination_port_last))
		return false;
	/* An interface's number is positive, and fits an int. */
	if (needs(rule, KRX_MATCH_INTERFACE) ? !rule->interface_index || rule->interface_index > INT_MAX :
					       rule->interface_index)
		return false;
	return icmp_good(rule);
}

static bool edit_good(const struct krx_rule *rule, const struct krx_edit *edit)
{
	unsigned int length;

	switch (edit->field) {
	case KRX_EDIT_SOURCE:
	case KRX_EDIT_DESTINATION:
		length = rule->family == 4 ? 4 : 16;
		break;
	case KRX_EDIT_SOURCE_PORT:
	case KRX_EDIT_DESTINATION_PORT:
		if (needs(rule, KRX_MATCH_PROTOCOL) && rule->protocol != IPPROTO_UDP && rule->protocol != IPPROTO_TCP)
			return false;
		length = 2;
		break;
	case KRX_EDIT_TTL:
		length = 1;
		break;
	case KRX_EDIT_DSCP:
		if (edit->value[0] > 63)
			return false;
		length = 1;
		break;
	case KRX_EDIT_PAYLOAD:
		length = edit->length;
		break;
	default:
		return false;
	}
	if (edit->length != length || !length || length > sizeof(edit->value))
		return false;
	if (edit->offset && edit->field != KRX_EDIT_PAYLOAD)
		return false;
	return is_zero(edit->value + length, sizeof(edit->value) - length);
}

static bool edits_good(const struct krx_rule *rule)
{
	unsigned int i;

	for (i = 0; i < KRX_EDITS && rule->edits[i].field != KRX_EDIT_NONE; i++) {
		if (rule->operation != KRX_FORWARD || !edit_good(rule, &rule->edits[i]))
			return false;
	}
	return is_zero(&rule->edits[i], (KRX_EDITS - i) * sizeof(rule->edits[0]));
}

static bool copy_good(const struct krx_rule *rule, const struct krx_copy *copy)
{
	if (copy->base > KRX_BASE_PAYLOAD)
		return false;
	if ((u32)copy->to + copy->length > rule->reaction.frame_length)
		return false;
	switch (copy->operation) {
	case KRX_COPY_BYTES:
		return copy->length && copy->length <= MOST_COPY && !copy->addend;
	case KRX_COPY_ADD_SEGMENT:
		if (!needs(rule, KRX_MATCH_PROTOCOL) || rule->protocol != IPPROTO_TCP)
			return false;
		fallthrough;
	case KRX_COPY_ADD:
		return copy->length == 1 || copy->length == 2 || copy->length == 4;
	}
	return false;
}

static bool reaction_good(const struct krx_rule *rule)
{
	const struct krx_reaction *reaction = &rule->reaction;
	unsigned int i;

	if (!(rule->flags & KRX_RULE_REACT))
		return is_zero(reaction, sizeof(*reaction));
	if (reaction->flags & ~KRX_REACT_FLAGS || !reaction->repeat || reaction->repeat > MOST_REPEAT)
		return false;
	if (reaction->delay_ns > MOST_DELAY_NS || reaction->gap_ns > MOST_DELAY_NS)
		return false;
	for (i = 0; i < KRX_COPIES && reaction->copies[i].base != KRX_BASE_NONE; i++) {
		if (!copy_good(rule, &reaction->copies[i]))
			return false;
	}
	return is_zero(&reaction->copies[i], (KRX_COPIES - i) * sizeof(reaction->copies[0]));
}

static bool actions_good(const struct krx_rule *rule)
{
	bool captures = rule->operation == KRX_CAPTURE || rule->operation == KRX_CAPTURE_DROP;

	if (rule->operation > KRX_CAPTURE_DROP)
		return false;
	if (!captures && (rule->capture_offset || rule->capture_length || rule->flags & KRX_RULE_LINK))
		return false;
	/* Only for addresses that are named, on an interface that is: not for everybody's, everywhere. */
	if (rule->flags & KRX_RULE_NEIGHBOUR &&
	    (!needs(rule, KRX_MATCH_INTERFACE) || !needs(rule, KRX_MATCH_DESTINATION) || !rule->destination_prefix ||
	     needs(rule, KRX_MATCH_ERRORS)))
		return false;
	return edits_good(rule) && reaction_good(rule);
}

int krx_check(const struct krx_rule *rule, bool admin)
{
	if (!rule->id || rule->match & ~KRX_MATCH_ALL || rule->flags & ~KRX_RULE_FLAGS)
		return -EINVAL;
	if (rule->reserved || rule->reserved2)
		return -EINVAL;
	if (!match_good(rule) || !actions_good(rule))
		return -EINVAL;
	if (!admin && (rule->operation == KRX_DROP || rule->operation == KRX_CAPTURE_DROP ||
		       rule->edits[0].field != KRX_EDIT_NONE || rule->flags & KRX_RULE_NEIGHBOUR))
		return -EPERM;
	return 0;
}

/* ---- management ---- */

static bool covers_address(const struct krx_rule *rule, const void *address)
{
	unsigned int bytes = rule->destination_prefix / 8;
	unsigned int bits = rule->destination_prefix % 8;
	const u8 *own = address;

	if (memcmp(own, rule->destination, bytes))
		return false;
	return !bits || !((own[bytes] ^ rule->destination[bytes]) >> (8 - bits));
}

static bool covers_device4(const struct krx_rule *rule, const struct net_device *dev)
{
	struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return false;
	/* in_dev_for_each_ifa_rcu() came with 5.3 only. */
	for (ifa = rcu_dereference(in_dev->ifa_list); ifa; ifa = rcu_dereference(ifa->ifa_next)) {
		if (covers_address(rule, &ifa->ifa_local))
			return true;
	}
	return false;
}

static bool covers_device6(const struct krx_rule *rule, const struct net_device *dev)
{
	struct inet6_dev *in6_dev = NULL;
	struct inet6_ifaddr *ifa;
	bool covers = false;

#if IS_ENABLED(CONFIG_IPV6)
	in6_dev = __in6_dev_get(dev);
#endif
	if (!in6_dev)
		return false;
	read_lock_bh(&in6_dev->lock);
	list_for_each_entry(ifa, &in6_dev->addr_list, if_list)
		covers |= covers_address(rule, &ifa->addr);
	read_unlock_bh(&in6_dev->lock);
	return covers;
}

static bool covers_own_address(struct net *net, const struct krx_rule *rule)
{
	struct net_device *dev;

	if (!needs(rule, KRX_MATCH_DESTINATION) || !rule->destination_prefix)
		return true;
	for_each_netdev_rcu(net, dev) {
		if (rule->family == 4 ? covers_device4(rule, dev) : covers_device6(rule, dev))
			return true;
	}
	return false;
}

static bool covers_management_port(const struct krx_rule *rule)
{
	static const u16 ports[] = { 22, 80, 443 };
	unsigned int i;

	/* Who manages the device calls from an unprivileged port; what comes from a privileged one answers a probe. */
	if (needs(rule, KRX_MATCH_SOURCE_PORT) && rule->source_port_last < 1024)
		return false;
	if (!needs(rule, KRX_MATCH_DESTINATION_PORT))
		return true;
	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		if (rule->destination_port_first <= ports[i] && rule->destination_port_last >= ports[i])
			return true;
	}
	return false;
}

bool krx_covers_management(struct net *net, const struct krx_rule *rule)
{
	if (rule->operation == KRX_CAPTURE || needs(rule, KRX_MATCH_ERRORS))
		return false;
	if (needs(rule, KRX_MATCH_PROTOCOL) && rule->protocol != IPPROTO_TCP)
		return false;
	return covers_management_port(rule) && covers_own_address(net, rule);
}

/* SPDX-License-Identifier: MIT */
#include "sys_route.h"

#include "netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The same on every processor. */
_Static_assert(sizeof(struct ktrxer_route_query) == 40, "layout");
_Static_assert(sizeof(struct ktrxer_route) == 44, "layout");

static uint8_t route_type(uint8_t type)
{
	switch (type) {
	case RTN_UNICAST:
		return KTRXER_ROUTE_UNICAST;
	case RTN_LOCAL:
	case RTN_ANYCAST:
		return KTRXER_ROUTE_LOCAL;
	case RTN_BROADCAST:
		return KTRXER_ROUTE_BROADCAST;
	case RTN_MULTICAST:
		return KTRXER_ROUTE_MULTICAST;
	case RTN_UNREACHABLE:
		return KTRXER_ROUTE_UNREACHABLE;
	case RTN_BLACKHOLE:
		return KTRXER_ROUTE_BLACKHOLE;
	case RTN_PROHIBIT:
		return KTRXER_ROUTE_PROHIBIT;
	case RTN_THROW:
		return KTRXER_ROUTE_THROW;
	default:
		return KTRXER_ROUTE_OTHER;
	}
}

/*
 * The kernel answers a question that meets a refusing route with an error number, one for each kind of
 * refusal.
 */
static int32_t refusal(int32_t error, struct ktrxer_route *out)
{
	switch (error) {
	case -EHOSTUNREACH:
		out->type = KTRXER_ROUTE_UNREACHABLE;
		return 1;
	case -EINVAL:
		out->type = KTRXER_ROUTE_BLACKHOLE;
		return 1;
	case -EACCES:
		out->type = KTRXER_ROUTE_PROHIBIT;
		return 1;
	default:
		return error;
	}
}

static int32_t read_mtu(const struct netlink_attribute *metrics, uint32_t *mtu)
{
	struct netlink_rest rest = { metrics->value, metrics->length };
	struct netlink_attribute metric;
	int32_t more;

	while ((more = netlink_next_attribute(&rest, &metric)) == 1) {
		if (metric.type == RTAX_MTU)
			*mtu = netlink_u32(&metric);
	}
	return more;
}

static void set_gateway(struct ktrxer_route *out, const uint8_t *address, uint32_t length)
{
	if (length != 4 && length != 16)
		return;
	memcpy(out->gateway, address, length);
	out->gateway_family = length == 4 ? 4 : 6;
}

/* struct rtvia: a family in host order, then as many bytes as that family has. */
static void set_via(struct ktrxer_route *out, const struct netlink_attribute *attribute)
{
	uint16_t family;

	if (attribute->length < sizeof(family))
		return;
	memcpy(&family, attribute->value, sizeof(family));
	if ((family == AF_INET && attribute->length == sizeof(family) + 4) ||
	    (family == AF_INET6 && attribute->length == sizeof(family) + 16))
		set_gateway(out, attribute->value + sizeof(family), attribute->length - sizeof(family));
}

static int32_t read_route(const struct netlink_message *message, struct ktrxer_route *out)
{
	struct rtmsg body;
	struct netlink_rest rest;
	struct netlink_attribute attribute;
	struct rta_cacheinfo cache = { 0 };
	int32_t more = netlink_body(message, &body, sizeof(body), &rest);

	if (more < 0)
		return more;
	out->type = route_type(body.rtm_type);
	while ((more = netlink_next_attribute(&rest, &attribute)) == 1) {
		switch (attribute.type) {
		case RTA_OIF:
			out->interface = (int32_t)netlink_u32(&attribute);
			break;
		case RTA_PREFSRC:
			if (attribute.length == (body.rtm_family == AF_INET ? 4 : 16)) {
				memcpy(out->source, attribute.value, attribute.length);
				out->has_source = 1;
			}
			break;
		case RTA_GATEWAY:
			set_gateway(out, attribute.value, attribute.length);
			break;
		case RTA_VIA:
			set_via(out, &attribute);
			break;
		case RTA_METRICS:
			if (read_mtu(&attribute, &out->mtu) < 0)
				return -EBADMSG;
			break;
		case RTA_ENCAP_TYPE:
			out->encapsulated = netlink_u16(&attribute) != 0;
			break;
		case RTA_CACHEINFO:
			if (attribute.length >= sizeof(cache))
				memcpy(&cache, attribute.value, sizeof(cache));
			break;
		}
	}
	/* An MTU that expires was learnt from an ICMP error: it is of the path, not of the link. */
	if (cache.rta_expires != 0)
		out->mtu = 0;
	return more < 0 ? more : 1;
}

int32_t ktrxer_route_parse(const void *datagram, uint32_t length, uint32_t sequence, struct ktrxer_route *out)
{
	struct netlink_rest rest = { datagram, length };
	struct netlink_message message;
	int32_t more;

	memset(out, 0, sizeof(*out));
	while ((more = netlink_next_message(&rest, &message)) == 1) {
		int32_t verdict;

		if (message.sequence != sequence)
			continue;
		if (message.type == RTM_NEWROUTE)
			return read_route(&message, out);
		verdict = netlink_verdict(&message);
		if (verdict < 0)
			return refusal(verdict, out);
		if (verdict > 0)
			return -EBADMSG;
	}
	return more;
}

static int32_t parse_answer(const void *datagram, uint32_t length, uint32_t sequence, void *context)
{
	return ktrxer_route_parse(datagram, length, sequence, context);
}

int32_t ktrxer_route_lookup(const struct ktrxer_route_query *query, struct ktrxer_route *out)
{
	struct netlink_question question;
	uint32_t address_length;
	uint8_t family;
	int32_t result = netlink_family(query->family, &family, &address_length);

	memset(out, 0, sizeof(*out));
	if (result < 0)
		return result;
	netlink_begin(&question, RTM_GETROUTE, 0, sizeof(question.body.route));
	question.body.route.rtm_family = family;
	question.body.route.rtm_dst_len = (uint8_t)(address_length * 8);
	question.body.route.rtm_tos = query->traffic_class & 0xFC;
	netlink_put(&question, RTA_DST, query->destination, address_length);
	if (query->has_source) {
		question.body.route.rtm_src_len = (uint8_t)(address_length * 8);
		netlink_put(&question, RTA_SRC, query->source, address_length);
	}
	if (query->interface)
		netlink_put_u32(&question, RTA_OIF, (uint32_t)query->interface);
	return netlink_ask(&question, parse_answer, out);
}

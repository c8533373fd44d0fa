/* SPDX-License-Identifier: MIT */
/*
 * Capturing by rules of nftables whose packets are logged to a group, which a program reads (as ulogd does). Either a rule a
 * port, or one rule that looks the addresses and the port up in a set. What nft would say:
 *
 *	table ip bench { chain first { type filter hook prerouting priority raw;
 *		udp dport 20000 ip saddr 203.0.113.5 ip daddr 198.51.100.1 log group 7 snaplen 65535 accept … } }
 *	… ip saddr . ip daddr . udp dport @wanted log group 7 snaplen 65535 accept
 *
 * The port is compared first, as is best with many rules that differ in nothing else.
 */
#include "capture.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#define GROUP 7
/* Rules or elements in one transaction. */
#define AT_ONCE 250

static struct {
	unsigned char bytes[1 << 18];
	size_t length;
} out;
static int changes = -1, log_fd = -1;

static void *add(const void *bytes, size_t length)
{
	void *at = out.bytes + out.length;

	if (out.length + length + 4 > sizeof(out.bytes))
		die("message");
	if (bytes)
		memcpy(at, bytes, length);
	else
		memset(at, 0, length);
	memset(out.bytes + out.length + length, 0, NLMSG_ALIGN(length) - length);
	out.length += NLMSG_ALIGN(length);
	return at;
}

static struct nlmsghdr *begin(unsigned int type, unsigned int flags, unsigned int family, unsigned int resource)
{
	struct nlmsghdr *message = add(NULL, sizeof(*message));
	struct nfgenmsg general = { .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource) };

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	add(&general, sizeof(general));
	return message;
}

static void end(struct nlmsghdr *message)
{
	message->nlmsg_len = out.bytes + out.length - (unsigned char *)message;
}

static void attribute(unsigned int type, const void *bytes, size_t length)
{
	struct nlattr head = { .nla_len = NLA_HDRLEN + length, .nla_type = type };

	add(&head, sizeof(head));
	add(bytes, length);
}

static void text(unsigned int type, const char *string)
{
	attribute(type, string, strlen(string) + 1);
}

static void number(unsigned int type, uint32_t value)
{
	value = htonl(value);
	attribute(type, &value, sizeof(value));
}

static struct nlattr *nest(unsigned int type)
{
	struct nlattr head = { .nla_type = type | NLA_F_NESTED };

	return add(&head, sizeof(head));
}

static void nested(struct nlattr *nest)
{
	nest->nla_len = out.bytes + out.length - (unsigned char *)nest;
}

/* An expression of a rule: opens its list element and its data. */
static struct nlattr *opened[2];
static void expression(const char *name)
{
	opened[0] = nest(NFTA_LIST_ELEM);
	text(NFTA_EXPR_NAME, name);
	opened[1] = nest(NFTA_EXPR_DATA);
}

static void expressed(void)
{
	nested(opened[1]);
	nested(opened[0]);
}

static void load(unsigned int base, unsigned int offset, unsigned int length, unsigned int where)
{
	expression("payload");
	number(NFTA_PAYLOAD_DREG, where);
	number(NFTA_PAYLOAD_BASE, base);
	number(NFTA_PAYLOAD_OFFSET, offset);
	number(NFTA_PAYLOAD_LEN, length);
	expressed();
}

static void compare(const void *value, unsigned int length)
{
	struct nlattr *data;

	expression("cmp");
	number(NFTA_CMP_SREG, NFT_REG_1);
	number(NFTA_CMP_OP, NFT_CMP_EQ);
	data = nest(NFTA_CMP_DATA);
	attribute(NFTA_DATA_VALUE, value, length);
	nested(data);
	expressed();
}

static void compare_protocol(void)
{
	expression("meta");
	number(NFTA_META_DREG, NFT_REG_1);
	number(NFTA_META_KEY, NFT_META_L4PROTO);
	expressed();
	compare("\x11", 1);
}

static void log_and_accept(void)
{
	uint16_t group = htons(GROUP), threshold = htons(BURST);
	struct nlattr *data, *verdict;

	expression("log");
	attribute(NFTA_LOG_GROUP, &group, sizeof(group));
	number(NFTA_LOG_SNAPLEN, 0xFFFF);
	attribute(NFTA_LOG_QTHRESHOLD, &threshold, sizeof(threshold));
	expressed();
	/* Accepted: the rules behind it need not be asked. */
	expression("immediate");
	number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest(NFTA_IMMEDIATE_DATA);
	verdict = nest(NFTA_DATA_VERDICT);
	number(NFTA_VERDICT_CODE, NF_ACCEPT);
	nested(verdict);
	nested(data);
	expressed();
}

/* Sends what is collected as one transaction, and takes what the kernel says to it. */
static void commit(void)
{
	static unsigned char answer[65536];
	ssize_t length;

	end(begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	if (send(changes, out.bytes, out.length, 0) < 0)
		die("nf_tables");
	while ((length = recv(changes, answer, sizeof(answer), MSG_DONTWAIT)) > 0)
		for (struct nlmsghdr *each = (void *)answer; NLMSG_OK(each, length); each = NLMSG_NEXT(each, length)) {
			struct nlmsgerr *error = NLMSG_DATA(each);

			if (each->nlmsg_type == NLMSG_ERROR && error->error) {
				errno = -error->error;
				die("nf_tables");
			}
		}
	out.length = 0;
}

static void transaction(void)
{
	out.length = 0;
	end(begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static struct nlmsghdr *change(unsigned int type, unsigned int flags)
{
	return begin(NFNL_SUBSYS_NFTABLES << 8 | type, flags | NLM_F_CREATE, NFPROTO_IPV4, 0);
}

static void add_chain(void)
{
	struct nlmsghdr *message;
	struct nlattr *hook;

	transaction();
	message = change(NFT_MSG_NEWTABLE, 0);
	text(NFTA_TABLE_NAME, "bench");
	/* It goes with the program. */
	number(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	end(message);
	message = change(NFT_MSG_NEWCHAIN, 0);
	text(NFTA_CHAIN_TABLE, "bench");
	text(NFTA_CHAIN_NAME, "first");
	hook = nest(NFTA_CHAIN_HOOK);
	number(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
	number(NFTA_HOOK_PRIORITY, -300);
	nested(hook);
	text(NFTA_CHAIN_TYPE, "filter");
	end(message);
	commit();
}

static void add_rule(unsigned int port)
{
	struct nlmsghdr *message = change(NFT_MSG_NEWRULE, NLM_F_APPEND);
	uint32_t addresses[] = { htonl(SOURCE), htonl(DESTINATION) };
	uint16_t wire = htons(port);
	struct nlattr *expressions;

	text(NFTA_RULE_TABLE, "bench");
	text(NFTA_RULE_CHAIN, "first");
	expressions = nest(NFTA_RULE_EXPRESSIONS);
	compare_protocol();
	load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
	compare(&wire, sizeof(wire));
	load(NFT_PAYLOAD_NETWORK_HEADER, 12, 8, NFT_REG_1);
	compare(addresses, sizeof(addresses));
	log_and_accept();
	nested(expressions);
	end(message);
}

static void add_set(unsigned int elements)
{
	struct nlmsghdr *message;
	struct nlattr *description;

	transaction();
	message = change(NFT_MSG_NEWSET, 0);
	text(NFTA_SET_TABLE, "bench");
	text(NFTA_SET_NAME, "wanted");
	number(NFTA_SET_FLAGS, 0);
	number(NFTA_SET_KEY_TYPE, 0);
	number(NFTA_SET_KEY_LEN, 12);
	number(NFTA_SET_ID, 1);
	description = nest(NFTA_SET_DESC);
	number(NFTA_SET_DESC_SIZE, elements);
	nested(description);
	end(message);
	commit();
}

static void add_elements(unsigned int port, unsigned int count)
{
	struct nlmsghdr *message = change(NFT_MSG_NEWSETELEM, 0);
	struct nlattr *list, *element, *key;

	text(NFTA_SET_ELEM_LIST_TABLE, "bench");
	text(NFTA_SET_ELEM_LIST_SET, "wanted");
	list = nest(NFTA_SET_ELEM_LIST_ELEMENTS);
	for (; count; count--, port++) {
		unsigned char bytes[12] = { 0 };
		uint32_t source = htonl(SOURCE), destination = htonl(DESTINATION);
		uint16_t wire = htons(port);

		memcpy(bytes, &source, 4);
		memcpy(bytes + 4, &destination, 4);
		memcpy(bytes + 8, &wire, 2);
		element = nest(NFTA_LIST_ELEM);
		key = nest(NFTA_SET_ELEM_KEY);
		attribute(NFTA_DATA_VALUE, bytes, sizeof(bytes));
		nested(key);
		nested(element);
	}
	nested(list);
	end(message);
}

static void add_lookup(void)
{
	struct nlmsghdr *message = change(NFT_MSG_NEWRULE, NLM_F_APPEND);
	struct nlattr *expressions;

	text(NFTA_RULE_TABLE, "bench");
	text(NFTA_RULE_CHAIN, "first");
	expressions = nest(NFTA_RULE_EXPRESSIONS);
	compare_protocol();
	load(NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG32_00);
	load(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG32_01);
	load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_02);
	expression("lookup");
	text(NFTA_LOOKUP_SET, "wanted");
	number(NFTA_LOOKUP_SREG, NFT_REG32_00);
	expressed();
	log_and_accept();
	nested(expressions);
	end(message);
}

static void configure(unsigned int type, const void *bytes, size_t length)
{
	struct nlmsghdr *message;

	out.length = 0;
	message = begin(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0, AF_UNSPEC, GROUP);
	attribute(type, bytes, length);
	end(message);
	if (send(log_fd, out.bytes, out.length, 0) < 0)
		die("nfnetlink_log");
}

static void open_log(void)
{
	struct nfulnl_msg_config_cmd bind_group = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(0xFFFF), .copy_mode = NFULNL_COPY_PACKET };
	uint32_t room = htonl(65536), threshold = htonl(BURST);
	int bytes = 4 << 20;

	log_fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (log_fd < 0 || setsockopt(log_fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		die("NETLINK_NETFILTER");
	configure(NFULA_CFG_CMD, &bind_group, sizeof(bind_group));
	configure(NFULA_CFG_MODE, &mode, sizeof(mode));
	configure(NFULA_CFG_NLBUFSIZ, &room, sizeof(room));
	configure(NFULA_CFG_QTHRESH, &threshold, sizeof(threshold));
}

static void open_changes(void)
{
	int bytes = 4 << 20;

	changes = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (changes < 0 || setsockopt(changes, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		die("NETLINK_NETFILTER");
	add_chain();
}

static void nftables_open(const char *interface, unsigned int rules)
{
	(void)interface;
	open_log();
	open_changes();
	for (unsigned int i = 0; i < rules;) {
		unsigned int stop = rules - i < AT_ONCE ? rules : i + AT_ONCE;

		transaction();
		for (; i < stop; i++)
			add_rule(FIRST_PORT + i);
		commit();
	}
}

static void nftables_set_open(const char *interface, unsigned int rules)
{
	(void)interface;
	open_log();
	open_changes();
	if (!rules)
		return;
	add_set(rules);
	for (unsigned int i = 0; i < rules;) {
		unsigned int n = rules - i < AT_ONCE ? rules - i : AT_ONCE;

		transaction();
		add_elements(FIRST_PORT + i, n);
		commit();
		i += n;
	}
	transaction();
	add_lookup();
	commit();
}

static void look_at(const struct nlmsghdr *message)
{
	int length = message->nlmsg_len - NLMSG_SPACE(sizeof(struct nfgenmsg));
	const struct nlattr *each = (void *)((unsigned char *)message + NLMSG_SPACE(sizeof(struct nfgenmsg)));
	uint64_t stamp = 0;

	while (length >= (int)sizeof(*each) && each->nla_len >= sizeof(*each)) {
		const unsigned char *bytes = (const unsigned char *)each + NLA_HDRLEN;

		if (each->nla_type == NFULA_TIMESTAMP)
			memcpy(&stamp, bytes, sizeof(stamp));
		if (each->nla_type == NFULA_PAYLOAD)
			look(stamp, bytes);
		length -= NLA_ALIGN(each->nla_len);
		each = (void *)((unsigned char *)each + NLA_ALIGN(each->nla_len));
	}
}

static unsigned int nftables_drain(void)
{
	static unsigned char in[1 << 17];
	unsigned int count = 0;
	ssize_t length;

	while ((length = recv(log_fd, in, sizeof(in), MSG_DONTWAIT)) > 0)
		for (struct nlmsghdr *each = (void *)in; NLMSG_OK(each, length); each = NLMSG_NEXT(each, length))
			if (each->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) {
				look_at(each);
				count++;
			}
	return count;
}

/* What is fewer than the threshold waits for a timer, of a second at most. */
static void nftables_settle(void)
{
	usleep(1200000);
}

const struct capture nftables = {
	.name = "nftables", .open = nftables_open, .drain = nftables_drain, .settle = nftables_settle,
};
const struct capture nftables_set = {
	.name = "nftables-set", .open = nftables_set_open, .drain = nftables_drain, .settle = nftables_settle,
};

/* SPDX-License-Identifier: MIT */
/*
 * Adds rules, has packets sent from another namespace, and looks at what is captured and at what the system's own sockets
 * get to see. Prints a line for each check, and fails if one of them did.
 *
 *	rules NAMESPACE
 *
 * The path names the network namespace that sends: the server of ../../devices/devices.py, which has 198.51.100.2,
 * 192.0.2.80 and 2001:db8:80::80. Here are 192.168.1.2 and 2001:db8:1::2 on eth0, on whose link nobody has .77.
 */
#include "sockets.h"

#include <stdint.h>

#define NEAR "192.0.2.80"
#define OTHER "198.51.100.2"
#define NEAR6 "2001:db8:80::80"
#define OTHER6 "2001:db8:a::2"
#define HOME "192.168.1.2"
#define HOME6 "2001:db8:1::2"
#define NOBODY "192.168.1.77"
#define NOBODY6 "2001:db8:1::77"
#define SOURCE_PORT 40000
/* How long something is waited for that is to come, and something that is not. */
#define COMES_MS 1000
#define SILENCE_MS 50

static int home, far;
static int checks, failures;
static struct capturer capturer;

static void check(const char *what, int good)
{
	checks++;
	failures += !good;
	printf("%s: %s\n", what, good ? "good" : "WRONG");
}

/* One datagram from the other namespace. */
static void far_sends(const char *from, const char *to, int port)
{
	int fd = bound(home, far, SOCK_DGRAM, 0, from, SOURCE_PORT);

	send_to(fd, to, port, "datagram", 8);
	close(fd);
}

/* ---- captures ----------------------------------------------------------------------------------------------- */

static struct krx_rule udp_rule(unsigned int id, unsigned int operation, const char *to, int first, int last)
{
	struct krx_rule rule = {
		.id = id, .operation = operation, .family = strchr(to, ':') ? 6 : 4, .protocol = IPPROTO_UDP,
		.match = KRX_MATCH_PROTOCOL | KRX_MATCH_DESTINATION | KRX_MATCH_DESTINATION_PORT,
		.destination_port_first = first, .destination_port_last = last,
	};

	rule.destination_prefix = rule.family == 4 ? 32 : 128;
	inet_pton(rule.family == 4 ? AF_INET : AF_INET6, to, rule.destination);
	return rule;
}

static void add(const struct krx_rule *rule)
{
	if (ioctl(capturer.fd, KRX_IOC_RULE_ADD, rule))
		die("KRX_IOC_RULE_ADD");
}

/* The next record, waited for so many ms; NULL: none came. It stays until the next call. */
static struct krx_record *captured(int wait)
{
	static int have;
	struct pollfd one = { .fd = capturer.fd, .events = POLLIN };
	unsigned int index;

	if (have)
		__atomic_store_n(&capturer.header->consumer, capturer.header->consumer + 1, __ATOMIC_RELEASE);
	index = capturer.header->consumer;
	have = poll(&one, 1, wait) == 1 && __atomic_load_n(&capturer.header->producer, __ATOMIC_ACQUIRE) != index;
	if (!have)
		return NULL;
	return (void *)(capturer.map + capturer.setup.ring_offset +
			(size_t)(index & (capturer.setup.slots - 1)) * capturer.setup.slot_bytes);
}

static int captured_id(int wait)
{
	struct krx_record *record = captured(wait);

	return record ? (int)record->rule_id : 0;
}

/* Leaves no rule and no record. */
static void flush(void)
{
	ioctl(capturer.fd, KRX_IOC_RULE_FLUSH, 0);
	while (captured(0))
		;
}

/* ---- the checks --------------------------------------------------------------------------------------------- */

static void operations(const char *from, const char *to, const char *family)
{
	static const char *const names[] = { "forward", "capture", "drop", "capture and drop" };
	char what[64];

	for (unsigned int operation = KRX_FORWARD; operation <= KRX_CAPTURE_DROP; operation++) {
		int port = 7001 + operation;
		int socket = bound(home, home, SOCK_DGRAM, 0, to, port);
		struct krx_rule rule = udp_rule(10 + operation, operation, to, port, port);

		add(&rule);
		far_sends(from, to, port);
		snprintf(what, sizeof(what), "%s, %s: what the system sees", family, names[operation]);
		check(what, !strcmp(heard(socket, operation & KRX_DROP ? SILENCE_MS : COMES_MS, NULL, NULL, NULL), operation & KRX_DROP ? "" : "datagram"));
		snprintf(what, sizeof(what), "%s, %s: what is captured", family, names[operation]);
		check(what, captured_id(operation & KRX_CAPTURE ? COMES_MS : SILENCE_MS) == (operation & KRX_CAPTURE ? 10 + (int)operation : 0));
		close(socket);
		flush();
	}
}

/* The bytes that came, and what the record says of them. */
static void record(const char *from, const char *to, const char *family)
{
	unsigned int header = strchr(to, ':') ? 40 : 20;
	struct krx_rule rule = udp_rule(0x12345678, KRX_CAPTURE_DROP, to, 7000, 7000);
	unsigned long long before = monotonic(), after;
	struct krx_record *record;
	unsigned char *packet;
	char what[64];

	add(&rule);
	far_sends(from, to, 7000);
	record = captured(COMES_MS);
	after = monotonic();
	packet = record ? (unsigned char *)record + record->data_offset : NULL;
	snprintf(what, sizeof(what), "%s, record", family);
	check(what, record && record->rule_id == 0x12345678 && record->interface_index == if_nametoindex("eth0") &&
		    record->original_length == header + 16 && record->captured_length == header + 16 &&
		    record->protocol == (header == 40 ? 0x86DD : 0x0800) && record->source == KRX_STAMP_KERNEL &&
		    record->flags & KRX_RECORD_DROPPED);
	snprintf(what, sizeof(what), "%s, time of arrival", family);
	check(what, record && record->monotonic_ns > before && record->monotonic_ns < after &&
		    record->realtime_ns > record->monotonic_ns);
	snprintf(what, sizeof(what), "%s, bytes", family);
	check(what, packet && packet[0] >> 4 == (header == 40 ? 6 : 4) && !memcmp(packet + header + 8, "datagram", 8) &&
		    packet[header] * 256 + packet[header + 1] == SOURCE_PORT && packet[header + 2] * 256 + packet[header + 3] == 7000);
	flush();
}

/* Ends of a range of ports, across a byte's end. */
static void ports(void)
{
	struct krx_rule rule = udp_rule(1, KRX_CAPTURE_DROP, HOME, 0x1BFF, 0x1C01);
	static const int sent[] = { 0x1BFE, 0x1BFF, 0x1C00, 0x1C01, 0x1C02, 0xFF1B, 0x001C, 0x011C };
	int seen[3] = { 0 };
	struct krx_record *record;

	add(&rule);
	for (unsigned int i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		far_sends(NEAR, HOME, sent[i]);
	for (int i = 0; i < 3 && (record = captured(COMES_MS)); i++) {
		unsigned char *packet = (unsigned char *)record + record->data_offset;

		seen[i] = packet[22] * 256 + packet[23];
	}
	check("ports of a range, and no others", seen[0] == 0x1BFF && seen[1] == 0x1C00 && seen[2] == 0x1C01 && !captured(SILENCE_MS));
	flush();
}

static struct krx_rule prefix_rule(unsigned int id, int priority, const char *network, int bits, const char *to)
{
	struct krx_rule rule = udp_rule(id, KRX_CAPTURE_DROP, to, 7030, 7030);

	rule.priority = priority;
	rule.match |= KRX_MATCH_SOURCE;
	rule.source_prefix = bits;
	inet_pton(rule.family == 4 ? AF_INET : AF_INET6, network, rule.source);
	return rule;
}

/* Prefixes that end within a byte, and which of two rules is applied. */
static void prefixes(void)
{
	struct krx_rule rules[] = {
		prefix_rule(1, 0, "192.0.2.64", 27, HOME), prefix_rule(2, -5, "192.0.0.0", 12, HOME), prefix_rule(3, 5, "198.51.96.0", 21, HOME),
		prefix_rule(4, 5, "198.51.104.0", 21, HOME), prefix_rule(5, 0, "2001:db8:80::", 45, HOME6), prefix_rule(6, -1, "2001:db8::", 33, HOME6),
	};

	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		add(&rules[i]);
	far_sends(NEAR, HOME, 7030);
	check("prefix, and the higher priority first", captured_id(COMES_MS) == 1);
	far_sends(OTHER, HOME, 7030);
	check("prefix that ends within a byte", captured_id(COMES_MS) == 3);
	far_sends(NEAR6, HOME6, 7030);
	check("IPv6 prefix", captured_id(COMES_MS) == 5);
	far_sends(OTHER6, HOME6, 7030);
	check("shorter IPv6 prefix", captured_id(COMES_MS) == 6);
	ioctl(capturer.fd, KRX_IOC_RULE_DELETE, 1);
	far_sends(NEAR, HOME, 7030);
	check("the next rule when the first is gone", captured_id(COMES_MS) == 2);
	flush();
}

/* Echo requests by their identifier, and errors by what they quote. */
static void icmp(const char *from, const char *to, const char *family)
{
	int six = strchr(to, ':') != NULL;
	int raw = bound(home, far, SOCK_RAW, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, from, 0);
	/* Checksums that are right: IPv4's over these 8 bytes; the kernel makes IPv6's. */
	unsigned char four[2][8] = { { 8, 0, 0xE5, 0xCA, 0x12, 0x34, 0, 1 }, { 8, 0, 0xC3, 0xEC, 0x34, 0x12, 0, 1 } };
	unsigned char other[2][8] = { { 128, 0, 0, 0, 0x12, 0x34, 0, 1 }, { 128, 0, 0, 0, 0x34, 0x12, 0, 1 } };
	struct krx_rule echo = udp_rule(1, KRX_CAPTURE, to, 0, 0), errors = udp_rule(2, KRX_CAPTURE, to, SOURCE_PORT, SOURCE_PORT);
	int probe = bound(home, home, SOCK_DGRAM, 0, to, SOURCE_PORT);
	struct krx_record *record;
	char what[64];

	echo.protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	echo.match = KRX_MATCH_PROTOCOL | KRX_MATCH_DESTINATION | KRX_MATCH_ICMP_TYPE | KRX_MATCH_ICMP_ID;
	echo.icmp_type = six ? 128 : 8;
	echo.icmp_id = 0x1234;
	add(&echo);
	for (int i = 1; i >= 0; i--)
		send_to(raw, to, 0, six ? other[i] : four[i], 8);
	record = captured(COMES_MS);
	snprintf(what, sizeof(what), "%s, echo request of one identifier", family);
	check(what, record && ((unsigned char *)record + record->data_offset)[(six ? 40 : 20) + 4] == 0x12 && !captured(SILENCE_MS));
	close(raw);
	flush();

	/* What comes back to a probe at a port where nobody listens. */
	errors.match |= KRX_MATCH_ERRORS | KRX_MATCH_SOURCE | KRX_MATCH_SOURCE_PORT;
	errors.source_port_first = errors.source_port_last = 33434;
	errors.source_prefix = six ? 128 : 32;
	inet_pton(six ? AF_INET6 : AF_INET, from, errors.source);
	add(&errors);
	send_to(probe, from, 33435, "other", 5);
	send_to(probe, from, 33434, "probe", 5);
	record = captured(COMES_MS);
	snprintf(what, sizeof(what), "%s, error by what it quotes", family);
	check(what, record && record->rule_id == 2 && record->flags & KRX_RECORD_ERROR && !captured(SILENCE_MS));
	close(probe);
	flush();
}

/* What the system gets to see of a packet with edits: a socket checks the checksums, too. */
static void edits(void)
{
	struct krx_rule rule = udp_rule(1, KRX_FORWARD, HOME, 7040, 7040);
	int socket = bound(home, home, SOCK_DGRAM, 0, HOME, 7777), on = 1, ttl = 0, tos = 0;
	struct sockaddr_in from = { 0 };

	setsockopt(socket, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	setsockopt(socket, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	rule.edits[0] = (struct krx_edit){ KRX_EDIT_SOURCE, 4, 0, { 192, 0, 2, 99 } };
	rule.edits[1] = (struct krx_edit){ KRX_EDIT_SOURCE_PORT, 2, 0, { 0x30, 0x39 } };
	rule.edits[2] = (struct krx_edit){ KRX_EDIT_DESTINATION_PORT, 2, 0, { 7777 >> 8, 7777 & 255 } };
	rule.edits[3] = (struct krx_edit){ KRX_EDIT_TTL, 1, 0, { 77 } };
	rule.edits[4] = (struct krx_edit){ KRX_EDIT_DSCP, 1, 0, { 46 } };
	rule.edits[5] = (struct krx_edit){ KRX_EDIT_PAYLOAD, 3, 1, { 'X', 'Y', 'Z' } };
	add(&rule);
	far_sends(NEAR, HOME, 7040);
	check("edited payload at the edited port", !strcmp(heard(socket, COMES_MS, &from, &ttl, &tos), "dXYZgram"));
	check("edited source", from.sin_port == htons(12345) && from.sin_addr.s_addr == inet_addr("192.0.2.99"));
	check("edited TTL and DSCP", ttl == 77 && tos == 46 << 2);
	close(socket);
	flush();
}

static void edits_of_ipv6(void)
{
	struct krx_rule rule = udp_rule(1, KRX_FORWARD, NOBODY6, 7041, 7041);
	int socket = bound(home, home, SOCK_DGRAM, 0, HOME6, 7778);

	/* The address is answered for, and what comes is handed to one that this device has. */
	rule.match |= KRX_MATCH_INTERFACE;
	rule.interface_index = if_nametoindex("eth0");
	rule.flags = KRX_RULE_NEIGHBOUR;
	rule.edits[0].field = KRX_EDIT_DESTINATION;
	rule.edits[0].length = 16;
	inet_pton(AF_INET6, HOME6, rule.edits[0].value);
	rule.edits[1] = (struct krx_edit){ KRX_EDIT_DESTINATION_PORT, 2, 0, { 7778 >> 8, 7778 & 255 } };
	add(&rule);
	far_sends(NEAR6, NOBODY6, 7041);
	check("IPv6, edited destination of an address that a rule answers for", !strcmp(heard(socket, COMES_MS, NULL, NULL, NULL), "datagram"));
	close(socket);
	flush();
}

/* A UDP echo service at an address that nobody has: the prepared frame gets addresses, ports and payload of the match. */
static void reaction(const char *from, const char *at, const char *family)
{
	int six = strchr(at, ':') != NULL;
	struct sender sender = sender_open("eth0", 16, 4096);
	struct krx_rule rule = udp_rule(9, KRX_CAPTURE_DROP, at, 7, 7);
	int socket = bound(home, far, SOCK_DGRAM, 0, from, SOURCE_PORT);
	int length = 14 + (six ? 40 : 20) + 8, udp = length - 8;
	struct krx_rule_counters counters = { 0 };
	struct krx_rule_list list = { .capacity = 1, .counters = (uintptr_t)&counters };
	char what[64];

	memset(sender.frames, 0, length);
	memcpy(sender.frames + 12, six ? "\x86\xDD\x60" : "\x08\x00\x45", 3);
	sender.frames[six ? 20 : 23] = IPPROTO_UDP;
	sender.frames[six ? 21 : 22] = 64;
	rule.match |= KRX_MATCH_INTERFACE;
	rule.interface_index = if_nametoindex("eth0");
	rule.flags = KRX_RULE_NEIGHBOUR | KRX_RULE_REACT;
	rule.reaction = (struct krx_reaction){
		.ktx = sender.fd, .frame_length = length, .repeat = 1, .cookie = 0x0123456789ABCDEF,
		.flags = KRX_REACT_CHECKSUMS | KRX_REACT_APPEND_PAYLOAD,
		.copies = {
			{ KRX_BASE_LINK, KRX_COPY_BYTES, 6, 0, 6, 0 }, { KRX_BASE_LINK, KRX_COPY_BYTES, 0, 6, 6, 0 },
			{ KRX_BASE_NETWORK, KRX_COPY_BYTES, six ? 24 : 16, six ? 22 : 26, six ? 16 : 4, 0 },
			{ KRX_BASE_NETWORK, KRX_COPY_BYTES, six ? 8 : 12, six ? 38 : 30, six ? 16 : 4, 0 },
			{ KRX_BASE_TRANSPORT, KRX_COPY_BYTES, 0, udp + 2, 2, 0 }, { KRX_BASE_TRANSPORT, KRX_COPY_BYTES, 2, udp, 2, 0 },
		},
	};
	add(&rule);
	send_to(socket, at, 7, "come back", 9);
	snprintf(what, sizeof(what), "%s, reaction from an address that nobody has", family);
	check(what, !strcmp(heard(socket, COMES_MS, NULL, NULL, NULL), "come back"));
	snprintf(what, sizeof(what), "%s, the reaction's completion", family);
	check(what, sender.header->completion_producer == 1 && sender.completions[0].cookie == 0x0123456789ABCDEF &&
		    sender.completions[0].status == KTX_SENT && sender.completions[0].flags & KTX_COMPLETION_REACTION);
	snprintf(what, sizeof(what), "%s, the rule's counters", family);
	check(what, !ioctl(capturer.fd, KRX_IOC_RULE_LIST, &list) && list.count == 1 && counters.id == 9 && counters.packets == 1 &&
		    counters.captured == 1 && counters.reactions == 1 && counters.bytes == (unsigned int)(length - 14 + 9));
	close(socket);
	sender_close(&sender);
	flush();
}

static int refused(struct krx_rule rule)
{
	return ioctl(capturer.fd, KRX_IOC_RULE_ADD, &rule) ? errno : 0;
}

static void refusals(void)
{
	struct krx_rule rule = udp_rule(1, KRX_CAPTURE, HOME, 7000, 7000);

	add(&rule);
	check("an id that is taken", refused(rule) == EEXIST);
	rule.id = 2;
	rule.destination_prefix = 24;
	check("address bits beyond the prefix", refused(rule) == EINVAL);
	rule = udp_rule(2, KRX_CAPTURE, HOME, 7001, 7000);
	check("a range that ends before it begins", refused(rule) == EINVAL);
	rule = udp_rule(2, KRX_DROP, HOME, 22, 22);
	rule.protocol = IPPROTO_TCP;
	check("the device's own management", refused(rule) == EACCES);
	flush();
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: rules NAMESPACE\n");
		return 64;
	}
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	far = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (home < 0 || far < 0)
		die(argv[1]);
	capturer = capturer_open(64, 512);
	operations(NEAR, HOME, "IPv4");
	operations(NEAR6, HOME6, "IPv6");
	record(NEAR, HOME, "IPv4");
	record(NEAR6, HOME6, "IPv6");
	ports();
	prefixes();
	icmp(NEAR, HOME, "IPv4");
	icmp(NEAR6, HOME6, "IPv6");
	edits();
	edits_of_ipv6();
	reaction(NEAR, NOBODY, "IPv4");
	reaction(NEAR6, NOBODY6, "IPv6");
	refusals();
	printf("%d checks, %d wrong\n", checks, failures);
	return failures != 0;
}

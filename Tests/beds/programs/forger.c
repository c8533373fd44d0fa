// SPDX-License-Identifier: MIT
// A liar on the path. For every probe (ICMP echo, UDP, TCP SYN) that comes in by an interface it sends the prober
// answers that look right but for one thing: another token, identifier, port, sequence or address, a missing
// cookie, a wrong checksum. They reach the prober before the true answer. A prober that believes any of them
// reports a time that is too short. Stays in the background.
//   forger INTERFACE [NUMBER]    all lies, or only the one of that number, counted from 0 for each probe
//   forger INTERFACE labels ROUTER4 ROUTER6
//                                answers like the next router, of those addresses, but as one of an MPLS network
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ICMP4 = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

struct probe {
	const uint8_t *header, *inner; // IP header, and the header after it
	int header_length, inner_length, six, protocol;
};

static int raw4, raw6, only = -1, told;
// In whose name it answers; none: the probe's destination.
static uint8_t router4[4], router6[16];
static int labels;

static uint32_t sum(const uint8_t *bytes, int length, uint32_t total)
{
	for (int at = 0; at + 1 < length; at += 2)
		total += bytes[at] << 8 | bytes[at + 1];
	return length & 1 ? total + (bytes[length - 1] << 8) : total;
}

// Sends an answer with the probe's addresses turned round. `stranger` changes the sender's address, `spoil` is
// added to the checksum.
static void answer(const struct probe *probe, int protocol, uint8_t *body, int length, int stranger, int spoil)
{
	static const int checksum_at[256] = { [ICMP4] = 2, [TCP] = 16, [UDP] = 6, [ICMP6] = 2 };
	uint8_t packet[4096] = { 0 };
	int header = probe->six ? 40 : 20, address = probe->six ? 16 : 4, first = probe->six ? 8 : 12;
	uint8_t *checksum = body + checksum_at[protocol];
	uint32_t total = 0;

	if (told++ != only && only >= 0)
		return;
	memcpy(packet + first, probe->header + first + address, address);
	memcpy(packet + first + address, probe->header + first, address);
	if (labels)
		memcpy(packet + first, probe->six ? router6 : router4, address);
	packet[first + address - 1] ^= stranger;
	checksum[0] = checksum[1] = 0;
	if (protocol != ICMP4)
		total = sum(packet + first, 2 * address, protocol + length);
	total = sum(body, length, total);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	total = ((~total & 0xffff) + spoil) & 0xffff;
	checksum[0] = total >> 8;
	checksum[1] = total;
	memcpy(packet + header, body, length);

	if (probe->six) {
		struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

		packet[0] = 0x60;
		packet[4] = length >> 8;
		packet[5] = length;
		packet[6] = protocol;
		packet[7] = 64;
		memcpy(&to.sin6_addr, packet + 24, 16);
		sendto(raw6, packet, header + length, 0, (struct sockaddr *)&to, sizeof(to));
	} else {
		struct sockaddr_in to = { .sin_family = AF_INET };

		packet[0] = 0x45;
		packet[8] = 64;
		packet[9] = protocol;
		memcpy(&to.sin_addr, packet + 16, 4);
		sendto(raw4, packet, header + length, 0, (struct sockaddr *)&to, sizeof(to));
	}
}

// An ICMP error that quotes the probe with one byte changed (`at` of the packet; none when negative).
static void error(const struct probe *probe, int unreachable, int at, int quoted)
{
	uint8_t body[600] = { 0 };
	int length = probe->header_length + probe->inner_length;

	if (length > quoted)
		length = quoted;
	body[0] = probe->six ? (unreachable ? 1 : 3) : (unreachable ? 3 : 11);
	memcpy(body + 8, probe->header, length);
	if (at >= 0 && at < length)
		body[8 + at] ^= 0x55;
	answer(probe, probe->six ? ICMP6 : ICMP4, body, 8 + length, 1, 0);
}

static void errors(const struct probe *probe)
{
	int inner = probe->header_length, last_address_byte = probe->six ? 39 : 19;

	for (int unreachable = 0; unreachable < 2; unreachable++) {
		// What tells a flow from another: ICMP identifier, source port, TCP sequence, token in the payload.
		error(probe, unreachable, inner + (probe->protocol == ICMP4 || probe->protocol == ICMP6 ? 4 : 0), 512);
		error(probe, unreachable, inner + (probe->protocol == TCP ? 4 : 8), 512);
		error(probe, unreachable, last_address_byte, 512);
		error(probe, unreachable, -1, 12);
		error(probe, unreachable, -1, 0);
	}
}

static void echo_replies(const struct probe *probe)
{
	uint8_t body[2048];
	int length = probe->inner_length;

#define FORGE(change, kept, stranger, spoil) \
	do { \
		memcpy(body, probe->inner, length); \
		body[0] = probe->six ? 129 : 0; \
		change; \
		answer(probe, probe->protocol, body, kept, stranger, spoil); \
	} while (0)
	FORGE(body[5] ^= 1, length, 0, 0);
	FORGE(body[6] ^= 0x40, length, 0, 0);
	if (length >= 16) {
		FORGE(body[8] ^= 1, length, 0, 0);
		FORGE(body[14] ^= 0x40, length, 0, 0);
		FORGE((void)0, 8, 0, 0);
		FORGE((void)0, 11, 0, 0);
	}
	FORGE((void)0, length, 0, 1);
	FORGE((void)0, 4, 0, 0);
#undef FORGE
}

static void udp_answers(const struct probe *probe)
{
	uint8_t body[2048];
	int length = probe->inner_length;

#define FORGE(change, stranger, spoil) \
	do { \
		memcpy(body, probe->inner + 2, 2); \
		memcpy(body + 2, probe->inner, 2); \
		memcpy(body + 4, probe->inner + 4, length - 4); \
		change; \
		answer(probe, UDP, body, length, stranger, spoil); \
	} while (0)
	FORGE(body[1] ^= 1, 0, 0);
	FORGE((void)0, 1, 0);
	FORGE((void)0, 0, 1);
	if (length >= 16) {
		FORGE(body[8] ^= 1, 0, 0);
		FORGE(body[14] ^= 0x40, 0, 0);
	}
#undef FORGE
}

static void tcp_answers(const struct probe *probe)
{
	uint8_t body[20];
	uint32_t sequence = probe->inner[4] << 24 | probe->inner[5] << 16 | probe->inner[6] << 8 | probe->inner[7];

#define FORGE(flags, acknowledged, change, stranger, spoil) \
	do { \
		uint32_t number = htonl(acknowledged); \
		memset(body, 0, sizeof(body)); \
		memcpy(body, probe->inner + 2, 2); \
		memcpy(body + 2, probe->inner, 2); \
		memcpy(body + 8, &number, 4); \
		body[12] = 0x50; \
		body[13] = flags; \
		change; \
		answer(probe, TCP, body, sizeof(body), stranger, spoil); \
	} while (0)
	for (int flags = 0x12; flags <= 0x14; flags += 2) { // SYN-ACK, RST-ACK
		FORGE(flags, (sequence ^ 0x10000000) + 1, (void)0, 0, 0);
		FORGE(flags, sequence + 0x4001, (void)0, 0, 0);
		FORGE(flags, sequence + 1, body[1] ^= 1, 0, 0);
		FORGE(flags, sequence + 1, (void)0, 1, 0);
		FORGE(flags, sequence + 1, (void)0, 0, 1);
	}
#undef FORGE
}

// Time exceeded with an extension object (RFC 4884, 4.1 and 7) of two labels (RFC 4950): 16001, traffic class 5,
// TTL 1, and the bottom of the stack, 24, 0, 254.
static void labelled(const struct probe *probe)
{
	static const uint8_t extension[] = { 0x20, 0, 0, 0, 0, 12, 1, 1, 0x03, 0xe8, 0x1a, 1, 0x00, 0x01, 0x81, 254 };
	uint8_t body[8 + 128 + sizeof(extension)] = { 0 };
	uint32_t total = 0xffff - sum(extension, sizeof(extension), 0) % 0xffff;
	int length = probe->header_length + probe->inner_length;

	body[0] = probe->six ? 3 : 11;
	body[probe->six ? 4 : 5] = probe->six ? 128 / 8 : 128 / 4;
	memcpy(body + 8, probe->header, length < 128 ? length : 128);
	body[8 + (probe->six ? 7 : 8)] = 1;
	memcpy(body + 8 + 128, extension, sizeof(extension));
	body[8 + 128 + 2] = total >> 8;
	body[8 + 128 + 3] = total;
	answer(probe, probe->six ? ICMP6 : ICMP4, body, sizeof(body), 0, 0);
}

static void lie(const uint8_t *packet, int length)
{
	struct probe probe = { .header = packet, .six = packet[0] >> 4 == 6 };

	told = 0;
	probe.header_length = probe.six ? 40 : (packet[0] & 15) * 4;
	probe.inner = packet + probe.header_length;
	probe.inner_length = length - probe.header_length;
	probe.protocol = packet[probe.six ? 6 : 9];
	if (probe.inner_length < 8 || probe.inner_length > 1500)
		return;
	if (labels) {
		if (packet[probe.six ? 7 : 8] == 2)
			labelled(&probe);
		return;
	}
	if ((probe.protocol == ICMP4 && probe.inner[0] == 8) || (probe.protocol == ICMP6 && probe.inner[0] == 128))
		echo_replies(&probe);
	else if (probe.protocol == UDP)
		udp_answers(&probe);
	else if (probe.protocol == TCP && probe.inner_length >= 20 && probe.inner[13] == 2)
		tcp_answers(&probe);
	else
		return;
	errors(&probe);
}

int main(int count, char **arguments)
{
	struct sockaddr_ll place = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) }, from;
	static uint8_t packet[65536];
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), on = 1;

	if (count < 2)
		return 64;
	labels = count == 5 && inet_pton(AF_INET, arguments[3], router4) && inet_pton(AF_INET6, arguments[4], router6);
	if (count == 3)
		only = atoi(arguments[2]);
	raw4 = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	raw6 = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
	place.sll_ifindex = if_nametoindex(arguments[1]);
	// Answers in a stranger's name need not have a route.
	if (setsockopt(raw4, SOL_IP, IP_FREEBIND, &on, sizeof(on)) || !place.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&place, sizeof(place)) || daemon(0, 0)) {
		perror("forger");
		return 1;
	}
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &size);

		if (length >= 40 || (length >= 28 && packet[0] >> 4 == 4))
			if (from.sll_pkttype != PACKET_OUTGOING)
				lie(packet, length);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Sockets that need no privileges: ICMP datagram sockets (icmp(7), ping_group_range), UDP with IP_RECVERR,
 * and TCP connections used as probes. All non-blocking, close-on-exec. Answers come through
 * sys_message.h.
 */
#ifndef KTRXER_SYS_SOCKET_H
#define KTRXER_SYS_SOCKET_H

#include <stdint.h>

struct ktrxer_socket_setup {
	uint32_t family; /* 4 or 6 */
	uint32_t has_source; /* 0: the routing table's choice */
	uint8_t source[16];
	uint8_t destination[16];
	uint32_t destination_port; /* UDP, TCP */
	uint32_t source_port; /* 0: any free one. ICMP: the identifier */
	uint32_t traffic_class;
	uint32_t dont_fragment;
	uint32_t ttl;
	uint32_t interface_index; /* scope of link-local addresses; 0: none */
	uint32_t bind_interface; /* 1: only through that interface */
	char interface[16]; /* its name, NUL-terminated */
};

struct ktrxer_socket_name {
	uint8_t source[16]; /* the source address that the routing table gave */
	uint32_t source_port; /* or the ICMP identifier */
	uint32_t mtu; /* path MTU as the kernel knows it, bytes with IP header; 0 unknown */
};

/* A descriptor, or -errno. Both are connected: only the target's answers are delivered. */
int32_t ktrxer_ping_socket(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name);
int32_t ktrxer_udp_socket(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name);
/* Sends one datagram with a TTL of its own. 0 or -errno. */
int32_t ktrxer_socket_send(int32_t descriptor, uint32_t family, const void *bytes, uint32_t length, uint32_t ttl);

/* Starts one TCP connection, whose SYN is sent once. A descriptor or -errno. */
int32_t ktrxer_tcp_probe(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name);
struct ktrxer_tcp_outcome {
	int32_t error; /* 0: connected (SYN and ACK came); else positive errno */
	uint32_t refused; /* 1: a RST came */
	uint32_t round_trip_us; /* the kernel's measure, when connected */
	uint32_t retransmits; /* SYNs that were sent again, so that the answer is not to ours */
};
/* 1: *outcome is known; 0: still waiting. */
int32_t ktrxer_tcp_outcome(int32_t descriptor, struct ktrxer_tcp_outcome *outcome);
/* Closes with a RST rather than leaving a connection behind. */
void ktrxer_tcp_abort(int32_t descriptor);

/* Holds a UDP port of an address so that no other program uses it, and so that answers to it draw no
 * "port unreachable"; whatever arrives is thrown away. A descriptor or -errno. */
int32_t ktrxer_udp_reserve(const struct ktrxer_socket_setup *setup, struct ktrxer_socket_name *name);

void ktrxer_close(int32_t descriptor);

/*
 * Waits until one of the descriptors is readable (or writable, if its entry in `writable` is 1), or until
 * timeout ns have passed (negative: for ever). Sets ready[i] to 1 or 0. Number ready or -errno (-EINTR: a
 * signal).
 */
int32_t ktrxer_wait(const int32_t *descriptors, const uint8_t *writable, uint8_t *ready, uint32_t count,
		    int64_t timeout);

#endif

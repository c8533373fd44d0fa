/* SPDX-License-Identifier: MIT */
/*
 * What the tests of routes need of the system and Swift cannot call by itself: running one thread in another
 * network namespace or without a privilege, a tun device with a program behind it, and a small name server.
 * Linked into tests only.
 */
#ifndef KTRXER_TEST_NAMESPACE_H
#define KTRXER_TEST_NAMESPACE_H

#include <stdint.h>

/* Runs a shell script in the calling thread's namespace; its exit status, or -1. */
int32_t test_shell(const char *script);

/* Moves the calling thread into a named namespace; a descriptor of the one it was in, or -errno. */
int32_t test_namespace_enter(const char *name);
/* Moves it back, and closes the descriptor. 0 or -errno. */
int32_t test_namespace_leave(int32_t before);

/* Takes CAP_NET_ADMIN from the calling thread's effective set (0), or gives it back (1). 0 or -errno. */
int32_t test_set_network_admin(int32_t allowed);

/* Makes a tun device of that name here, held until the descriptor is closed; the descriptor or -errno. */
int32_t test_tun_open(const char *name);

/* Waits until the descriptor is readable, at most so long (ms). 1 or 0. */
int32_t test_wait_readable(int32_t descriptor, int32_t milliseconds);
/* A UDP socket bound to a port on all IPv4 and IPv6 addresses here; or -errno. */
int32_t test_udp_open(uint16_t port);
void test_close(int32_t descriptor);

/*
 * Answers DNS questions that come to the socket, until test_name_server_stop; then closes it. Names that
 * begin with "both" have 192.0.2.80 and 2001:db8::80, with "four" or "six" one of them, with "many" 12 IPv4
 * addresses; those that begin with "fail" get SERVFAIL, "mute" no answer at all; no others exist.
 */
void test_name_server(int32_t descriptor);
/* From another thread. */
void test_name_server_stop(int32_t descriptor);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses with the C library's resolver (/etc/hosts, DNS), in a child process, because getaddrinfo
 * blocks for as long as the name servers are silent. Why it failed it does not tell: they are asked once more.
 */
#ifndef KTRXER_SYS_RESOLVE_H
#define KTRXER_SYS_RESOLVE_H

#include <stdint.h>

enum ktrxer_resolve_status {
	KTRXER_RESOLVE_OK = 0,
	KTRXER_RESOLVE_NOT_FOUND, /* the name servers say that there is no such name, or it has no address */
	KTRXER_RESOLVE_WRONG_FAMILY, /* it has addresses, but none of the family asked for */
	KTRXER_RESOLVE_FAILED, /* the name servers answered that they could not find out (SERVFAIL, REFUSED, …) */
	KTRXER_RESOLVE_SILENT, /* no name server answered, or could be reached */
	KTRXER_RESOLVE_NO_SERVER, /* /etc/resolv.conf is missing or names none, and there is none on this host */
};

/* Of addresses in an answer; of name servers, as many as C libraries ask; and of the text of those, with its NUL. */
enum { KTRXER_RESOLVE_MAXIMUM = 8, KTRXER_RESOLVE_SERVERS = 3, KTRXER_RESOLVE_SERVERS_BYTES = 160 };

struct ktrxer_resolve_address {
	uint8_t family; /* 4 or 6 */
	uint8_t bytes[16]; /* IPv4: the first 4 */
};

struct ktrxer_resolve_answer {
	uint8_t status; /* enum ktrxer_resolve_status */
	uint8_t count; /* addresses that follow, best first (RFC 6724) */
	struct ktrxer_resolve_address addresses[KTRXER_RESOLVE_MAXIMUM];
};

/* 0 for one to KTRXER_RESOLVE_SERVERS addresses with spaces between, less than KTRXER_RESOLVE_SERVERS_BYTES; else -EINVAL. */
int32_t ktrxer_resolve_check(const void *servers, uint32_t length);
/*
 * Name servers to ask from now on in place of those of /etc/resolv.conf, as text that passes the check. Empty (or refused):
 * those of the environment variable KTRXER_RESOLVER, in the same form; without it, those of /etc/resolv.conf. It is for
 * systems that have no such file, as Android has none. In the device binary with musl only (resolv_conf.c); elsewhere the C
 * library asks whom it likes: bionic has Android do it, and a line says that these servers are not asked. Returns 0, or
 * -EINVAL where it comes down to the variable and that does not pass the check: it is not used.
 */
int32_t ktrxer_resolve_servers(const void *servers, uint32_t length);
/* The first name server that is asked, as text; "" when none is set or written anywhere. Valid until the next call. */
const char *ktrxer_resolve_first(void);
/* The next of those servers, in a copy of the text that ktrxer_resolve_own_servers filled; NULL after the last. */
char *ktrxer_resolve_next(char **rest);
/* Copies what holds now, "" for none. */
void ktrxer_resolve_own_servers(char out[KTRXER_RESOLVE_SERVERS_BYTES]);

/*
 * Starts looking a NUL-terminated name up. `family` is 4, 6, or 0 for both. Returns a non-blocking descriptor
 * that becomes readable when the answer is there, and sets the child's process id; or -errno. The child dies
 * with this thread.
 */
int32_t ktrxer_resolve_start(const char *name, int32_t family, int32_t *process);
/* Takes the answer. 1: out filled; 0: not there yet; -EPIPE: the child ended without one. */
int32_t ktrxer_resolve_read(int32_t descriptor, struct ktrxer_resolve_answer *out);
/* Closes the descriptor, ends the child if it is still at it, and reaps it. Once for each start. */
void ktrxer_resolve_close(int32_t descriptor, int32_t process);

#endif

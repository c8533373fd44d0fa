/* SPDX-License-Identifier: MIT */
/*
 * Lets musl's resolver ask the name servers that ktrxer_resolve_servers set: its own come from /etc/resolv.conf alone,
 * which Android does not have, nor may one write there. Linked with --wrap=__get_resolv_conf; the structures are musl's of
 * src/network/lookup.h, the same in 1.1.13 to 1.2.5. Not part of the host build and of the C library.
 */
#include "sys_resolve.h"

#include <stddef.h>
#include <sys/socket.h>

struct address {
	int family;
	unsigned int scope;
	uint8_t bytes[16];
	int order;
};

struct resolvconf {
	struct address servers[KTRXER_RESOLVE_SERVERS]; /* musl's MAXNS */
	unsigned int count, attempts, dots, timeout;
};

int __lookup_ipliteral(struct address *out, const char *name, int family);
int __real___get_resolv_conf(struct resolvconf *conf, char *search, size_t size);
int __wrap___get_resolv_conf(struct resolvconf *conf, char *search, size_t size);

int __wrap___get_resolv_conf(struct resolvconf *conf, char *search, size_t size)
{
	char text[KTRXER_RESOLVE_SERVERS_BYTES], *rest = text, *word;
	int result = __real___get_resolv_conf(conf, search, size);
	unsigned int count = 0;

	ktrxer_resolve_own_servers(text);
	while (count < KTRXER_RESOLVE_SERVERS && (word = ktrxer_resolve_next(&rest)))
		if (__lookup_ipliteral(&conf->servers[count], word, AF_UNSPEC) > 0)
			count++;
	if (!count)
		return result;
	conf->count = count;
	return 0;
}

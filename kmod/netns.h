/* SPDX-License-Identifier: GPL-2.0 */
/* What the module keeps for each network namespace, and the lock of everything that is configured. */
#ifndef KTRXER_NETNS_H
#define KTRXER_NETNS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct net;
struct krx_hooks;

/*
 * Held while files are bound, set up and released, while rules change, and while interfaces and namespaces go away.
 * Taken inside the RTNL, never the other way round. Packets never take it.
 */
extern struct mutex ktrxer_config;

struct ktrxer_net {
	struct net *net;
	bool leaving; /* no file may join any more */
	struct list_head senders; /* struct ktx.in_net */
	struct list_head capturers; /* struct krx.in_net; read under RCU by the hook */
	struct krx_hooks *hooks; /* hook.c; NULL without rules */
};

/*
 * The namespace of whoever opens a file, if it may: CAP_NET_RAW over it. ERR_PTR(-EPERM) otherwise. Good until
 * ktx_leave_net() or krx_leave_net() is called for it, under ktrxer_config; no reference is held, so an open file
 * does not keep a namespace alive.
 */
struct ktrxer_net *ktrxer_net_of_opener(void);

/* Called with ktrxer_config held, when the namespace goes away: forget it, end what depends on it. */
void ktx_leave_net(struct ktrxer_net *kn);
void krx_leave_net(struct ktrxer_net *kn);

#endif

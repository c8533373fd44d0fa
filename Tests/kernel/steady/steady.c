// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the kernel from rewriting its receive path: a hook of each family that does nothing, behind all others, and
 * somebody who wants receive stamps. With the first hook and the last, and the first wish for stamps and the last, the
 * kernel patches its code while other processors run it. Processors can do that, but qemu's emulation of several (seen
 * up to 8.0) now and then executes a breakpoint that is not there any more, of which the guest dies ("Oops: int3").
 */
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/net_namespace.h>

static unsigned int pass(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static const struct nf_hook_ops hooks[] = {
	{ .hook = pass, .pf = NFPROTO_IPV4, .hooknum = NF_INET_PRE_ROUTING, .priority = INT_MAX },
	{ .hook = pass, .pf = NFPROTO_IPV6, .hooknum = NF_INET_PRE_ROUTING, .priority = INT_MAX },
};

static int __init steady_init(void)
{
	int result = nf_register_net_hooks(&init_net, hooks, ARRAY_SIZE(hooks));

	if (!result)
		net_enable_timestamp();
	return result;
}

static void __exit steady_exit(void)
{
	net_disable_timestamp();
	nf_unregister_net_hooks(&init_net, hooks, ARRAY_SIZE(hooks));
}

module_init(steady_init);
module_exit(steady_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("keeps hooks and stamps switched on");

// SPDX-License-Identifier: GPL-2.0
/*
 * Wants to be the first in NF_INET_PRE_ROUTING as well: registers at the lowest priority, and throws away all UDP to
 * port 5999 that it sees. With `again` it registers anew every so many ms, as a second module of kTRxer's kind would. With
 * `late` it registers when that parameter is written to for the first time, long after it was loaded.
 */
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/ip.h>
#include <net/net_namespace.h>

static unsigned int again;
module_param(again, uint, 0400);
static unsigned int registrations;
module_param(registrations, uint, 0400);
static unsigned int seen;
module_param(seen, uint, 0400);

static unsigned int look(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct udphdr *udp;
	struct udphdr buffer;

	if (ip_hdr(skb)->protocol != IPPROTO_UDP)
		return NF_ACCEPT;
	udp = skb_header_pointer(skb, ip_hdrlen(skb), sizeof(buffer), &buffer);
	if (!udp || udp->dest != htons(5999))
		return NF_ACCEPT;
	seen++;
	return NF_DROP;
}

static const struct nf_hook_ops hook = {
	.hook = look,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_PRE_ROUTING,
	.priority = INT_MIN,
};

static void fight(struct work_struct *work);
static DECLARE_DELAYED_WORK(next, fight);

static void fight(struct work_struct *work)
{
	nf_unregister_net_hook(&init_net, &hook);
	if (nf_register_net_hook(&init_net, &hook))
		return;
	registrations++;
	schedule_delayed_work(&next, msecs_to_jiffies(again));
}

static bool late;
static bool registered;

static int set_late(const char *value, const struct kernel_param *parameter)
{
	int result;

	if (!late) {
		late = true;
		return 0;
	}
	if (registered)
		return -EBUSY;
	result = nf_register_net_hook(&init_net, &hook);
	registered = !result;
	return result;
}

static const struct kernel_param_ops late_operations = {
	.set = set_late,
	.get = param_get_bool,
};
module_param_cb(late, &late_operations, &late, 0600);

static int __init rival_init(void)
{
	int result;

	if (late)
		return 0;
	result = nf_register_net_hook(&init_net, &hook);
	registered = !result;
	if (!result && again)
		schedule_delayed_work(&next, msecs_to_jiffies(again));
	return result;
}

static void __exit rival_exit(void)
{
	cancel_delayed_work_sync(&next);
	if (registered)
		nf_unregister_net_hook(&init_net, &hook);
}

module_init(rival_init);
module_exit(rival_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a hook that wants to be the first");

// SPDX-License-Identifier: GPL-2.0
/* The module's beginning and end, and its part in network namespaces and interfaces coming and going. */
#include "krx.h"
#include "ktx.h"
#include "netns.h"
#include "parameters.h"
#include "selftest/selftest.h"
#include "version.h"

#include <linux/capability.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

/* What it guards: netns.h. */
DEFINE_MUTEX(ktrxer_config);

static unsigned int net_id;

struct ktrxer_net *ktrxer_net_of_opener(void)
{
	struct net *net = current->nsproxy->net_ns;
	struct ktrxer_net *kn;

	lockdep_assert_held(&ktrxer_config);
	if (!ns_capable(net->user_ns, CAP_NET_RAW))
		return ERR_PTR(-EPERM);
	kn = net_generic(net, net_id);
	return kn->leaving ? ERR_PTR(-ENODEV) : kn;
}

static int __net_init enter_net(struct net *net)
{
	struct ktrxer_net *kn = net_generic(net, net_id);

	kn->net = net;
	INIT_LIST_HEAD(&kn->senders);
	INIT_LIST_HEAD(&kn->capturers);
	return 0;
}

static void __net_exit exit_net(struct net *net)
{
	struct ktrxer_net *kn = net_generic(net, net_id);

	mutex_lock(&ktrxer_config);
	kn->leaving = true;
	ktx_leave_net(kn);
	krx_leave_net(kn);
	mutex_unlock(&ktrxer_config);
}

static struct pernet_operations net_operations = {
	.init = enter_net,
	.exit = exit_net,
	.id = &net_id,
	.size = sizeof(struct ktrxer_net),
};

static int device_event(struct notifier_block *block, unsigned long event, void *pointer)
{
	struct net_device *dev = netdev_notifier_info_to_dev(pointer);
	struct ktrxer_net *kn = net_generic(dev_net(dev), net_id);

	/* Also when it only moves to another namespace. */
	if (event == NETDEV_UNREGISTER) {
		mutex_lock(&ktrxer_config);
		ktx_leave_device(kn, dev);
		krx_leave_device(kn, dev);
		mutex_unlock(&ktrxer_config);
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_event,
};

static int __init ktrxer_init(void)
{
	int result;

	if (!ktrxer_selftest())
		return -ENOTRECOVERABLE;
	result = register_pernet_subsys(&net_operations);
	if (result)
		return result;
	result = register_netdevice_notifier(&device_notifier);
	if (result)
		goto no_notifier;
	result = krx_register();
	if (result)
		goto no_krx;
	/* Last what makes the module reachable for sending: all that a file needs is there. */
	result = ktx_register();
	if (result)
		goto no_ktx;
	pr_info("ktrxer %s: /dev/ktx and /dev/krx\n", KTRXER_VERSION);
	return 0;

no_ktx:
	krx_unregister();
no_krx:
	unregister_netdevice_notifier(&device_notifier);
no_notifier:
	unregister_pernet_subsys(&net_operations);
	return result;
}

static void __exit ktrxer_exit(void)
{
	ktx_unregister();
	krx_unregister();
	unregister_netdevice_notifier(&device_notifier);
	unregister_pernet_subsys(&net_operations);
	/* Files closed just now have left callbacks of RCU, and functions under RCU that let go of the module. */
	rcu_barrier();
	synchronize_rcu();
}

module_init(ktrxer_init);
module_exit(ktrxer_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Active probing: frames sent at their instant, answers captured first");
MODULE_VERSION(KTRXER_VERSION);

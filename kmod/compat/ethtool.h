/* SPDX-License-Identifier: GPL-2.0 */
/* Whether a device says that it stamps frames that are sent, which kernel versions ask in different ways. */
#ifndef KTRXER_COMPAT_ETHTOOL_H
#define KTRXER_COMPAT_ETHTOOL_H

#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/phy.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#include <net/netdev_lock.h>
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define COMPAT_TS_INFO kernel_ethtool_ts_info
#else
#define COMPAT_TS_INFO ethtool_ts_info
#endif

/* Does its PHY stamp? Then it is that which the device asks. */
static inline bool compat_phy_stamps(struct phy_device *phy)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 6, 0)
	return phy_has_tsinfo(phy);
#else
	return phy && phy->drv && phy->drv->ts_info;
#endif
}

/* RTNL held. */
static inline bool compat_device_stamps(struct net_device *dev)
{
	struct COMPAT_TS_INFO info = { .cmd = ETHTOOL_GET_TS_INFO };
	int result;

	if (compat_phy_stamps(dev->phydev))
		return true;
	if (!dev->ethtool_ops || !dev->ethtool_ops->get_ts_info)
		return false;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	netdev_lock_ops(dev);
#endif
	result = dev->ethtool_ops->get_ts_info(dev, &info);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	netdev_unlock_ops(dev);
#endif
	return !result && info.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE;
}

#endif

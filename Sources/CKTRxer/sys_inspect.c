/* SPDX-License-Identifier: MIT */
#include "sys_inspect.h"

#include "sys_clock.h"
#include "sys_device.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int32_t ktrxer_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return 0;
	return (sets[0].effective & 1u << CAP_NET_ADMIN ? KTRXER_CAPABILITY_NET_ADMIN : 0) |
	       (sets[0].effective & 1u << CAP_NET_RAW ? KTRXER_CAPABILITY_NET_RAW : 0);
}

int64_t ktrxer_timer_resolution(void)
{
	struct timespec resolution;

	clock_getres(CLOCK_MONOTONIC, &resolution);
	return (int64_t)resolution.tv_sec * 1000000000 + resolution.tv_nsec;
}

enum { WAKES = 50, WAKE_GAP = 1000000 };

int64_t ktrxer_wake_lateness(int64_t *worst)
{
	int64_t late[WAKES];

	for (int count = 0; count < WAKES; count++) {
		int64_t until = ktrxer_clock_monotonic() + WAKE_GAP, found;
		struct timespec instant = { .tv_sec = (time_t)(until / 1000000000), .tv_nsec = until % 1000000000 };
		int place = count;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL);
		found = ktrxer_clock_monotonic() - until;
		/* In order, the least first. */
		for (; place > 0 && late[place - 1] > found; place--)
			late[place] = late[place - 1];
		late[place] = found;
	}
	*worst = late[WAKES - 1];
	return late[WAKES / 2];
}

int64_t ktrxer_longest_interruption(int64_t watch)
{
	int64_t last = ktrxer_clock_monotonic(), longest = 0;

	for (int64_t end = last + watch; last < end;) {
		int64_t now = ktrxer_clock_monotonic();

		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	return longest;
}

int64_t ktrxer_timer_lead(int32_t interface)
{
	struct ktrxer_sender_setup setup = {
		.interface_index = (uint32_t)interface, .submission_entries = 2, .completion_entries = 2, .frame_bytes = 1,
		.queue = KTRXER_QUEUE_ANY,
	};
	struct ktrxer_sender sender;
	struct ktrxer_device_info info;
	int32_t result, device = ktrxer_sender_device();

	if (device < 0)
		return device;
	result = ktrxer_sender_bind(&sender, device, &setup);
	if (result < 0)
		return result;
	result = ktrxer_device_info(sender.descriptor, &info);
	ktrxer_sender_close(&sender);
	return result < 0 ? result : (int64_t)info.timer_lead_ns;
}

static int ask(int fd, struct ifreq *request, void *question)
{
	request->ifr_data = question;
	return ioctl(fd, SIOCETHTOOL, request);
}

int32_t ktrxer_card(const char *interface, struct ktrxer_card *out)
{
	static const struct {
		uint32_t command, mask, flag;
	} offloads[] = {
		{ ETHTOOL_GGRO, 1, KTRXER_CARD_GRO },
		{ ETHTOOL_GFLAGS, ETH_FLAG_LRO, KTRXER_CARD_LRO },
		{ ETHTOOL_GGSO, 1, KTRXER_CARD_GSO },
		{ ETHTOOL_GTSO, 1, KTRXER_CARD_TSO },
	};
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_ts_info stamps = { .cmd = ETHTOOL_GET_TS_INFO, .phc_index = -1 };
	struct ifreq request;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return -errno;
	memset(&request, 0, sizeof(request));
	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (ask(fd, &request, &driver) == 0)
		memcpy(out->driver, driver.driver, sizeof(out->driver) - 1);
	for (uint32_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
		struct ethtool_value value = { .cmd = offloads[i].command };

		if (ask(fd, &request, &value) == 0 && value.data & offloads[i].mask)
			out->flags |= offloads[i].flag;
	}
	if (ask(fd, &request, &stamps) == 0) {
		if (stamps.so_timestamping & SOF_TIMESTAMPING_TX_SOFTWARE)
			out->flags |= KTRXER_CARD_STAMPS_SENT;
		if (stamps.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE)
			out->flags |= KTRXER_CARD_HARDWARE_SENT;
		if (stamps.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE)
			out->flags |= KTRXER_CARD_HARDWARE_RECEIVED;
		if (stamps.phc_index >= 0)
			out->flags |= KTRXER_CARD_HARDWARE_CLOCK;
	}
	close(fd);
	return 0;
}

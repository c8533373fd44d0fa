/* SPDX-License-Identifier: MIT */
#include "sys_inspect.h"

#include "sys_clock.h"

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
#include <sys/utsname.h>
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

void ktrxer_kernel_name(struct ktrxer_kernel_name *out)
{
	struct utsname name;

	memset(out, 0, sizeof(*out));
	if (uname(&name) < 0)
		return;
	strncpy(out->release, name.release, sizeof(out->release) - 1);
	strncpy(out->machine, name.machine, sizeof(out->machine) - 1);
}

int64_t ktrxer_timer_resolution(void)
{
	struct timespec resolution;

	clock_getres(CLOCK_MONOTONIC, &resolution);
	return (int64_t)resolution.tv_sec * 1000000000 + resolution.tv_nsec;
}

int64_t ktrxer_sleep_lateness(int64_t until)
{
	struct timespec instant = { .tv_sec = (time_t)(until / 1000000000), .tv_nsec = until % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL);
	return ktrxer_clock_monotonic() - until;
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

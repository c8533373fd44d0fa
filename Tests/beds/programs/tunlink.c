// SPDX-License-Identifier: MIT
// A cable of raw IP between two network namespaces: a tun device in each (no link header, like a phone's modem
// or a VPN), and this program, in the background, that carries every packet from one to the other.
//   tunlink NAMESPACE-A NAMESPACE-B DEVICE
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int tun_in(const char *namespace, const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
	fd = open("/dev/net/tun", O_RDWR);
	strncpy(request.ifr_name, device, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
		perror("/dev/net/tun");
		exit(1);
	}
	return fd;
}

static void carry(int from, int to)
{
	static char packet[65536];
	ssize_t length = read(from, packet, sizeof(packet));

	// A device that is down takes nothing; that is how a pulled cable behaves.
	if (length > 0 && write(to, packet, length) < 0)
		return;
}

int main(int count, char **arguments)
{
	struct pollfd ends[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (count != 4)
		return 64;
	ends[0].fd = tun_in(arguments[1], arguments[3]);
	ends[1].fd = tun_in(arguments[2], arguments[3]);
	if (daemon(0, 0))
		return 1;
	while (poll(ends, 2, -1) >= 0)
		for (int end = 0; end < 2; end++)
			if (ends[end].revents)
				carry(ends[end].fd, ends[!end].fd);
	return 1;
}

// SPDX-License-Identifier: MIT
// A PPPoE session between two Ethernet devices in two network namespaces, as a DSL line has it after discovery
// and negotiation, both of which are left out: each end gets the other's hardware address and the session's
// number, and a ppp device that passes IPv4 and IPv6. Stays in the background; the session ends with it.
//   pppoelink NAMESPACE-A ETHERNET-A MAC-A NAMESPACE-B ETHERNET-B MAC-B
#include <fcntl.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_pppox.h>
#include <linux/ppp-ioctl.h>
#include <linux/ppp_defs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PPP_IP_PROTOCOL 0x21
#define PPP_IPV6_PROTOCOL 0x57

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static void session_in(const char *namespace, const char *ethernet, const char *peer)
{
	struct sockaddr_pppox address = { .sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OE };
	struct npioctl pass = { .mode = NPMODE_PASS };
	unsigned char *mac = address.sa_addr.pppoe.remote;
	int session, channel, unit, channel_index, unit_index = -1, mtu = 1492;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	fd = open(path, O_RDONLY);
	must(fd, path);
	must(setns(fd, CLONE_NEWNET), path);
	close(fd);

	if (sscanf(peer, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		exit(64);
	address.sa_addr.pppoe.sid = htons(42);
	strncpy(address.sa_addr.pppoe.dev, ethernet, IFNAMSIZ - 1);

	session = socket(AF_PPPOX, SOCK_STREAM, PX_PROTO_OE);
	must(session, "PPPoE socket");
	must(connect(session, (struct sockaddr *)&address, sizeof(address)), "PPPoE connect");
	must(ioctl(session, PPPIOCGCHAN, &channel_index), "PPPIOCGCHAN");
	channel = open("/dev/ppp", O_RDWR);
	unit = open("/dev/ppp", O_RDWR);
	must(channel < unit ? channel : unit, "/dev/ppp");
	must(ioctl(channel, PPPIOCATTCHAN, &channel_index), "PPPIOCATTCHAN");
	must(ioctl(unit, PPPIOCNEWUNIT, &unit_index), "PPPIOCNEWUNIT");
	must(ioctl(channel, PPPIOCCONNECT, &unit_index), "PPPIOCCONNECT");
	must(ioctl(unit, PPPIOCSMRU, &mtu), "PPPIOCSMRU");
	pass.protocol = PPP_IP_PROTOCOL;
	must(ioctl(unit, PPPIOCSNPMODE, &pass), "PPPIOCSNPMODE IPv4");
	pass.protocol = PPP_IPV6_PROTOCOL;
	must(ioctl(unit, PPPIOCSNPMODE, &pass), "PPPIOCSNPMODE IPv6");
}

int main(int count, char **arguments)
{
	if (count != 7)
		return 64;
	session_in(arguments[1], arguments[2], arguments[6]);
	session_in(arguments[4], arguments[5], arguments[3]);
	if (daemon(0, 0))
		return 1;
	pause();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Captures the same packets by /dev/krx and by libpcap, and prints one JSON object each: its number, and when it arrived as
 * either has it, in ns since 1970. They are sent from the other side of a network, one by one.
 *
 *	stamps INTERFACE NAMESPACE INTERFACE2 COUNT PAYLOAD PORT
 *
 * NAMESPACE is a file, and INTERFACE2 in it what the packets leave by.
 */
#include "ktrxer_uapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 1024
#define SLOT_BYTES 2048
/* Between two packets. */
#define GAP_US 1000
/* Of the packet's number, in its payload. */
#define NUMBER 42

static uint64_t ours[MOST], theirs[MOST];
static unsigned int count, payload, port;

static void die(const char *what)
{
	fprintf(stderr, "stamps: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int number_at(const unsigned char *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static int far_socket(const char *namespace, const char *interface)
{
	int home = open("/proc/self/ns/net", O_RDONLY), far = open(namespace, O_RDONLY), fd;
	struct sockaddr_ll local = { .sll_family = AF_PACKET };

	if (home < 0 || far < 0 || setns(far, CLONE_NEWNET))
		die(namespace);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	local.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)))
		die(interface);
	if (setns(home, CLONE_NEWNET))
		die("setns");
	close(home);
	close(far);
	return fd;
}

static pcap_t *opened_pcap(const char *interface)
{
	char error[PCAP_ERRBUF_SIZE], filter[64];
	pcap_t *pcap = pcap_create(interface, error);
	struct bpf_program program;

	if (!pcap)
		die(error);
	pcap_set_snaplen(pcap, 256);
	pcap_set_timeout(pcap, 10);
	pcap_set_buffer_size(pcap, 4 << 20);
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	snprintf(filter, sizeof(filter), "udp dst port %u", port);
	if (pcap_activate(pcap) < 0 || pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) ||
	    pcap_setfilter(pcap, &program) || pcap_setnonblock(pcap, 1, error))
		die(pcap_geterr(pcap));
	return pcap;
}

static void seen(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *bytes)
{
	(void)user;
	/* With nanosecond precision the field for microseconds has them. */
	if (header->caplen >= NUMBER + 2 && number_at(bytes + NUMBER) < count)
		theirs[number_at(bytes + NUMBER)] = header->ts.tv_sec * 1000000000ULL + header->ts.tv_usec;
}

/* To the interface's own link address, and to nobody's IP address. */
static void build(unsigned char *frame, const char *interface)
{
	unsigned char *ip = frame + 14;
	unsigned int sum = 0, length = 28 + payload;
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/address", interface);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 17)
		die(path);
	close(fd);
	sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", frame, frame + 1, frame + 2, frame + 3, frame + 4, frame + 5);
	frame[6] = 2;
	frame[11] = 9;
	frame[12] = 8;
	ip[0] = 0x45;
	ip[2] = length >> 8;
	ip[3] = length;
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, "\xCB\x00\x71\x05\xC6\x33\x64\x01", 8);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xFFFF) + (sum >> 16));
	ip[10] = sum >> 8;
	ip[11] = sum;
	ip[20] = 0x80;
	ip[22] = port >> 8;
	ip[23] = port;
	ip[24] = (length - 20) >> 8;
	ip[25] = length - 20;
}

int main(int argc, char **argv)
{
	static unsigned char frame[2048];
	struct krx_setup setup = { .slots = MOST, .slot_bytes = SLOT_BYTES };
	struct krx_rule rule = {
		.id = 1, .match = KRX_MATCH_PROTOCOL | KRX_MATCH_DESTINATION_PORT, .family = 4, .operation = KRX_CAPTURE, .protocol = 17,
	};
	struct krx_header *header;
	unsigned char *map;
	int krx, far;
	pcap_t *pcap;

	if (argc != 7)
		return 64;
	count = atoi(argv[4]);
	payload = atoi(argv[5]);
	port = atoi(argv[6]);
	if (count > MOST || payload < 2 || payload > 1472)
		return 64;
	far = far_socket(argv[2], argv[3]);
	krx = open("/dev/krx", O_RDWR);
	if (krx < 0 || ioctl(krx, KRX_IOC_SETUP, &setup))
		die("/dev/krx");
	map = mmap(NULL, setup.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, krx, 0);
	if (map == MAP_FAILED)
		die("mmap");
	header = (void *)(map + setup.header_offset);
	rule.destination_port_first = rule.destination_port_last = port;
	if (ioctl(krx, KRX_IOC_RULE_ADD, &rule))
		die("rule");
	pcap = opened_pcap(argv[1]);
	build(frame, argv[1]);
	/* The kernel switches stamping on a little later than it was asked to. */
	usleep(200000);
	for (unsigned int i = 0; i < count; i++) {
		frame[NUMBER] = i >> 8;
		frame[NUMBER + 1] = i;
		if (send(far, frame, 42 + payload, 0) < 0)
			die("send");
		usleep(GAP_US);
	}
	/* libpcap has a block of packets after some time. */
	usleep(200000);
	while (pcap_dispatch(pcap, -1, seen, NULL) > 0)
		;
	for (; header->consumer != __atomic_load_n(&header->producer, __ATOMIC_ACQUIRE); header->consumer++) {
		const unsigned char *slot = map + setup.ring_offset + (header->consumer & (MOST - 1)) * SLOT_BYTES;
		const struct krx_record *record = (const void *)slot;
		unsigned int number = number_at(slot + record->data_offset + NUMBER - 14);

		if (number < count)
			ours[number] = record->realtime_ns;
	}
	for (unsigned int i = 0; i < count; i++)
		printf("{\"number\": %u, \"ktrxer\": %llu, \"libpcap\": %llu}\n", i, (unsigned long long)ours[i], (unsigned long long)theirs[i]);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Capturing by AF_PACKET with a mapped ring (TPACKET_V3, libpcap's choice) and a BPF filter: what all rules have in common is
 * compared once, then port after port. A filter has 4096 instructions at most: with more rules there are several sockets.
 */
#include "capture.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <time.h>

#define RULES_EACH 2000
#define BLOCK (128 << 10)
#define BLOCKS 8
#define RETIRE_MS 10

static struct ring {
	unsigned char *map;
	unsigned int next;
} rings[8];
static unsigned int sockets;

static void compare(struct sock_filter *code, unsigned int *n, struct sock_filter load, uint32_t value)
{
	code[(*n)++] = load;
	code[(*n)++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	code[(*n)++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
}

/* Offsets count from the link header. */
static struct sock_fprog filter(unsigned int first, unsigned int rules)
{
	static struct sock_filter code[BPF_MAXINSNS];
	unsigned int n = 0;

	compare(code, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), ETH_P_IP);
	compare(code, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), 17);
	compare(code, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 26), SOURCE);
	compare(code, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 30), DESTINATION);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16);
	for (unsigned int i = 0; i < rules; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first + i, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x40000);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return (struct sock_fprog){ .len = n, .filter = code };
}

static void open_one(const char *interface, unsigned int first, unsigned int rules)
{
	struct tpacket_req3 request = {
		.tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = 2048, .tp_frame_nr = BLOCK / 2048 * BLOCKS,
		.tp_retire_blk_tov = RETIRE_MS,
	};
	struct sockaddr_ll local = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface), .sll_protocol = htons(ETH_P_ALL) };
	struct sock_fprog program = filter(first, rules);
	int version = TPACKET_V3, fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct ring *ring = &rings[sockets++];

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) || bind(fd, (struct sockaddr *)&local, sizeof(local)))
		die("AF_PACKET");
	ring->map = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring->map == MAP_FAILED)
		die("mmap");
}

static void packet_open(const char *interface, unsigned int rules)
{
	unsigned int first = 0;

	do {
		unsigned int n = rules - first < RULES_EACH ? rules - first : RULES_EACH;

		open_one(interface, FIRST_PORT + first, n);
		first += n;
	} while (first < rules);
}

static unsigned int packet_drain(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < sockets; i++) {
		struct ring *ring = &rings[i];

		for (;;) {
			struct tpacket_block_desc *block = (void *)(ring->map + ring->next * BLOCK);
			struct tpacket_hdr_v1 *head = &block->hdr.bh1;
			struct tpacket3_hdr *one = (void *)((unsigned char *)block + head->offset_to_first_pkt);

			if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
				break;
			for (unsigned int n = head->num_pkts; n; n--) {
				look(one->tp_sec * 1000000000ULL + one->tp_nsec, (unsigned char *)one + one->tp_net);
				one = (void *)((unsigned char *)one + one->tp_next_offset);
			}
			count += head->num_pkts;
			__atomic_store_n(&head->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
			ring->next = (ring->next + 1) % BLOCKS;
		}
	}
	return count;
}

/* A block that is not full is handed over after some time. */
static void packet_settle(void)
{
	usleep(RETIRE_MS * 4 * 1000);
}

const struct capture packet = { .name = "packet", .open = packet_open, .drain = packet_drain, .settle = packet_settle };

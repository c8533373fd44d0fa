/* SPDX-License-Identifier: MIT */
/*
 * Packet pairs: how far apart do two packets arrive that left back to back? The narrowest link on the way spreads them to
 * its own pace, so that their gap tells its capacity. UDP to a port where nobody listens; the target's ICMP errors are
 * the answers.
 *
 *	./pair ADDRESS [PAIRS]
 */
#include <ktrxer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1000, OWN = 62001, PEER = 33434, UDP = 17, GAP = 100000000, MOST = 100 };

static struct ktrxer_hop hop;
static struct ktrxer_tx tx;
static struct ktrxer_rx rx;

static int fail(const char *what, int error)
{
	fprintf(stderr, "pair: %s: %s\n", what, strerror(-error));
	return 69;
}

/* One of a pair: 2 * pair, or 2 * pair + 1. The UDP checksum's place is the only one that routers always quote. */
static int queue(int number, uint64_t launch)
{
	struct ktrxer_probe probe;
	int result = ktrxer_tx_get(&tx, &probe);
	int at;

	if (result < 0)
		return result;
	at = ktrxer_hop_write(&hop, probe.bytes, probe.capacity, UDP, 64, SIZE);
	if (at < 0)
		return at;
	memset(probe.bytes + at, 0, SIZE);
	memcpy(probe.bytes + at, (uint8_t[]){ OWN >> 8, OWN & 255, PEER >> 8, PEER & 255, SIZE >> 8, SIZE & 255 }, 6);
	ktrxer_hop_seal(&hop, probe.bytes, probe.length = at + SIZE);
	probe.launch_ns = launch;
	probe.cookie = number;
	return ktrxer_tx_queue(&tx, &probe);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* Sends one pair; the gap of its answers in *gap. 1; 0: fewer than two answers; -errno. */
static int measure(int pair, uint64_t *gap)
{
	uint64_t launch = ktrxer_now() + 1000000, arrival[2] = { 0, 0 };
	struct ktrxer_completion done;
	struct ktrxer_record record;
	const uint8_t *packet;
	int result, answers = 0;

	for (int i = 0; i < 2; i++)
		if ((result = queue(2 * pair + i, launch)) < 0)
			return result;
	if ((result = ktrxer_tx_submit(&tx)) < 0)
		return result;
	while (answers < 2 && (result = ktrxer_wait_both(&tx, &rx, 500000000)) > 0) {
		for (; ktrxer_tx_peek(&tx, &done); ktrxer_tx_seen(&tx))
			if (done.status != KTRXER_SENT)
				return -ktrxer_status_error(done.status);
		for (; ktrxer_rx_peek(&rx, &record, &packet); ktrxer_rx_seen(&rx))
			if (answers < 2 && record.monotonic_ns >= launch)
				arrival[answers++] = record.monotonic_ns;
	}
	*gap = arrival[1] - arrival[0];
	return result < 0 ? result : answers == 2;
}

int main(int argc, char **argv)
{
	int wanted = argc > 2 ? atoi(argv[2]) : 10;
	uint64_t gaps[MOST];
	struct ktrxer_rule rule;
	int result, count = 0;

	if (argc < 2 || wanted < 1 || wanted > MOST) {
		fprintf(stderr, "usage: pair ADDRESS [PAIRS, 1 to %d]\n", MOST);
		return 64;
	}
	if ((result = ktrxer_hop_find(&hop, argv[1], NULL)) < 0)
		return fail(argv[1], result);
	if ((result = ktrxer_tx_open(&tx, hop.interface, NULL)) < 0 || (result = ktrxer_rx_open(&rx, NULL)) < 0)
		return fail("cannot use the kernel module (modprobe ktrxer)", result);
	ktrxer_rule_errors(&rule, 1, &hop, UDP, OWN, PEER);
	if ((result = ktrxer_rx_add(&rx, &rule)) < 0)
		return fail("cannot add a rule", result);
	for (int pair = 0; pair < wanted; pair++) {
		result = measure(pair, &gaps[count]);
		if (result < 0)
			return fail("cannot send", result);
		count += result;
		/* Errors are limited to a few a second by most hosts. */
		ktrxer_rx_wait(&rx, GAP);
	}
	ktrxer_rx_close(&rx);
	ktrxer_tx_close(&tx);
	if (!count) {
		printf("no pair was answered\n");
		return 1;
	}
	qsort(gaps, count, sizeof(gaps[0]), compare);
	printf("%d of %d pairs answered, gap %llu ns (median)", count, wanted, (unsigned long long)gaps[count / 2]);
	if (gaps[count / 2])
		printf(", %.1f Mbit/s", (SIZE + hop.link_header_length + (hop.family == 4 ? 20 : 40)) * 8e3 /
						gaps[count / 2]);
	printf("\n");
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Five echo requests, 100 ms apart to the nanosecond: ./ping ADDRESS */
#include <ktrxer.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 5, GAP = 100000000, SIZE = 64, ID = 0x4B54 };

static int fail(const char *what, int error)
{
	fprintf(stderr, "ping: %s: %s\n", what, strerror(-error));
	return 69;
}

int main(int argc, char **argv)
{
	struct ktrxer_hop hop;
	struct ktrxer_tx tx;
	struct ktrxer_rx rx;
	struct ktrxer_rule rule;
	struct ktrxer_probe probe;
	struct ktrxer_completion done;
	struct ktrxer_record record;
	const uint8_t *packet;
	uint64_t sent[COUNT] = { 0 }, start;
	int result, at, answers = 0;

	if (argc != 2)
		return fail("usage: ping ADDRESS", -22);
	if ((result = ktrxer_hop_find(&hop, argv[1], NULL)) < 0)
		return fail(argv[1], result);
	if ((result = ktrxer_tx_open(&tx, hop.interface, NULL)) < 0 || (result = ktrxer_rx_open(&rx, NULL)) < 0)
		return fail("cannot use the kernel module (modprobe ktrxer)", result);
	ktrxer_rule_answers(&rule, 1, &hop, hop.family == 4 ? 1 : 58, ID, 0);
	if ((result = ktrxer_rx_add(&rx, &rule)) < 0)
		return fail("rule", result);
	start = ktrxer_now() + 1000000;
	for (int i = 0; i < COUNT && ktrxer_tx_get(&tx, &probe) == 0; i++) {
		at = ktrxer_hop_write(&hop, probe.bytes, probe.capacity, hop.family == 4 ? 1 : 58, 64, SIZE);
		memset(probe.bytes + at, 0, SIZE);
		memcpy(probe.bytes + at, (uint8_t[]){ hop.family == 4 ? 8 : 128, 0, 0, 0, ID >> 8, ID & 255, 0, i }, 8);
		ktrxer_hop_seal(&hop, probe.bytes, probe.length = at + SIZE);
		probe.launch_ns = start + (uint64_t)i * GAP;
		probe.cookie = i;
		ktrxer_tx_queue(&tx, &probe);
	}
	ktrxer_tx_submit(&tx);
	while (answers < COUNT && ktrxer_wait_both(&tx, &rx, 1000000000) > 0) {
		for (; ktrxer_tx_peek(&tx, &done); ktrxer_tx_seen(&tx))
			sent[done.cookie] = done.sent_ns;
		for (; ktrxer_rx_peek(&rx, &record, &packet); ktrxer_rx_seen(&rx), answers++) {
			unsigned int i = packet[(hop.family == 4 ? (packet[0] & 15) * 4 : 40) + 7];

			printf("%u: %.3f ms, left %.3f us late\n", i, (record.monotonic_ns - sent[i % COUNT]) / 1e6,
			       (sent[i % COUNT] - start - i * (double)GAP) / 1e3);
		}
	}
	ktrxer_rx_close(&rx), ktrxer_tx_close(&tx);
	return answers != COUNT;
}

/* SPDX-License-Identifier: MIT */
/*
 * Sends and captures across the wrap of all indices at 2^32, to which the module `wind` takes both files. Frames go from
 * far0, in the namespace `far`, to near0.
 *
 *	wrap
 */
#include "device.h"

#include <sched.h>

#define ENTRIES 64
#define START (-100U)
#define FRAMES 300U

static void wind(int fd)
{
	char text[32];
	int file = open("/sys/module/wind/parameters/file", O_WRONLY), length = sprintf(text, "%d %u", fd, START);

	if (file < 0 || write(file, text, length) != length)
		die("wind");
	close(file);
}

/* UDP to the port of plain_rule(), to everybody on the link. */
static void make_frame(unsigned char *frame)
{
	static const unsigned char bytes[] = {
		255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0x55, 0x3F, 192, 0, 2, 1, 198, 51, 100, 1, 0x80, 0, 0, 9, 0, 26, 0, 0,
	};
	unsigned int sum = 0;

	memcpy(frame, bytes, sizeof(bytes));
	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	while (sum >> 16)
		sum = (sum & 0xFFFF) + (sum >> 16);
	frame[24] = ~sum >> 8;
	frame[25] = ~sum;
}

int main(void)
{
	struct capturer capturer = capturer_open(ENTRIES, 256);
	struct krx_rule rule = plain_rule(1, KRX_CAPTURE);
	unsigned int done = 0, given = 0, captured = 0, faults = 0;
	struct sender sender;
	int far;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ioctl(capturer.fd, KRX_IOC_RULE_ADD, &rule))
		die("rule");
	far = open("/run/netns/far", O_RDONLY);
	if (far < 0 || setns(far, CLONE_NEWNET))
		die("setns");
	sender = sender_open("far0", ENTRIES, 4096);
	wind(sender.fd);
	wind(capturer.fd);
	make_frame(sender.frames);
	while (done < FRAMES) {
		struct pollfd polled = { .fd = sender.fd, .events = POLLIN };
		unsigned int ready;
		long taken;

		/* Groups of 1 to 63 lie across the wrap in every way. */
		for (unsigned int group = given % 63 + 1; group && given < FRAMES && given - done < ENTRIES; group--, given++)
			sender.descriptors[(START + given) % ENTRIES] = (struct ktx_descriptor){
				.cookie = given, .frame_length = 60, .launch_ns = given % 3 ? 0 : monotonic() + 100000,
			};
		__atomic_store_n(&sender.header->submission_producer, START + given, __ATOMIC_RELEASE);
		taken = sender_submit(&sender);
		if (taken < 0)
			die("submit");
		if (poll(&polled, 1, 1000) != 1 || !(polled.revents & POLLIN))
			die("no completion");
		while (sender.header->completion_consumer != __atomic_load_n(&sender.header->completion_producer, __ATOMIC_ACQUIRE)) {
			struct ktx_completion *completion = &sender.completions[(START + done) % ENTRIES];

			if (completion->status != KTX_SENT)
				faults++, printf("frame %u: status %u\n", done, completion->status);
			done++;
			__atomic_store_n(&sender.header->completion_consumer, START + done, __ATOMIC_RELEASE);
		}
		/* Frames take a moment to arrive, and the capture ring shall not overflow. */
		for (int tries = 0; captured != done && tries < 1000; tries++) {
			ready = __atomic_load_n(&capturer.header->producer, __ATOMIC_ACQUIRE) - (START + captured);
			for (; ready; ready--, captured++) {
				struct krx_record *record = (void *)(capturer.map + capturer.setup.ring_offset +
								     (START + captured) % ENTRIES * 256);

				if (record->sequence != START + captured || record->rule_id != 1 || record->captured_length < 46)
					faults++, printf("record %u: sequence %u\n", captured, record->sequence);
				__atomic_store_n(&capturer.header->consumer, START + captured + 1, __ATOMIC_RELEASE);
			}
			usleep(100);
		}
	}
	printf("%u sent, %u captured, %u lost, %u faults\n", done, captured, capturer.header->lost, faults);
	return faults || captured != FRAMES;
}

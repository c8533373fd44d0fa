// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the processor of an emulated Malta board halt when there is nothing to do, on a clock that counts instructions
 * (qemu -icount sleep=off), so that idle time costs the host nothing. Linux's own way to halt does not work there: when
 * the timer of the processor (CP0 Count and Compare) fires in a halted machine, qemu's handler sets it anew, 2^32 counts
 * ahead, before it raises the interrupt, and in between the clock leaps to that time; and when it has gone round without
 * having been set, qemu's handler calls itself for ever (seen in 7.2). So it must not fire while the processor is halted:
 * another one wakes it, the i8254, which raises its interrupt first.
 *
 * The kernel's command line must have nowait, for what is idle before this is loaded. For Linux 6.1, one processor.
 */
#include <asm/idle.h>
#include <asm/mipsregs.h>
#include <linux/errno.h>
#include <linux/i8253.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/sched.h>

/* Counts of CP0 that a tick of the i8254 takes, a little more than it really does: what wakes early goes on waiting. */
#define COUNTS_OF_TICK 141

/* With less than that to wait for, in ticks of the i8254, going round once more is simpler. */
#define SHORT 8

/* Ticks until it wakes the processor for the kernel, which keeps the time by it. */
static unsigned int ticks_left(void)
{
	unsigned int left;

	outb(0, PIT_MODE);
	left = inb(PIT_CH0);
	return left | inb(PIT_CH0) << 8;
}

/* Has it wake the processor, which keeps the time itself, shortly before the processor's timer fires. */
static unsigned int set_alarm(void)
{
	s32 counts = read_c0_compare() - read_c0_count();
	unsigned int ticks = counts < 0 ? 0 : counts / COUNTS_OF_TICK;

	if (ticks < SHORT)
		return 0;
	ticks = min(ticks - SHORT / 2, 0xFFFFU);
	outb(0x30, PIT_MODE);
	outb(ticks & 0xFF, PIT_CH0);
	outb(ticks >> 8, PIT_CH0);
	return SHORT;
}

/* Comes with interrupts disabled, and leaves them enabled. */
static void rest(void)
{
	unsigned int left;
	u32 compare;

	if (read_c0_status() & STATUSF_IP7) {
		left = set_alarm();
	} else {
		left = ticks_left();
		write_c0_compare(read_c0_count() - 1);
	}
	compare = read_c0_compare();
	/*
	 * What is pending is taken here, and may have the processor's timer fire before the alarm. An interrupt that comes between
	 * these looks and the halt would be missed by them; that is a few nanoseconds, and nothing here can close it.
	 */
	local_irq_enable();
	if (left >= SHORT && !need_resched() && read_c0_compare() == compare)
		asm volatile(".set push\n\t.set mips32r2\n\twait\n\t.set pop" ::: "memory");
}

static int __init resting_init(void)
{
	if (cpu_wait)
		return -EBUSY;
	cpu_wait = rest;
	return 0;
}

module_init(resting_init);
MODULE_DESCRIPTION("Idle of an emulated Malta board");
MODULE_LICENSE("GPL");

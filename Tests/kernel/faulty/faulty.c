// SPDX-License-Identifier: GPL-2.0
/*
 * A module with one error of each kind that the judge of the kernel log has to find, planted on
 * purpose. insmod faulty.ko fault=NAME commits the one of that name while it loads; without a name
 * it does nothing.
 * For throw-away guests of the tests alone.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>

static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "the error to commit, a name of the table below");

/* Parameters, so that no compiler foresees the error and warns of it or optimises it away. */
static int width = 40;
module_param(width, int, 0);
static int length = 100;
module_param(length, int, 0);
/* Where what was read goes, so that the reading is not dropped. */
static int seen;
module_param(seen, int, 0);

static void read_beyond(void)
{
	u8 *bytes = kmalloc(length, GFP_KERNEL);

	if (!bytes)
		return;
	OPTIMIZER_HIDE_VAR(bytes);
	seen = bytes[length];
	kfree(bytes);
}

static void read_beyond_mapped(void)
{
	u8 *pages = vmalloc_user(length);

	if (!pages)
		return;
	OPTIMIZER_HIDE_VAR(pages);
	seen = pages[length + 16];
	vfree(pages);
}

static void read_freed(void)
{
	u8 *bytes = kmalloc(length, GFP_KERNEL);

	if (!bytes)
		return;
	OPTIMIZER_HIDE_VAR(bytes);
	kfree(bytes);
	OPTIMIZER_HIDE_VAR(bytes);
	seen = bytes[0];
}

static void sleep_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	msleep(20);
	spin_unlock(&lock);
}

static noinline void leak(void)
{
	int count;

	/* More than one: a stale register or stack slot may still point to the last. */
	for (count = 0; count < 8; count++) {
		u8 *lost = kmalloc(256, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
		if (lost)
			lost[0] = count;
	}
}

static void invert(void)
{
	static DEFINE_SPINLOCK(first);
	static DEFINE_SPINLOCK(second);

	spin_lock(&first);
	spin_lock(&second);
	spin_unlock(&second);
	spin_unlock(&first);
	spin_lock(&second);
	spin_lock(&first);
	spin_unlock(&first);
	spin_unlock(&second);
}

static void shift_too_far(void)
{
	seen = 1 << width;
}

static void nothing(struct timer_list *timer)
{
}

static void free_active_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, nothing, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void warn(void)
{
	WARN_ON_ONCE(width);
}

static void count_below_zero(void)
{
	refcount_t references = REFCOUNT_INIT(0);

	refcount_dec(&references);
}

/* Loopback's reference is never given back: a network namespace that goes waits for it for ever. */
static void keep_device(void)
{
	struct net_device *device = dev_get_by_name(current->nsproxy->net_ns, "lo");

	seen = !!device;
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "read", read_beyond },
	{ "ring", read_beyond_mapped },
	{ "free", read_freed },
	{ "sleep", sleep_atomic },
	{ "leak", leak },
	{ "inversion", invert },
	{ "shift", shift_too_far },
	{ "timer", free_active_timer },
	{ "warning", warn },
	{ "count", count_below_zero },
	{ "device", keep_device },
};

static int __init faulty_init(void)
{
	unsigned int index;

	if (!strcmp(fault, "none"))
		return 0;
	for (index = 0; index < ARRAY_SIZE(faults); index++) {
		if (strcmp(fault, faults[index].name))
			continue;
		faults[index].commit();
		return 0;
	}
	return -EINVAL;
}

static void __exit faulty_exit(void)
{
}

module_init(faulty_init);
module_exit(faulty_exit);
MODULE_DESCRIPTION("Errors on purpose, for the tests of the tests");
MODULE_LICENSE("GPL");

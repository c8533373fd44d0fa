/* SPDX-License-Identifier: MIT */
/*
 * Tries what each kind of user may do, and prints it in one line: what opening /dev/ktx and /dev/krx came to, and adding
 * a rule that captures, one that drops, one with edits, and one that answers for an address. 0 or an errno; - where it
 * did not come to that.
 *
 *	privileges root|nobody|raw|userns|userns-netns
 */
#include "device.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void set_capabilities(unsigned int mask)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { mask, mask, 0 } };

	if (syscall(SYS_capset, &header, data))
		die("capset");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void become_nobody(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		die("nobody");
	/* What the kernel keeps from the files of such a process. */
	prctl(PR_SET_DUMPABLE, 1);
}

static void own_user_namespace(int flags)
{
	become_nobody();
	if (unshare(CLONE_NEWUSER | flags))
		die("unshare");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 65534 1");
	write_file("/proc/self/gid_map", "0 65534 1");
}

static void print(long result)
{
	printf("%d ", result < 0 ? errno : 0);
}

int main(int argc, char **argv)
{
	struct krx_setup setup = { .slots = 16, .slot_bytes = 128 };
	struct krx_rule rules[4] = { plain_rule(1, KRX_CAPTURE), plain_rule(2, KRX_DROP), plain_rule(3, KRX_FORWARD),
				     plain_rule(4, KRX_CAPTURE) };
	const char *kind = argc > 1 ? argv[1] : "";
	int ktx, krx;

	if (!strcmp(kind, "nobody")) {
		become_nobody();
	} else if (!strcmp(kind, "raw")) {
		if (prctl(PR_SET_KEEPCAPS, 1))
			die("keepcaps");
		become_nobody();
		set_capabilities(1 << CAP_NET_RAW);
	} else if (!strcmp(kind, "userns")) {
		own_user_namespace(0);
	} else if (!strcmp(kind, "userns-netns")) {
		own_user_namespace(CLONE_NEWNET);
	} else if (strcmp(kind, "root")) {
		return 64;
	}
	ktx = open("/dev/ktx", O_RDWR);
	print(ktx);
	krx = open("/dev/krx", O_RDWR);
	print(krx);
	if (krx < 0) {
		puts("- - - -");
		return 0;
	}
	if (ioctl(krx, KRX_IOC_SETUP, &setup))
		die("setup");
	rules[2].edits[0] = (struct krx_edit){ .field = KRX_EDIT_TTL, .length = 1, .value = { 9 } };
	rules[3].flags = KRX_RULE_NEIGHBOUR;
	rules[3].match |= KRX_MATCH_INTERFACE;
	rules[3].interface_index = if_nametoindex("near0") ?: 1;
	for (int i = 0; i < 4; i++)
		print(ioctl(krx, KRX_IOC_RULE_ADD, &rules[i]));
	puts("");
	return 0;
}

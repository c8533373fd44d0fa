// SPDX-License-Identifier: MIT
// Loads a kernel module again and again, each time with one more allocation (or copy from user space) granted before
// one fails, until it loads without having met the failure. Needs a kernel with CONFIG_FAULT_INJECTION. Prints a line for each attempt,
// the number of the allocation that failed and what loading came to (0 or an errno), then "whole".
//   load-failing FILE [PARAMETERS]
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 100000 };

static int fail(const char *what)
{
	fprintf(stderr, "load-failing: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int count, char **arguments)
{
	char name[64] = "", left[16];
	const char *slash = count > 1 ? strrchr(arguments[1], '/') : NULL;

	if (count < 2) {
		fputs("usage: load-failing FILE [PARAMETERS]\n", stderr);
		return 64;
	}
	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : arguments[1]);
	name[strcspn(name, ".")] = '\0';
	int nth = open("/proc/thread-self/fail-nth", O_RDWR);
	int file = open(arguments[1], O_RDONLY | O_CLOEXEC);

	if (nth < 0)
		return fail("/proc/thread-self/fail-nth");
	if (file < 0)
		return fail(arguments[1]);
	for (int number = 1; number < MOST; number++) {
		int length = snprintf(left, sizeof(left), "%d", number);

		if (pwrite(nth, left, length, 0) != length)
			return fail("setting fail-nth");
		long loaded = syscall(SYS_finit_module, file, count > 2 ? arguments[2] : "", 0);
		int error = loaded < 0 ? errno : 0;

		memset(left, 0, sizeof(left));
		// Copies to and from programs are made to fail as well, these among them: then it was not met before.
		int met = pread(nth, left, sizeof(left) - 1, 0) > 0 && left[0] == '0';

		if (pwrite(nth, "0", 1, 0) != 1 && pwrite(nth, "0", 1, 0) != 1)
			return fail("clearing fail-nth");
		if (loaded == 0 && syscall(SYS_delete_module, name, O_NONBLOCK) != 0)
			return fail("unloading");
		if (!met) {
			errno = error;
			if (error)
				return fail("loading with no failure");
			puts("whole");
			return 0;
		}
		printf("%d %d\n", number, error);
	}
	errno = ELOOP;
	return fail(arguments[1]);
}

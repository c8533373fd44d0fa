/* SPDX-License-Identifier: MIT */
#include "sys_signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

int32_t ktrxer_signal_open(void)
{
	sigset_t handled;
	int fd;

	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &handled, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* ns by which the kernel may delay our timers; 1 is the least, 0 would restore the default. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int32_t stopped;

int32_t ktrxer_signal_stopped(void)
{
	return stopped;
}

int32_t ktrxer_signal_next(int32_t descriptor, int32_t reloads)
{
	struct signalfd_siginfo received;

	if (read(descriptor, &received, sizeof(received)) != sizeof(received))
		return KTRXER_SIGNAL_NONE;
	if (received.ssi_signo == SIGHUP && reloads)
		return KTRXER_SIGNAL_RELOAD;
	stopped = 1;
	return KTRXER_SIGNAL_STOP;
}

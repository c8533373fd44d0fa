/* SPDX-License-Identifier: MIT */
/* Writing to what has a reader who may be slow, or gone: standard output and error, as pipes and terminals. */
#ifndef KTRXER_SYS_STREAM_H
#define KTRXER_SYS_STREAM_H

#include <stdint.h>

/*
 * Writes to a pipe, terminal or file, and waits while it is full: for at most `timeout` ns in all, or, below 0, as
 * long as it takes, but not with SIGTERM, SIGINT or SIGHUP pending, and no longer than a second once the process has
 * been told to stop. After a reader was too slow once, it is not waited for until it has read. The number of bytes,
 * less than `count` if it failed on the way, or -errno if it failed before the first (-EAGAIN: too slow, -EINTR: a
 * signal is pending).
 */
int64_t ktrxer_stream_write(int32_t descriptor, const void *bytes, uint32_t count, int64_t timeout);

/* Makes sure that 0, 1 and 2 are open, so that nothing that is opened later is taken for them. */
void ktrxer_stream_open_standard(void);

#endif

/* SPDX-License-Identifier: MIT */
/* What is inside the opaque handles of ktrxer.h. */
#ifndef KTRXER_CAPI_STATE_H
#define KTRXER_CAPI_STATE_H

#include "sys_device.h"

/*
 * A sender cuts its frame area into buffers of the same size, the last 16 bytes of which are its own: where the
 * caller's cookie is kept while the kernel's is the buffer's number, and the list of free buffers.
 */
struct ktrxer_tx_state {
	struct ktrxer_sender sender;
	uint32_t buffer_bytes;
	uint32_t buffers;
	uint32_t first_free; /* 0xFFFFFFFF: none */
	uint32_t last_free;
	uint32_t frame_flags; /* added to each frame's */
	uint32_t queue;
};

struct ktrxer_buffer_tail {
	uint64_t cookie;
	uint32_t next_free;
	uint32_t state; /* enum ktrxer_buffer_state */
};

enum ktrxer_buffer_state {
	KTRXER_BUFFER_FREE = 0,
	KTRXER_BUFFER_TAKEN, /* the caller's */
	KTRXER_BUFFER_QUEUED, /* with the kernel, or on the way there */
	KTRXER_BUFFER_RESTING, /* free, but a device may still read it */
};

_Static_assert(sizeof(struct ktrxer_tx_state) <= sizeof(struct ktrxer_tx), "handle");
_Static_assert(sizeof(struct ktrxer_capturer) <= sizeof(struct ktrxer_rx), "handle");

#endif

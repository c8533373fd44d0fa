/* SPDX-License-Identifier: MIT */
/*
 * The system calls on the module's devices. Unit tests put a simulated module in their place, for their own thread; what
 * runs on a device calls the system directly.
 */
#ifndef KTRXER_DEVICE_CALLS_H
#define KTRXER_DEVICE_CALLS_H

#include <stddef.h>
#include <stdint.h>

struct device_calls {
	/* Each as the system call, but -errno. */
	int (*open)(const char *path);
	int (*control)(int descriptor, unsigned long request, void *argument);
	int (*map)(int descriptor, size_t bytes, uint8_t **map);
	void (*unmap)(uint8_t *map, size_t bytes);
	void (*close)(int descriptor);
};

#ifdef KTRXER_SIMULATION
/* NULL: the system's. */
extern _Thread_local const struct device_calls *simulated_device;
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* This process: its arguments, exit and random numbers. */
#ifndef KTRXER_SYS_PROCESS_H
#define KTRXER_SYS_PROCESS_H

#include <stdint.h>

/* The command line; device build only (start.c). NULL past the end. */
int32_t ktrxer_argument_count(void);
const char *ktrxer_argument(int32_t index);

/* Ends the process, without running anything else. */
void ktrxer_exit(int32_t status) __attribute__((noreturn));

/* Fills with random bytes for tokens and the like, never waiting for randomness; not for secrets. */
void ktrxer_random(void *bytes, uint32_t count);

#endif

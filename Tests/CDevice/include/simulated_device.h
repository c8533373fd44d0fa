/* SPDX-License-Identifier: MIT */
/*
 * The kernel module in memory, for the thread that installs it: /dev/ktx and /dev/krx as kmod/uapi/ktrxer_uapi.h describes
 * them, with a wire that a test drives. One sender and one capturer at a time.
 */
#ifndef KTRXER_SIMULATED_DEVICE_H
#define KTRXER_SIMULATED_DEVICE_H

#include <stdint.h>

/* From now on this thread's devices are simulated, in their first state. */
void simulation_begin(void);
/* Frees everything; how many files were left open. */
int32_t simulation_end(void);

/* Opening fails with this errno from now on, ktx or krx or both; 0: it does not. */
void simulation_refuse_open(int32_t ktx, int32_t krx);
/* The request that fails from now on, by its number in the interface (0x10: KTX_IOC_BIND), and its errno. */
void simulation_refuse(uint32_t request, int32_t error);
void simulation_set_abi(uint32_t abi);
/* Descriptors that one submission takes at most. */
void simulation_set_appetite(uint32_t most);
void simulation_set_gathers(int32_t gathers);

/* Launches every scheduled frame with a launch time up to `now`, exactly at it. How many. */
int32_t simulation_launch(uint64_t now);
/* Frames taken and neither sent nor cancelled. */
int32_t simulation_scheduled(void);
/* n-th frame that was launched, from 0; its length, or -1. */
int32_t simulation_sent(int32_t index, const uint8_t **bytes, uint64_t *launch, uint32_t *flags);

/* The next launches fail with this status of a completion, 0: not. */
void simulation_set_status(uint32_t status);
/* Puts a completion into the ring as it is: 64 bytes. 0, or -1: no room. */
int32_t simulation_complete(const void *completion);
/* Sets the kernel's indices to anything. */
void simulation_spoil_completions(uint32_t producer);
void simulation_spoil_captures(uint32_t producer);
/* The interface goes away: what is scheduled completes as gone, and poll says so. */
void simulation_interface_gone(void);

/* Captures a packet: a record of 64 bytes, of which lengths and offsets are filled in when 0, and bytes. 0; -1: lost. */
int32_t simulation_capture(const void *record, const uint8_t *bytes, uint32_t length);
/* n-th rule, by id order of adding: copies its 432 bytes. 0, or -1: none. */
int32_t simulation_rule(int32_t index, void *rule);

#endif

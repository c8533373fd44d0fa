/* SPDX-License-Identifier: MIT */
/*
 * What Android's C library, bionic, has from a later API level on than 21, which phones' programs are built for. Included
 * after the C library's headers; nothing elsewhere.
 */
#ifndef KTRXER_BIONIC_H
#define KTRXER_BIONIC_H

#ifdef __ANDROID__
#include <sys/syscall.h>
#include <unistd.h>

/* From 24 and from 28 on. */
#define adjtimex(query) ((int)syscall(SYS_adjtimex, query))
#define getrandom(bytes, count, flags) ((ssize_t)syscall(SYS_getrandom, bytes, count, flags))
#endif

#endif

// SPDX-License-Identifier: MIT
/* Frames through /dev/ktx, long ones by reference. */
#define BY_REFERENCE 1
#include "ktrxer.c"

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KTRXER_VERSION
/* The project's version, which `make lint` keeps the same everywhere. */
#define KTRXER_VERSION "0.1.0"
#endif

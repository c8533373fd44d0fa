/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's loader calls by name. With -fwhole-program all else is the module's own. */
#ifndef KTRXER_LOADER_H
#define KTRXER_LOADER_H

#include <linux/module.h>

int __visible init_module(void);
void __visible cleanup_module(void);

#endif

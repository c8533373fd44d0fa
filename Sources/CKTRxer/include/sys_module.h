/* SPDX-License-Identifier: MIT */
/* Which kernel runs here, and which a file with a kernel module is for. */
#ifndef KTRXER_SYS_MODULE_H
#define KTRXER_SYS_MODULE_H

#include <stdint.h>

/* "6.1.0-50-4kc-malta, mips, 32-bit, little-endian": what runs here. Valid until the next call of either function. */
const char *ktrxer_kernel_described(void);

/*
 * Looks at a module file, or (path NULL) at the ktrxer.ko that is installed for the running kernel: its ELF header's
 * class, byte order and machine, and the kernel release at the start of its vermagic. Returns what there is to say, one
 * line, valid as above. *verdict: 0, it is for the running kernel, or an installed one is compressed, which is not looked
 * into; 1, for another one, and the text names both; -ENOENT, there is none; -ENOEXEC, it is no kernel module; or the
 * -errno of opening or reading it.
 */
const char *ktrxer_module_judged(const char *path, int32_t *verdict);

#endif

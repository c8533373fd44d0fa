# SPDX-License-Identifier: MIT
# In place of cross.mk where somebody else's compiler brings the C library, as OpenWrt's SDK does: SDK_CROSS is what stands
# before "gcc", SDK_HEADERS the folder with the kernel's headers for programs.
CC := $(SDK_CROSS)gcc $(MACHINE)
CFLAGS := -Oz -fno-stack-protector
LIBC_FOLDER :=
LIBC := $(wildcard $(shell $(CC) -print-file-name=libc.a))
LIBC_FLAGS :=
# Only the Swift toolchain's linker takes what its compiler makes of calls on MIPS.
EXAMPLE_LINKER := -B$(SWIFT_BIN) -fuse-ld=lld
STRIP := $(SDK_CROSS)strip
OBJCOPY := $(SDK_CROSS)objcopy
AR := $(SDK_CROSS)ar
KERNEL_HEADERS := $(addprefix $(SDK_HEADERS)/,linux asm-generic asm)
TOOLCHAIN_FILES := $(LIBC)

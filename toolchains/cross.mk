# SPDX-License-Identifier: MIT
# What targets other than the building machine have in common: Debian's cross compiler, musl of its own, whose headers
# and start files are used in place of the compiler's, and what that compiler's runtime is needed for.
LIBGCC := $(if $(BUILTINS),$(shell toolchains/builtins.sh path $(LIBC_OPTIONS))/libgcc.a,\
	$(shell $(COMPILER)-gcc $(MACHINE) -print-libgcc-file-name 2>/dev/null))
CC := $(COMPILER)-gcc $(MACHINE) -nostdinc -nostdlib -no-pie -isystem $(LIBC_FOLDER)/include \
	-isystem $(shell $(COMPILER)-gcc -print-file-name=include 2>/dev/null)
CFLAGS := -Oz -fno-stack-protector
LINK_START := $(LIBC_FOLDER)/crt1.o $(LIBC_FOLDER)/crti.o
LINK_END := $(LIBC_FOLDER)/libc.a $(LIBGCC) $(LIBC_FOLDER)/crtn.o
# Only the Swift toolchain's linker takes what its compiler makes of calls on MIPS.
EXAMPLE_LINKER := -B$(SWIFT_BIN) -fuse-ld=lld
STRIP := $(COMPILER)-strip
OBJCOPY := $(COMPILER)-objcopy
AR := $(COMPILER)-ar
KERNEL_HEADERS := $(addprefix /usr/$(COMPILER)/include/,linux asm-generic asm)
TOOLCHAIN_FILES := $(LIBC_FOLDER)/libc.a $(LIBGCC)

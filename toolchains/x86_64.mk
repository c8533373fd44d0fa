# SPDX-License-Identifier: MIT
# x86_64, static musl from Debian's musl-dev.
SWIFT_TRIPLE := x86_64-unknown-none-elf
SWIFT_FLAGS :=
CLANG_TRIPLE := x86_64-linux-musl
CLANG_FLAGS :=
CC := musl-gcc
CFLAGS := -Oz
STRIP := strip
KERNEL_HEADERS := /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm

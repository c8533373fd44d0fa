# SPDX-License-Identifier: MIT
# x86_64, static musl from Debian's musl-dev.
SWIFT_TRIPLE := x86_64-unknown-none-elf
SWIFT_FLAGS :=
CLANG_TRIPLE := x86_64-linux-musl
CLANG_FLAGS :=
KEEPS_REGISTERS := yes
CC := musl-gcc
COMPILER := x86_64-linux-gnu
CFLAGS := -Oz
STRIP := strip
OBJCOPY := objcopy
AR := ar
KERNEL_HEADERS := /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm
# The agent may not become larger than this, in bytes; the goal is 200000 (docs/figures.md). Tests/network/test_size.py.
AGENT_BYTES_MAXIMUM := 248000

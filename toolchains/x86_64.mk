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
# Callers know which registers a callee leaves alone, so that fewer are saved. Nothing is computed earlier, or in more
# places, than the source says (before loops, on the other ways to a block, interleaved): it would have to be kept
# somewhere meanwhile. A table of addresses, of 8 bytes each, is made of a switch from 12 cases on.
MACHINE_LINK_FLAGS := -Wl,-mllvm,-enable-ipra,-mllvm,-disable-machine-licm,-mllvm,-disable-postra-machine-licm \
	-Wl,-mllvm,-min-jump-table-entries=12,-mllvm,-split-spill-mode=size,-mllvm,-enable-pre=false \
	-Wl,-mllvm,-machine-sink-split=false,-mllvm,-enable-misched=false
# The agent may not become larger than this, in bytes; the goal is 160000 (docs/figures.md). Tests/network/test_size.py.
AGENT_BYTES_MAXIMUM := 251000
OPENWRT_ARCHITECTURE ?= x86_64

# SPDX-License-Identifier: MIT
# 32-bit MIPS, big-endian, without an FPU: OpenWrt's mips_24kc.
PACKAGES := gcc-mips-linux-gnu linux-libc-dev-mips-cross
CROSS := yes
SWIFT_TRIPLE := armebv7-none-none-eabi
SWIFT_DONOR := armv7em-none-none-eabi
CLANG_TRIPLE := mips-linux-musl
CLANG_FLAGS := -march=mips32r2 -msoft-float
EMULATOR := qemu-mips-static -cpu 24Kc
COMPILER := mips-linux-gnu
MACHINE := -march=24kc -msoft-float
# Programs are smaller without the conventions of shared libraries, and GNU's linker refuses how LLVM follows them.
STATIC_FLAGS := -mno-abicalls -fno-pic
BUILTINS := yes
# What only debuggers read, and what strip leaves.
DEAD_SECTIONS := .pdr .gnu.attributes .mdebug.abi32
# The slot after a jump is filled from the place it goes to as well. Nothing is computed earlier, later, or in more places,
# than the source says. (-enable-ipra would save 1 % more, but what it makes for MIPS goes wrong.)
MACHINE_LINK_FLAGS := -Wl,-mllvm,-disable-mips-df-forward-search=false,-mllvm,-disable-mips-df-succbb-search=false \
	-Wl,-mllvm,-disable-machine-licm,-mllvm,-disable-machine-sink,-mllvm,-enable-pre=false \
	-Wl,-mllvm,-split-spill-mode=size,-mllvm,-disable-early-taildup,-mllvm,-min-jump-table-entries=12
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 376800
OPENWRT_ARCHITECTURE ?= mips_24kc

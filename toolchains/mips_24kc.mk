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
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 392000

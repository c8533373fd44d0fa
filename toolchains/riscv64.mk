# SPDX-License-Identifier: MIT
# 64-bit RISC-V with what Linux distributions demand (RV64GC).
PACKAGES := gcc-riscv64-linux-gnu linux-libc-dev-riscv64-cross
CROSS := yes
SWIFT_TRIPLE := riscv64-none-none-eabi
CLANG_TRIPLE := riscv64-linux-musl
CLANG_FLAGS := -march=rv64gc -mabi=lp64d
EMULATOR := qemu-riscv64-static
COMPILER := riscv64-linux-gnu
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 257000
OPENWRT_ARCHITECTURE ?= riscv64_riscv64

# SPDX-License-Identifier: MIT
# 64-bit ARM: phones, and routers since about 2018.
PACKAGES := gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross
CROSS := yes
SWIFT_TRIPLE := aarch64-none-none-elf
CLANG_TRIPLE := aarch64-linux-musl
KEEPS_REGISTERS := yes
EMULATOR := qemu-aarch64-static
COMPILER := aarch64-linux-gnu
MACHINE := -mno-outline-atomics
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 258000

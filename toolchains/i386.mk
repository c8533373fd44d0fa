# SPDX-License-Identifier: MIT
# 32-bit x86.
PACKAGES := gcc-i686-linux-gnu linux-libc-dev-i386-cross
CROSS := yes
SWIFT_TRIPLE := i686-unknown-none-elf
CLANG_TRIPLE := i686-linux-musl
EMULATOR := qemu-i386-static
COMPILER := i686-linux-gnu
# gcc's shared helpers of position-independent code do not survive that the library becomes one object.
STATIC_FLAGS := -fno-pic
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 320000
OPENWRT_ARCHITECTURE ?= i386_pentium4

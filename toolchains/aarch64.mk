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
# Nothing is computed earlier, or in more places, than the source says: it would have to be kept somewhere meanwhile.
MACHINE_LINK_FLAGS := -Wl,-mllvm,-disable-machine-licm,-mllvm,-split-spill-mode=size \
	-Wl,-mllvm,-enable-pre=false,-mllvm,-enable-misched=false
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 257900
OPENWRT_ARCHITECTURE ?= aarch64_cortex-a53

# SPDX-License-Identifier: MIT
# 32-bit ARM, little-endian, without an FPU: the first Raspberry Pi and older routers.
PACKAGES := gcc-arm-linux-gnueabi linux-libc-dev-armel-cross
CROSS := yes
SWIFT_TRIPLE := armv6-none-none-eabi
CLANG_TRIPLE := armv6-linux-musleabi
EMULATOR := qemu-arm-static
COMPILER := arm-linux-gnueabi
MACHINE := -march=armv6
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 340000
OPENWRT_ARCHITECTURE ?= arm_arm1176jzf-s_vfp

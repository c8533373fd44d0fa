# SPDX-License-Identifier: MIT
# 32-bit ARM, little-endian, with the FPU's registers for arguments as Debian's armhf.
PACKAGES := gcc-arm-linux-gnueabihf linux-libc-dev-armhf-cross
CROSS := yes
SWIFT_TRIPLE := armv7-none-none-eabi
CLANG_TRIPLE := armv7-linux-musleabihf
CLANG_FLAGS := -mthumb -mfpu=vfpv3-d16
EMULATOR := qemu-arm-static
COMPILER := arm-linux-gnueabihf
MACHINE := -mthumb -march=armv7-a+fp
# Nothing is computed earlier, or in more places, than the source says: it would have to be kept somewhere meanwhile.
MACHINE_LINK_FLAGS := -Wl,-mllvm,-disable-machine-licm,-mllvm,-split-spill-mode=size
# The agent may not become larger than this, in bytes; the goal is 160000.
AGENT_BYTES_MAXIMUM := 204200
OPENWRT_ARCHITECTURE ?= arm_cortex-a7_neon-vfpv4

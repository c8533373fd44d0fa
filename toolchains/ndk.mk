# SPDX-License-Identifier: MIT
# In place of cross.mk where NDK names the folder of an Android NDK (r23 or newer, of Linux): its clang compiles the C floor and
# links with Android's own C library, bionic, as a program that the phone's loader relocates and gives its libraries.
NDK_HOST := $(NDK)/toolchains/llvm/prebuilt/linux-x86_64
# Of the oldest Android that programs are to run on: 21 is 5.0.
ANDROID_API ?= 21
NDK_aarch64 := aarch64-linux-android aarch64-linux-android
NDK_armv7 := armv7a-linux-androideabi arm-linux-androideabi
NDK_LIBRARIES := $(NDK_HOST)/sysroot/usr/lib/$(lastword $(NDK_$(TARGET)))/$(ANDROID_API)

ifeq ($(NDK_$(TARGET)),)
$(error no phone has $(TARGET) programs; with NDK, TARGET is aarch64 or armv7)
endif
ifeq ($(wildcard $(NDK_HOST)/bin/clang),)
$(error $(NDK) is no Android NDK (ANDROID_NDK_ROOT): no toolchains/llvm/prebuilt/linux-x86_64/bin/clang there; without it, make android links with musl)
endif
ifeq ($(wildcard $(NDK_LIBRARIES)/libc.so),)
$(error the NDK $(NDK) has no libraries of API level $(ANDROID_API); ANDROID_API says another one)
endif

# What another NDK or level has made is not for this one.
NDK_USED := $(NDK) $(ANDROID_API) $(shell cat $(NDK)/source.properties 2>/dev/null)
ifneq ($(NDK_USED),$(shell cat $(OUT)/ndk 2>/dev/null))
$(shell rm -rf $(OUT); mkdir -p $(OUT); echo '$(NDK_USED)' > $(OUT)/ndk)
endif

CLANG_TRIPLE := $(firstword $(NDK_$(TARGET)))$(ANDROID_API)
CC := $(NDK_HOST)/bin/clang --target=$(CLANG_TRIPLE) $(CLANG_FLAGS) -fPIE
# Sizes and places of files have 64 bits everywhere else.
CFLAGS := -Oz -fno-stack-protector -D_FILE_OFFSET_BITS=64
# NDKs come once or twice a year, and what their compilers warn of is another thing each time.
WARNINGS := -Wall -Wextra
# Newer phones have pages of 16 KB.
LINK_KIND := -pie -Wl,-z,max-page-size=16384
LIBC_FOLDER :=
LIBC := $(NDK_LIBRARIES)/libc.so
LIBC_FLAGS :=
EXAMPLE_LINKER := -B$(SWIFT_BIN) -fuse-ld=lld
STRIP := $(NDK_HOST)/bin/llvm-strip
OBJCOPY := $(NDK_HOST)/bin/llvm-objcopy
AR := $(NDK_HOST)/bin/llvm-ar
# The kernel's headers are the NDK's own. Tables for unwinding stay: the headers of the program point at them.
KERNEL_HEADERS :=
UNWIND_TABLES :=
TOOLCHAIN_FILES := $(LIBC)

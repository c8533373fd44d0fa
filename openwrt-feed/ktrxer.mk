# SPDX-License-Identifier: MIT
# What the packages of this feed have in common: where the sources are, and how what is written in Swift is built with the
# SDK's own compiler and C library. Swift 6.3 itself is the one host tool that the SDK does not bring.

PKG_VERSION:=0.1.0
PKG_RELEASE:=1
PKG_BUILD_PARALLEL:=0

# The feed is a folder of the repository, whether that was linked (src-link) or cloned (src-git).
KTRXER_SOURCE:=$(abspath $(CURDIR)/../..)
KTRXER_TARGET:=$(strip $(if $(filter mips,$(ARCH)),mips_24kc)$(if $(filter mipsel,$(ARCH)),mipsel_24kc)\
	$(if $(filter arm,$(ARCH)),armv7)$(filter aarch64 x86_64,$(ARCH)))
KTRXER_BUILT=$(PKG_BUILD_DIR)/build/$(KTRXER_TARGET)
KTRXER_SWIFT=$(firstword $(shell command -v swiftc) $(wildcard $(SWIFT_HOME)/usr/bin/swiftc \
	$(HOME)/.local/share/swiftly/bin/swiftc /opt/swift*/usr/bin/swiftc))

define Ktrxer/Prepare
	$(INSTALL_DIR) $(PKG_BUILD_DIR)
	$(CP) $(addprefix $(KTRXER_SOURCE)/,Makefile LICENSES Sources examples kmod toolchains) $(PKG_BUILD_DIR)/
endef

# 1: what to build, below build/TARGET
define Ktrxer/Compile
	$(if $(KTRXER_SWIFT),,@echo "$(PKG_NAME): no swiftc on the PATH or in SWIFT_HOME; install Swift 6.3 from https://swift.org/install" >&2; exit 1)
	PATH="$(dir $(KTRXER_SWIFT)):$(TARGET_PATH)" $(MAKE) -C $(PKG_BUILD_DIR) TARGET=$(KTRXER_TARGET) \
		SDK_CROSS=$(TARGET_CROSS) SDK_HEADERS=$(TOOLCHAIN_DIR)/include \
		$(addprefix build/$(KTRXER_TARGET)/,$(1))
endef

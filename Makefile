# SPDX-License-Identifier: MIT
# Every command a person types. `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

TARGET ?= x86_64
ABI ?= arm64-v8a

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

include toolchains/embedded.mk
include toolchains/selftest.mk
include packaging/gateway/install.mk

.PHONY: setup
setup: ## install and build what the tests need and this machine lacks (Debian 12; root when packages are missing)
	@Tests/beds/setup.sh all

.PHONY: setup-build
setup-build: ## install and build what building needs, for every target, and no more (Debian 12; root when packages are missing)
	@Tests/beds/setup.sh targets

.PHONY: setup-kernels
setup-kernels: ## setup, and every other kernel that the module is tried on (5.10, 7, other devices' ones; root, some minutes)
	@Tests/beds/setup.sh kernels

.PHONY: build
build: $(OUT)/ktrxer-agent $(OUT)/libktrxer.a $(OUT)/examples/ping $(OUT)/examples/pair ## agent, C library and examples for TARGET (x86_64), in build/TARGET/
	@ls -l $^

.PHONY: build-all
build-all: ## build, for every target
	@set -e; for target in $(TARGETS); do $(MAKE) --no-print-directory build TARGET=$$target; done

.PHONY: run
run: ## build the agent and run examples/first-run.conf in a small internet made of network namespaces
	@Tests/beds/setup.sh build
	@echo "building the agent"
	@$(MAKE) --no-print-directory --silent build
	@examples/small-internet.sh run $(OUT)/ktrxer-agent run --once -f examples/first-run.conf

# One after the other, whatever -j says: they share the machine's two processors. The network tests come
# last, and their runner has the last word.
.PHONY: test
test: ## set up, build, and pass all tests
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-selftest
	@$(MAKE) --no-print-directory test-kernel
	@$(MAKE) --no-print-directory test-devices
	@$(MAKE) --no-print-directory evaluation-check
	@$(MAKE) --no-print-directory test-packaging
	@$(MAKE) --no-print-directory test-network

.PHONY: test-unit
test-unit: ## unit tests on the host
	swift test

.PHONY: test-selftest
test-selftest: ## build everything for every target and run it under qemu's user-mode emulation; build one twice
	@printf '%s\n' $(TARGETS) | xargs -P 2 -I NAME $(MAKE) --no-print-directory build selftest TARGET=NAME
	@toolchains/guard.py code $(foreach target,$(TARGETS),build/$(target)/obj/{KTRxerLite,agent,selftest}.ll)
	@Tests/SelfTest/run.sh $(TARGETS)
	@Tests/SelfTest/missing.sh
	@Tests/SelfTest/reproduce.sh mips_24kc

.PHONY: test-network
test-network: build ## network tests: in User Mode Linux with virtual time, and (as root) on this kernel
	@Tests/network/run.sh

.PHONY: test-kernel
test-kernel: build ## kernel tests: in User Mode Linux with all debug options, and on the Debian kernels that are here
	@Tests/kernel/run.sh

.PHONY: test-devices
test-devices: ## tests on emulated devices: KTRXER_DEVICES of router, router-le, phone, phone-32, pc; all of them if setup-kernels was run
	@set -e; for target in mips_24kc mipsel_24kc aarch64 armv7 x86_64; do $(MAKE) --no-print-directory --silent build TARGET=$$target; done
	@KTRXER_DEVICES="$${KTRXER_DEVICES:-$$(Tests/devices/run.sh --here)}" Tests/devices/run.sh

.PHONY: test-hour
test-hour: ## an hour of jobs on the emulated router in virtual time (or KTRXER_DEVICES): memory must not grow; some minutes
	@$(MAKE) --no-print-directory --silent build TARGET=mips_24kc
	@Tests/devices/run.sh hour.py -s

.PHONY: test-packaging
test-packaging: ## tests of the packages for routers and of the bundle for phones: their form, and life with them on emulated ones
	@set -e; for target in mips_24kc x86_64 aarch64 armv7; do $(MAKE) --no-print-directory --silent build TARGET=$$target; done
	@# Side by side: their machines have one processor each.
	@Tests/android/run.sh > build/test-android.log 2>&1 & android=$$!; Tests/packaging/run.sh; packaging=$$?; \
	wait $$android; android=$$?; cat build/test-android.log; [ $$packaging = 0 ] && [ $$android = 0 ]

ANDROID_TARGET = $(or $(patsubst arm64-v8a,aarch64,$(filter arm64-v8a,$(ABI))),$(patsubst armeabi-v7a,armv7,$(filter armeabi-v7a,$(ABI))))
.PHONY: android
android: ## a phone's bundle, dist/ktrxer-VERSION-android-ABI.zip (ABI: arm64-v8a, the default, or armeabi-v7a; ANDROID_NDK_ROOT links with bionic)
	@$(if $(ANDROID_TARGET),,echo "no ABI $(ABI); there are: arm64-v8a armeabi-v7a" >&2; exit 64)
	@$(MAKE) --no-print-directory --silent build TARGET=$(ANDROID_TARGET) NDK=$(ANDROID_NDK_ROOT)
	@android-ndk/bundle.py $(ABI) build/$(ANDROID_TARGET)$(if $(ANDROID_NDK_ROOT),-android) \
		"dist/ktrxer-$$(sed -n 's/^let version: StaticString = "\(.*\)"/\1/p' Sources/ktrxer-agent/Version.swift)-android-$(ABI).zip"

.PHONY: module
module: ## the kernel module for this machine's kernel (KDIR); kmod/Makefile has more
	@$(MAKE) --no-print-directory -C kmod module

.PHONY: kernels-table
kernels-table: build ## build the kernel module for every kernel that is here, try it there, and write docs/kernels.md's table
	@Tests/kernel/kernels_table.sh

.PHONY: ipk
ipk: build ## packages for OpenWrt's opkg: agent and C library for TARGET, with KDIR (a kernel tree) the module, into dist/; SIGN_KEY signs the index
	@packaging/make_packages.py ipk $(PACKAGING_OPTIONS)

.PHONY: apk
apk: build ## the same for OpenWrt 25.12 and newer, where apk-tools 3 is on the PATH
	@packaging/make_packages.py apk $(PACKAGING_OPTIONS)

# CROSS_COMPILE is of the compiler that the kernel was built with.
PACKAGING_OPTIONS = --target $(TARGET) --architecture $(OPENWRT_ARCHITECTURE) --output dist $(addprefix --kdir ,$(KDIR)) \
	$(addprefix --sign-key ,$(SIGN_KEY)) \
	--cross-compile '$(or $(CROSS_COMPILE),$(COMPILER)-)'

.PHONY: bench-kernel
bench-kernel: build ## figures of the kernel module beside other ways to send, in virtual time, on the Debian kernels that are here
	@Tests/kernel/figures.sh

.PHONY: bench-devices
bench-devices: ## figures of sending on the emulated devices, written into docs/figures.md (after setup-kernels; a quarter of an hour)
	@Tests/devices/figures.sh

.PHONY: evaluation
evaluation: ## measure everything that docs/evaluation.md shows, on all emulated devices, in virtual time (after setup-kernels; half an hour on two processors)
	@set -e; for target in mips_24kc mipsel_24kc aarch64 armv7 x86_64; do $(MAKE) --no-print-directory --silent build TARGET=$$target; done
	@Tests/bench/evaluate.sh all

.PHONY: evaluation-quick
evaluation-quick: ## the same with few sizes, on one device of each kind, into build/evaluation (some minutes)
	@set -e; for target in mips_24kc aarch64 x86_64; do $(MAKE) --no-print-directory --silent build TARGET=$$target; done
	@Tests/bench/evaluate.sh quick

.PHONY: evaluation-check
evaluation-check: ## the quick evaluation twice: the same to the byte, and no worse than Tests/bench/goals.py allows
	@set -e; for target in mips_24kc aarch64 x86_64; do $(MAKE) --no-print-directory --silent build TARGET=$$target; done
	@Tests/bench/run.sh
	@Tests/bench/evaluate.sh check.py

.PHONY: lint
lint: $(OBJ)/agent.o ## formatting and style of the sources, code that other targets could not run, kernel style and sparse for the module, manual pages and their examples
	swift format lint --strict --recursive Sources Tests Package.swift
	@command -v mandoc >/dev/null || { echo "lint: no mandoc here; run: make setup" >&2; exit 69; }
	mandoc -T lint -W warning $$(grep -L '^\.so ' docs/man/man?/*)
	@Tests/documentation/check.py
	@Tests/kernel/kernels_table.sh --check
	@toolchains/guard.py self-check
	@toolchains/guard.py sources
	@toolchains/guard.py code $(OBJ)/KTRxerLite.ll $(OBJ)/agent.ll
	@Tests/kernel/lint.sh

.PHONY: clean
clean: ## remove everything that was built here
	rm -rf build .build

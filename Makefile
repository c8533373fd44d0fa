# SPDX-License-Identifier: MIT
# Every command a person types. `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

TARGET ?= x86_64

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

include toolchains/embedded.mk

.PHONY: build
build: $(OUT)/ktrxer-agent ## the static agent for TARGET (x86_64), in build/TARGET/
	@ls -l $<

.PHONY: test-unit
test-unit: ## unit tests on the host
	swift test

.PHONY: clean
clean: ## remove everything that was built here
	rm -rf build .build

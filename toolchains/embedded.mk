# SPDX-License-Identifier: MIT
# How one target's agent is made: Embedded Swift and C objects, linked statically against musl. The
# target's own file, toolchains/$(TARGET).mk, says with which compilers. With NDK, an Android NDK's folder, the C library is
# Android's instead (ndk.mk).
OUT := build/$(TARGET)$(if $(NDK),-android)
OBJ := $(OUT)/obj

TARGETS := x86_64 aarch64 armv7 mips_24kc mipsel_24kc
ifeq ($(wildcard toolchains/$(TARGET).mk),)
$(error no target $(TARGET); there are: $(TARGETS))
endif
include toolchains/$(TARGET).mk

# Of what the optimiser may do for speed, what makes code larger is taken back: copies of callees in large callers
# (the factor divides the benefit that is seen in one, the limit is in blocks of the caller), a trap of its own for
# each check, which only a debugger would tell apart, and a second copy of each loop's condition before the loop.
SWIFTC := swiftc -target $(SWIFT_TRIPLE) $(SWIFT_FLAGS) -enable-experimental-feature Embedded \
	-enable-experimental-feature Lifetimes -swift-version 6 -wmo -Osize -parse-as-library \
	-Xfrontend -function-sections -Xfrontend -disable-stack-protector -enforce-exclusivity=unchecked \
	-Xfrontend -sil-inline-caller-benefit-reduction-factor -Xfrontend 100 \
	-Xllvm -sil-inline-overall-caller-block-limit=50 -Xfrontend -mergeable-traps \
	-Xllvm -sil-disable-pass=loop-rotate \
	-Xcc -fomit-frame-pointer \
	-file-prefix-map $(CURDIR)=. \
	-I Sources/CKTRxer/include -I $(OBJ)
WARNINGS := -Wall -Wextra -Werror
# Nothing unwinds: no tables for it.
UNWIND_TABLES := .eh_frame
DEVICE_CFLAGS = $(CFLAGS) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables \
	-ffile-prefix-map=$(CURDIR)=. -I Sources/CKTRxer/include -I kmod/uapi -isystem $(OUT)/headers

# A target of which the stock toolchain has no modules borrows another's.
SWIFT_MODULES := $(if $(SWIFT_DONOR),$(OUT)/swift)
SWIFTC += $(addprefix -resource-dir ,$(SWIFT_MODULES))

# Swift is compiled to LLVM's intermediate code, not optimised yet, so that calls.sed still sees each call, and the
# toolchain's own linker makes machine code of both modules together. What no code refers to is left out, what is
# the same twice is kept once.
SWIFT_BIN := $(dir $(realpath $(shell command -v swiftc)))
CLANG = $(SWIFT_BIN)clang -target $(CLANG_TRIPLE) $(CLANG_FLAGS)
ifdef CROSS
RETARGET = | sed -E -f $(OBJ)/retarget.sed
RETARGET_FILES := $(OBJ)/retarget.sed $(OBJ)/retarget.link
RETARGET_LINK = @$(OBJ)/retarget.link
endif
IR_TO_OBJECT = sed -E -f $(OBJ)/calls.sed $(@:.o=.ll) $(RETARGET) > $(@:.o=.calls.ll) && \
	$(CLANG) $(STATIC_FLAGS) -flto -Oz -Wno-override-module -c -x ir $(@:.o=.calls.ll) -o $@
# Blocks stay in the order of the source: reordered for speed, they need more jumps. What is better for one machine is in its
# file.
LINK_FLAGS = -Wl,--gc-sections,--icf=all,--build-id=none \
	-Wl,--lto-O2 -Wl,-mllvm,-enable-machine-outliner=always \
	-Wl,-mllvm,-disable-block-placement,-mllvm,-tail-merge-size=2 $(MACHINE_LINK_FLAGS)

# lld would name a dynamic linker in a static program as long as the compiler driver speaks of one.
LINK_KIND := -static -Wl,--no-dynamic-linker,--wrap=__get_resolv_conf

LITE_SOURCES := $(shell find Sources/KTRxerLite -name '*.swift' | LC_ALL=C sort)
AGENT_SOURCES := $(shell find Sources/ktrxer-agent -name '*.swift' | LC_ALL=C sort)
C_SOURCES := $(shell find Sources/CKTRxer -name '*.c' | LC_ALL=C sort)
# What stands in for parts of musl, or changes it.
MUSL_SOURCES := $(addprefix Sources/CKTRxer/,arc4random.c posix_memalign.c resolv_conf.c)
ifdef NDK
C_SOURCES := $(filter-out $(MUSL_SOURCES),$(C_SOURCES))
endif
C_HEADERS := $(shell find Sources/CKTRxer -name '*.h' -o -name '*.modulemap') kmod/uapi/ktrxer_uapi.h
C_OBJECTS := $(patsubst Sources/CKTRxer/%.c,$(OBJ)/%.o,$(C_SOURCES))

# The C library that `make setup-build` builds for size; without it, the one of the compiler.
CACHE := $(or $(KTRXER_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ktrxer)
LIBC_OPTIONS = $(CACHE) $(COMPILER) $(MACHINE) $(STATIC_FLAGS)
LIBC_FOLDER := $(shell toolchains/musl.sh path $(LIBC_OPTIONS))
LIBC := $(wildcard $(LIBC_FOLDER)/libc.a)
ifdef CROSS
include toolchains/$(if $(NDK),ndk,$(if $(SDK_CROSS),sdk,cross)).mk
else
LIBC_FLAGS := $(addprefix -L,$(dir $(LIBC)))
endif

# What is made once, outside the tree, for a target.
.PHONY: toolchain toolchain-made toolchain-check
toolchain:
	@toolchains/musl.sh build $(LIBC_OPTIONS)
	$(if $(BUILTINS),@toolchains/builtins.sh build $(LIBC_OPTIONS))
toolchain-made:
	@for file in $(TOOLCHAIN_FILES); do [ -e $$file ] || exit 1; done
toolchain-check:
	@toolchains/check.sh $(TARGET) 6.3 $(firstword $(CC)) $(TOOLCHAIN_FILES) $(firstword $(KERNEL_HEADERS))

define LINK
$(CC) -B$(SWIFT_BIN) -fuse-ld=lld $(LINK_KIND) $(LIBC_FLAGS) $(LINK_FLAGS) $(RETARGET_LINK) -o $@.unstripped \
	$(LINK_START) $(filter %.o,$^) $(LINK_END)
$(STRIP) $(addprefix -R ,.comment $(UNWIND_TABLES) $(DEAD_SECTIONS)) -o $@ $@.unstripped
endef

$(OUT)/ktrxer-agent: $(OBJ)/agent.o $(OBJ)/KTRxerLite.o $(C_OBJECTS) $(LIBC)
	$(if $(LIBC),,@echo "note: linking a C library that is compiled for speed; after make setup-build, the agent is 16 KB smaller")
	$(LINK)

$(OBJ)/KTRxerLite.o: $(LITE_SOURCES) $(C_HEADERS) $(OBJ)/calls.sed $(RETARGET_FILES) | $(OBJ) $(SWIFT_MODULES)
	$(SWIFTC) -module-name KTRxerLite -emit-module-path $(OBJ)/KTRxerLite.swiftmodule \
		-emit-irgen $(LITE_SOURCES) -o $(@:.o=.ll)
	$(IR_TO_OBJECT)

# The entry point gets another name: the C library's main() comes first and keeps the arguments.
$(OBJ)/agent.o: $(AGENT_SOURCES) $(OBJ)/KTRxerLite.o $(OBJ)/calls.sed
	$(SWIFTC) -module-name ktrxer_agent -Xfrontend -entry-point-function-name -Xfrontend ktrxer_swift_main \
		-emit-irgen $(AGENT_SOURCES) -o $(@:.o=.ll)
	$(IR_TO_OBJECT)

# The C library: machine code for any linker, in which only what ktrxer.h declares has a name. Sections stay apart, so
# that --gc-sections leaves the rest out of a program.
LIBRARY_FLAGS := $(or $(STATIC_FLAGS),-fPIC)
LIBRARY_C_OBJECTS := $(patsubst $(OBJ)/%,$(OBJ)/library/%,$(filter-out \
	$(addprefix $(OBJ)/,start.o posix_memalign.o resolv_conf.o),$(C_OBJECTS)))
LIBRARY_NAMES = sed -n 's/^[a-z].*\(ktrxer_[a-z_]*\)(.*/\1/p' Sources/CKTRxer/include/ktrxer.h

$(OUT)/libktrxer.a: $(OBJ)/KTRxerLite.o $(LIBRARY_C_OBJECTS) $(OUT)/ktrxer.h
	$(CLANG) -Oz $(LIBRARY_FLAGS) -ffunction-sections -fdata-sections -Wno-override-module \
		-c -x ir $(<:.o=.calls.ll) -o $(OBJ)/library-swift.o
	$(SWIFT_BIN)ld.lld -r -o $(OBJ)/library.o $(OBJ)/library-swift.o $(LIBRARY_C_OBJECTS)
	$(LIBRARY_NAMES) > $(OBJ)/library-names
	$(OBJCOPY) --strip-debug --keep-global-symbols=$(OBJ)/library-names $(OBJ)/library.o $(OBJ)/ktrxer.o
	rm -f $@
	$(AR) rcs $@ $(OBJ)/ktrxer.o

$(OUT)/ktrxer.h: Sources/CKTRxer/include/ktrxer.h | $(OBJ)
	cp $< $@

# Linked twice: as one does it first, and as small as it gets. On MIPS the whole of it is out of reach of short offsets.
$(OUT)/examples/%: examples/c/%.c $(OUT)/libktrxer.a
	mkdir -p $(OUT)/examples
	$(if $(filter mips%,$(TARGET)),,$(CC) $(CFLAGS) $(STATIC_FLAGS) $(firstword $(LINK_KIND)) $(EXAMPLE_LINKER) -I $(OUT) $(LINK_START) $< \
		$(OUT)/libktrxer.a $(LINK_END) -o $@)
	$(CC) $(CFLAGS) $(STATIC_FLAGS) -std=gnu11 $(WARNINGS) -ffunction-sections $(firstword $(LINK_KIND)) \
		$(EXAMPLE_LINKER) -Wl,--gc-sections -I $(OUT) $(LINK_START) $< $(OUT)/libktrxer.a $(LINK_END) -o $@
	$(STRIP) $(addprefix -R ,$(DEAD_SECTIONS)) $@

$(OBJ)/%.o: Sources/CKTRxer/%.c $(C_HEADERS) $(OUT)/headers | $(OBJ)
	$(CC) $(DEVICE_CFLAGS) $(STATIC_FLAGS) -c $< -o $@

$(OBJ)/library/%.o: Sources/CKTRxer/%.c $(C_HEADERS) $(OUT)/headers | $(OBJ)/library
	$(CC) $(DEVICE_CFLAGS) $(LIBRARY_FLAGS) -c $< -o $@

# A convention that keeps all registers is for the processors whose back end knows it.
$(OBJ)/calls.sed: toolchains/calls.sed | $(OBJ)
	$(if $(KEEPS_REGISTERS),cat,grep -v preserve_mostcc) $< > $@

$(OBJ)/retarget.sed: toolchains/retarget.sh toolchains/$(TARGET).mk | $(OBJ)
	$< sed $(CLANG) $(STATIC_FLAGS) > $@

$(OBJ)/retarget.link: toolchains/retarget.sh toolchains/$(TARGET).mk | $(OBJ)
	$< link $(CLANG) $(STATIC_FLAGS) > $@

$(OUT)/swift: toolchains/donor.sh toolchains/$(TARGET).mk
	$< $@ $(SWIFT_DONOR) $(SWIFT_TRIPLE)

# musl brings no kernel headers; these are the kernel's own, user-space view.
$(OUT)/headers: | $(OBJ)
	mkdir -p $@
	$(if $(KERNEL_HEADERS),ln -sfn $(KERNEL_HEADERS) $@/)

$(OBJ) $(OBJ)/library: | toolchain-check
	mkdir -p $@

# SPDX-License-Identifier: MIT
# How one target's agent is made: Embedded Swift and C objects, linked statically against musl. The
# target's own file, toolchains/$(TARGET).mk, says with which compilers.
OUT := build/$(TARGET)
OBJ := $(OUT)/obj

include toolchains/$(TARGET).mk

SWIFTC := swiftc -target $(SWIFT_TRIPLE) $(SWIFT_FLAGS) -enable-experimental-feature Embedded \
	-enable-experimental-feature Lifetimes -swift-version 6 -wmo -Osize -parse-as-library \
	-Xfrontend -function-sections -Xfrontend -disable-stack-protector -enforce-exclusivity=unchecked \
	-Xcc -fomit-frame-pointer \
	-file-prefix-map $(CURDIR)=. \
	-I Sources/CKTRxer/include -I $(OBJ)
DEVICE_CFLAGS := $(CFLAGS) -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(CURDIR)=. -I Sources/CKTRxer/include -isystem $(OUT)/headers

# Swift is compiled to LLVM's intermediate code, and the toolchain's own linker makes machine code of both modules
# together: a ninth smaller. What no code refers to is left out, what is the same twice is kept once.
SWIFT_BIN := $(dir $(realpath $(shell command -v swiftc)))
IR_TO_OBJECT = $(SWIFT_BIN)clang -target $(CLANG_TRIPLE) $(CLANG_FLAGS) -flto -Oz -Wno-override-module -c -x ir
# lld would name a dynamic linker in a static program as long as the compiler driver speaks of one.
LINK_FLAGS := -Wl,--no-dynamic-linker -Wl,--gc-sections,--icf=all,--build-id=none -Wl,--lto-O2 -Wl,-mllvm,-enable-machine-outliner=always

LITE_SOURCES := $(shell find Sources/KTRxerLite -name '*.swift' | LC_ALL=C sort)
AGENT_SOURCES := $(shell find Sources/ktrxer-agent -name '*.swift' | LC_ALL=C sort)
C_SOURCES := $(shell find Sources/CKTRxer -name '*.c' | LC_ALL=C sort)
C_HEADERS := $(shell find Sources/CKTRxer -name '*.h' -o -name '*.modulemap')
C_OBJECTS := $(patsubst Sources/CKTRxer/%.c,$(OBJ)/%.o,$(C_SOURCES))

$(OUT)/ktrxer-agent: $(OBJ)/agent.o $(OBJ)/KTRxerLite.o $(C_OBJECTS)
	$(CC) -B$(SWIFT_BIN) -fuse-ld=lld -static $(LINK_FLAGS) -o $@.unstripped $^
	$(STRIP) -o $@ $@.unstripped

$(OBJ)/KTRxerLite.o: $(LITE_SOURCES) $(C_HEADERS) | $(OBJ)
	$(SWIFTC) -module-name KTRxerLite -emit-module-path $(OBJ)/KTRxerLite.swiftmodule \
		-emit-ir $(LITE_SOURCES) -o $(@:.o=.ll)
	$(IR_TO_OBJECT) $(@:.o=.ll) -o $@

# The entry point gets another name: the C library's main() comes first and keeps the arguments.
$(OBJ)/agent.o: $(AGENT_SOURCES) $(OBJ)/KTRxerLite.o
	$(SWIFTC) -module-name ktrxer_agent -Xfrontend -entry-point-function-name -Xfrontend ktrxer_swift_main \
		-emit-ir $(AGENT_SOURCES) -o $(@:.o=.ll)
	$(IR_TO_OBJECT) $(@:.o=.ll) -o $@

$(OBJ)/%.o: Sources/CKTRxer/%.c $(C_HEADERS) $(OUT)/headers | $(OBJ)
	$(CC) $(DEVICE_CFLAGS) -c $< -o $@

# musl brings no kernel headers; these are the kernel's own, user-space view.
$(OUT)/headers: | $(OBJ)
	mkdir -p $@
	ln -sfn $(KERNEL_HEADERS) $@/

$(OBJ):
	mkdir -p $@

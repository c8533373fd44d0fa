# SPDX-License-Identifier: MIT
# The self-test: unit tests of frames (changed by Tests/SelfTest/embedded.sed), the agent's sources without its entry,
# and what is in Tests/SelfTest, with the library as it is in the agent.
UNIT_TESTS := FrameBytesTests FrameVectorTests FrameErrorVectorTests FrameExtensionVectorTests
SELFTEST_UNITS := $(patsubst %,$(OBJ)/selftest/%.swift,$(UNIT_TESTS))
SELFTEST_SOURCES := $(sort $(wildcard Tests/SelfTest/*.swift)) Tests/KTRxerLiteTests/FrameValues.swift \
	$(filter-out %/Main.swift,$(AGENT_SOURCES))

$(OBJ)/selftest/%.swift: Tests/KTRxerLiteTests/%.swift Tests/SelfTest/embedded.sed | $(OBJ)
	mkdir -p $(@D)
	sed -E -f Tests/SelfTest/embedded.sed $< > $@

$(OBJ)/selftest.o: $(SELFTEST_SOURCES) $(SELFTEST_UNITS) $(OBJ)/KTRxerLite.o $(OBJ)/calls.sed
	$(SWIFTC) -module-name SelfTest -Xfrontend -entry-point-function-name -Xfrontend ktrxer_swift_main \
		-emit-irgen $(SELFTEST_SOURCES) $(SELFTEST_UNITS) -o $(@:.o=.ll)
	$(IR_TO_OBJECT)

$(OUT)/selftest: $(OBJ)/selftest.o $(OBJ)/KTRxerLite.o $(C_OBJECTS) $(LIBC)
	$(LINK)

.PHONY: selftest
selftest: $(OUT)/selftest

# SPDX-License-Identifier: MIT
# sed -E -f: changes Swift's intermediate code so that counting references costs a call in place of a copy of the
# counting code, in hundreds of places: the functions are not inlined, and where the processor's back end knows
# such a convention (not 32-bit ARM, not MIPS) they keep all registers, so that nothing is saved around the call.
/@swift_(retain|release)\(/{
	s/^(define .*\)) (local_unnamed_addr )?#/\1 \2noinline #/
	s/^define weak_odr protected /&preserve_mostcc /
	s/( |^)call (ptr|void) @/\1call preserve_mostcc \2 @/
	# Caller and function must agree: a form that is not known here stops the build.
	/preserve_mostcc/!q 70
}
# Text needs no alignment: the compiler would start whatever has 16 bytes or more at a multiple of 16, which wastes 2 KB.
/ constant \[[0-9]+ x i8\] c".*"$/s/$/, align 1/

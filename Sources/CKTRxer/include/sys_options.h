/* SPDX-License-Identifier: MIT */
/* Splitting a command line into options and operands. */
#ifndef KTRXER_SYS_OPTIONS_H
#define KTRXER_SYS_OPTIONS_H

#include <stdint.h>

enum {
	KTRXER_OPTION_OPERAND = 0, /* the value is an argument that is no option */
	KTRXER_OPTION_UNKNOWN = -1,
	KTRXER_OPTION_NO_VALUE = -2, /* a value is missing */
	KTRXER_OPTION_EXTRA_VALUE = -3, /* --name=value of an option that takes none */
	KTRXER_OPTION_LONG = 256, /* codes of long options begin here */
};

struct ktrxer_option {
	/* A letter; or KTRXER_OPTION_LONG and the number of the long option; or one of those above. */
	int32_t code;
	/* Of the value, or of the argument that is wrong; offset and length 0: none. */
	uint32_t offset;
	uint32_t length;
	/* NO_VALUE, EXTRA_VALUE: the option's code. UNKNOWN: the letter, or 0 of a long option. */
	int32_t culprit;
};

/*
 * arguments: those after the command, each ended by a NUL, size bytes in all; offsets are into them.
 * letters: each with a ':' after it when it takes a value. names: the long options, each ended by a NUL,
 * with a ':' before it when it takes a value; count of them are known, from number first on. Abbreviations
 * are taken, "--" ends the options, operands may stand between them. Fills in at most capacity entries of
 * out, in the order of the command line, and stops at the first that is wrong. Returns their number.
 */
int32_t ktrxer_options(const uint8_t *arguments, uint32_t size, const uint8_t *letters,
		       const uint8_t *names, uint32_t first, uint32_t count,
		       struct ktrxer_option *out, uint32_t capacity);

#endif

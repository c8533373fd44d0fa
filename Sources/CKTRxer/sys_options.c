/* SPDX-License-Identifier: MIT */
/*
 * The rules are those of POSIX's utility conventions and of GNU's long options. The C library's
 * getopt_long is not used: it keeps its place in globals, does not say which argument of a cluster it was
 * at, and brings 5 KB of messages and multibyte characters along.
 */
#include "sys_options.h"

#include <stddef.h>
#include <string.h>

struct names {
	const char *first;
	int32_t first_code;
	uint32_t count;
};

/* The command line, and how far it has been read. */
struct cursor {
	const char *base;
	const char *next;
	const char *end;
};

static const char *take_argument(struct cursor *cursor)
{
	const char *argument = cursor->next;

	if (argument >= cursor->end)
		return NULL;
	cursor->next = argument + strlen(argument) + 1;
	return argument;
}

/* Offset and length 0 without text. */
static void fill(struct ktrxer_option *out, const struct cursor *cursor, int32_t code, int32_t culprit,
		 const char *text)
{
	out->code = code;
	out->culprit = culprit;
	out->offset = text ? (uint32_t)(text - cursor->base) : 0;
	out->length = text ? (uint32_t)strlen(text) : 0;
}

/*
 * The code of the option whose name begins with those length bytes, if that is one option's name alone or
 * a whole name; or KTRXER_OPTION_UNKNOWN.
 */
static int32_t find_name(const struct names *names, const char *text, size_t length, int *takes_value)
{
	const char *name = names->first;
	int32_t found = KTRXER_OPTION_UNKNOWN;

	for (uint32_t i = 0; i < names->count; i++) {
		size_t size = strlen(name);
		int with_value = name[size - 1] == ':';
		size_t name_length = size - (size_t)with_value;

		if (length <= name_length && memcmp(name, text, length) == 0) {
			int whole = length == name_length;
			int ambiguous = found != KTRXER_OPTION_UNKNOWN;

			found = ambiguous && !whole ? KTRXER_OPTION_OPERAND : names->first_code + (int32_t)i;
			*takes_value = with_value;
			if (whole)
				return found;
		}
		name += size + 1;
	}
	return found == KTRXER_OPTION_OPERAND ? KTRXER_OPTION_UNKNOWN : found;
}

/* Reads --name, --name=value or --name value. */
static void take_long(struct ktrxer_option *out, struct cursor *cursor, const struct names *names,
		      const char *argument)
{
	const char *name = argument + 2;
	const char *equals = strchr(name, '=');
	const char *value = equals ? equals + 1 : NULL;
	int takes_value = 0;
	int32_t code = find_name(names, name, equals ? (size_t)(equals - name) : strlen(name), &takes_value);

	if (code < 0) {
		fill(out, cursor, KTRXER_OPTION_UNKNOWN, 0, argument);
		return;
	}
	if (value && !takes_value) {
		fill(out, cursor, KTRXER_OPTION_EXTRA_VALUE, code, argument);
		return;
	}
	if (takes_value && !value) {
		value = take_argument(cursor);
		if (!value) {
			fill(out, cursor, KTRXER_OPTION_NO_VALUE, code, argument);
			return;
		}
	}
	fill(out, cursor, code, 0, value);
}

/* Reads the option at *letters, and moves that on within its cluster: to the end when the value was there. */
static void take_letter(struct ktrxer_option *out, struct cursor *cursor, const char *known,
			const char **letters)
{
	const char *rest = *letters + 1;
	int32_t letter = (uint8_t)**letters;
	const char *entry = letter == ':' ? NULL : strchr(known, (char)letter);

	*letters = rest;
	if (!entry) {
		fill(out, cursor, KTRXER_OPTION_UNKNOWN, letter, NULL);
		return;
	}
	if (entry[1] != ':') {
		fill(out, cursor, letter, 0, NULL);
		return;
	}
	*letters = rest + strlen(rest);
	if (!*rest)
		rest = take_argument(cursor);
	fill(out, cursor, rest ? letter : KTRXER_OPTION_NO_VALUE, rest ? 0 : letter, rest);
}

int32_t ktrxer_options(const uint8_t *arguments, uint32_t size, const uint8_t *letters,
		       const uint8_t *names, uint32_t first, uint32_t count,
		       struct ktrxer_option *out, uint32_t capacity)
{
	const char *base = (const char *)arguments;
	struct cursor cursor = { base, base, base + size };
	struct names known = { (const char *)names, KTRXER_OPTION_LONG + (int32_t)first, count };
	const char *cluster = NULL;
	int only_operands = 0;
	uint32_t filled = 0;

	while (first--)
		known.first += strlen(known.first) + 1;
	while (filled < capacity) {
		struct ktrxer_option *next = &out[filled];
		const char *argument;

		if (cluster && *cluster) {
			take_letter(next, &cursor, (const char *)letters, &cluster);
		} else {
			argument = take_argument(&cursor);
			if (!argument)
				break;
			if (only_operands || argument[0] != '-' || !argument[1]) {
				fill(next, &cursor, KTRXER_OPTION_OPERAND, 0, argument);
			} else if (argument[1] != '-') {
				cluster = argument + 1;
				continue;
			} else if (!argument[2]) {
				only_operands = 1;
				continue;
			} else {
				take_long(next, &cursor, &known, argument);
			}
		}
		filled++;
		if (next->code < 0)
			break;
	}
	return (int32_t)filled;
}

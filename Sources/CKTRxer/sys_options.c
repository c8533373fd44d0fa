/* SPDX-License-Identifier: MIT */
#include "sys_options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct command_line {
	const char *base;
	char **argv;
	int argc;
	const char *letters;
	struct option *names;
};

static void point_at(struct ktrxer_option *out, const struct command_line *line, const char *text)
{
	out->offset = text ? (uint32_t)(text - line->base) : 0;
	out->length = text ? (uint32_t)strlen(text) : 0;
}

/* Says what getopt_long found wrong with the argument it has just looked at. */
static void explain(struct ktrxer_option *out, const struct command_line *line, int result)
{
	char *argument = optind > 1 ? line->argv[optind - 1] : NULL;
	int is_long = argument && argument[0] == '-' && argument[1] == '-';

	out->culprit = optopt & 0xFF;
	point_at(out, line, is_long ? argument : NULL);
	if (result == ':')
		out->code = KTRXER_OPTION_NO_VALUE;
	else if (is_long && optopt)
		out->code = KTRXER_OPTION_EXTRA_VALUE;
	else
		out->code = KTRXER_OPTION_UNKNOWN;
}

static int32_t split(const struct command_line *line, struct ktrxer_option *out, uint32_t capacity)
{
	uint32_t count = 0;
	int result;

	opterr = 0;
	optind = 0; /* both libraries start anew */
	while (count < capacity) {
		struct ktrxer_option *next = &out[count];

		result = getopt_long(line->argc, line->argv, line->letters, line->names, NULL);
		if (result == -1)
			break;
		count++;
		if (result == '?' || result == ':') {
			explain(next, line, result);
			return (int32_t)count;
		}
		next->code = result == 1 ? KTRXER_OPTION_OPERAND : result;
		next->culprit = 0;
		point_at(next, line, optarg);
	}
	for (; optind < line->argc && count < capacity; optind++) { /* after "--" */
		out[count].code = KTRXER_OPTION_OPERAND;
		out[count].culprit = 0;
		point_at(&out[count++], line, line->argv[optind]);
	}
	return (int32_t)count;
}

static uint32_t count_strings(const char *text, uint32_t size)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < size; i++)
		count += text[i] == 0;
	return count;
}

int32_t ktrxer_options(const uint8_t *arguments, uint32_t size, const uint8_t *letters,
		       const uint8_t *names, struct ktrxer_option *out, uint32_t capacity)
{
	/* getopt_long keeps its place in globals. */
	static char busy;
	static char self[] = "";
	const char *name = (const char *)names;
	uint32_t argument_count = count_strings((const char *)arguments, size);
	uint32_t name_count = 0;
	struct command_line line = { .base = (const char *)arguments };
	char *prefixed = NULL;
	int32_t result = -ENOMEM;

	for (const char *cursor = name; *cursor; cursor += strlen(cursor) + 1)
		name_count++;
	line.argv = calloc(argument_count + 2, sizeof(*line.argv));
	line.names = calloc(name_count + 1, sizeof(*line.names));
	prefixed = malloc(strlen((const char *)letters) + 3);
	if (!line.argv || !line.names || !prefixed)
		goto out;

	/* '-': operands come in their place, ':': a missing value is told from an unknown option. */
	memcpy(prefixed, "-:", 2);
	strcpy(prefixed + 2, (const char *)letters);
	line.letters = prefixed;
	line.argv[line.argc++] = self;
	for (uint32_t i = 0; i < argument_count; i++) {
		line.argv[line.argc++] = (char *)(uintptr_t)arguments;
		arguments += strlen((const char *)arguments) + 1;
	}
	for (uint32_t i = 0; i < name_count; i++) {
		line.names[i].name = name + 2;
		line.names[i].has_arg = name[1] == ':' ? required_argument : no_argument;
		line.names[i].val = (uint8_t)name[0];
		name += strlen(name) + 1;
	}

	while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
		sched_yield();
	result = split(&line, out, capacity);
	__atomic_clear(&busy, __ATOMIC_RELEASE);
out:
	free(line.argv);
	free(line.names);
	free(prefixed);
	return result;
}

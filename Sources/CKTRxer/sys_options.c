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

	/* A letter may come as a negative char. */
	out->culprit = optopt < 0 ? optopt & 0xFF : optopt;
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

/* Gives each name its NUL in a copy of its own, where a ':' may have been. */
static char *name_options(struct option *options, const char *names, uint32_t first, uint32_t count)
{
	char *copy, *end;
	size_t size = 0;
	uint32_t i;

	for (i = 0; i < first; i++)
		names += strlen(names) + 1;
	for (i = 0; i < count; i++)
		size += strlen(names + size) + 1;
	copy = malloc(size + 1);
	if (!copy)
		return NULL;
	memcpy(copy, names, size);
	for (i = 0, end = copy; i < count; i++) {
		options[i].name = end;
		options[i].val = KTRXER_OPTION_LONG + (int)(first + i);
		end += strlen(end);
		if (end[-1] == ':') {
			end[-1] = 0;
			options[i].has_arg = required_argument;
		}
		end++;
	}
	return copy;
}

int32_t ktrxer_options(const uint8_t *arguments, uint32_t size, const uint8_t *letters,
		       const uint8_t *names, uint32_t first, uint32_t count,
		       struct ktrxer_option *out, uint32_t capacity)
{
	/* getopt_long keeps its place in globals. */
	static char busy;
	static char self[] = "";
	uint32_t argument_count = count_strings((const char *)arguments, size);
	struct command_line line = { .base = (const char *)arguments };
	char *prefixed = NULL, *copy = NULL;
	int32_t result = -ENOMEM;

	line.argv = calloc(argument_count + 2, sizeof(*line.argv));
	line.names = calloc(count + 1, sizeof(*line.names));
	prefixed = malloc(strlen((const char *)letters) + 3);
	if (!line.argv || !line.names || !prefixed)
		goto out;
	copy = name_options(line.names, (const char *)names, first, count);
	if (!copy)
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

	while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
		sched_yield();
	result = split(&line, out, capacity);
	__atomic_clear(&busy, __ATOMIC_RELEASE);
out:
	free(line.argv);
	free(line.names);
	free(prefixed);
	free(copy);
	return result;
}

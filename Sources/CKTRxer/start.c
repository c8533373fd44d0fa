/* SPDX-License-Identifier: MIT */
/*
 * The device binary's entry. Embedded Swift has no CommandLine, so the arguments are kept here. Not
 * part of the host build, where Swift's own start-up does this.
 */
#include "sys_process.h"
#include "sys_stream.h"

#include <stddef.h>

int ktrxer_swift_main(int argc, char **argv);

static int32_t argument_count;
static char **arguments;

int32_t ktrxer_argument_count(void)
{
	return argument_count;
}

const char *ktrxer_argument(int32_t index)
{
	return index >= 0 && index < argument_count ? arguments[index] : NULL;
}

int main(int argc, char **argv)
{
	argument_count = argc;
	arguments = argv;
	ktrxer_stream_open_standard();
	return ktrxer_swift_main(argc, argv);
}

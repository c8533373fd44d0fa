/* SPDX-License-Identifier: MIT */
/*
 * The device binary's entry. Embedded Swift has no CommandLine, so the arguments are kept here. Not
 * part of the host build, where Swift's own start-up does this.
 */
#include "sys_process.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

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

/*
 * Embedded Swift allocates by this function alone. No type of ours is aligned to more than malloc aligns,
 * and musl's own would bring the code that cuts larger blocks to shape.
 */
int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (alignment > _Alignof(max_align_t))
		return EINVAL;
	*out = malloc(size);
	return *out ? 0 : ENOMEM;
}

int main(int argc, char **argv)
{
	argument_count = argc;
	arguments = argv;
	return ktrxer_swift_main(argc, argv);
}

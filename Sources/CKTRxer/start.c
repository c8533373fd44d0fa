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

/* What musl's malloc aligns to on every machine (src/malloc/mallocng/meta.h: UNIT), and what Swift asks for by default. */
#define MALLOC_ALIGNMENT 16

/*
 * Embedded Swift allocates by this function alone. No type of ours is aligned to more than malloc aligns,
 * and musl's own would bring the code that cuts larger blocks to shape.
 */
int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (alignment > MALLOC_ALIGNMENT)
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

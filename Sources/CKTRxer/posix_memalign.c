/* SPDX-License-Identifier: MIT */
/*
 * Embedded Swift allocates by posix_memalign alone. No type of ours is aligned to more than malloc aligns, and musl's own
 * would bring the code that cuts larger blocks to shape. With musl only: other C libraries' malloc aligns to less.
 */
#include <errno.h>
#include <stdlib.h>

/* What musl's malloc aligns to on every machine (src/malloc/mallocng/meta.h: UNIT), and what Swift asks for by default. */
#define MALLOC_ALIGNMENT 16

int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (alignment > MALLOC_ALIGNMENT)
		return EINVAL;
	*out = malloc(size);
	return *out ? 0 : ENOMEM;
}

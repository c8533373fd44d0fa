/* SPDX-License-Identifier: MIT */
/* Error numbers: their text, and the few that the library acts on, in the target's own numbering. */
#ifndef KTRXER_SYS_ERROR_H
#define KTRXER_SYS_ERROR_H

#include <stdint.h>

/* English text of a positive error number; never NULL, lives for ever. */
const char *ktrxer_error_text(int32_t error);

/* What a negative return means to the library. */
enum ktrxer_error_class {
	KTRXER_ERROR_OTHER = 0,
	KTRXER_ERROR_AGAIN, /* EAGAIN, EINTR: nothing there yet */
	KTRXER_ERROR_PERMISSION, /* EPERM, EACCES */
	KTRXER_ERROR_NO_ROUTE, /* ENETUNREACH, EHOSTUNREACH */
	KTRXER_ERROR_NO_INTERFACE, /* ENODEV, ENXIO */
	KTRXER_ERROR_INTERFACE_DOWN, /* ENETDOWN */
	KTRXER_ERROR_TOO_LARGE, /* EMSGSIZE */
	KTRXER_ERROR_BUSY, /* ENOBUFS, EBUSY, ENOMEM: worth another attempt */
	KTRXER_ERROR_NO_SPACE, /* ENOSPC, EDQUOT */
	KTRXER_ERROR_READ_ONLY, /* EROFS */
	KTRXER_ERROR_NOT_FOUND, /* ENOENT */
	KTRXER_ERROR_UNSUPPORTED, /* EOPNOTSUPP, ENOPROTOOPT, EPROTONOSUPPORT, EAFNOSUPPORT, ENOSYS */
	KTRXER_ERROR_REFUSED, /* ECONNREFUSED, ECONNRESET */
	KTRXER_ERROR_FILE_TOO_LARGE, /* EFBIG */
};

/* Takes a positive error number. */
int32_t ktrxer_error_class(int32_t error);

/* What the C API returns of its own, as -errno. */
enum ktrxer_refusal {
	KTRXER_REFUSE_AGAIN = 0, /* EAGAIN */
	KTRXER_REFUSE_INVALID, /* EINVAL */
	KTRXER_REFUSE_TOO_BIG, /* E2BIG */
	KTRXER_REFUSE_TOO_LONG, /* EMSGSIZE */
	KTRXER_REFUSE_PROTOCOL, /* EPROTO */
	KTRXER_REFUSE_NO_ROUTE, /* ENETUNREACH */
	KTRXER_REFUSE_NO_HOST, /* EHOSTUNREACH */
	KTRXER_REFUSE_NO_DEVICE, /* ENODEV */
	KTRXER_REFUSE_DOWN, /* ENETDOWN */
	KTRXER_REFUSE_NO_ADDRESS, /* EADDRNOTAVAIL */
	KTRXER_REFUSE_UNSUPPORTED, /* EOPNOTSUPP */
};

/* -errno for an enum ktrxer_refusal. */
int32_t ktrxer_refuse(uint32_t refusal);

#endif

/* SPDX-License-Identifier: MIT */
#include "sys_error.h"

#include <errno.h>
#include <string.h>

const char *ktrxer_error_text(int32_t error)
{
	return strerror(error);
}

int32_t ktrxer_error_class(int32_t error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
		return KTRXER_ERROR_AGAIN;
	case EPERM:
	case EACCES:
		return KTRXER_ERROR_PERMISSION;
	case ENETUNREACH:
	case EHOSTUNREACH:
		return KTRXER_ERROR_NO_ROUTE;
	case ENODEV:
	case ENXIO:
		return KTRXER_ERROR_NO_INTERFACE;
	case ENETDOWN:
		return KTRXER_ERROR_INTERFACE_DOWN;
	case EMSGSIZE:
		return KTRXER_ERROR_TOO_LARGE;
	case ENOBUFS:
	case EBUSY:
	case ENOMEM:
		return KTRXER_ERROR_BUSY;
	case ENOSPC:
	case EDQUOT:
		return KTRXER_ERROR_NO_SPACE;
	case EROFS:
		return KTRXER_ERROR_READ_ONLY;
	case ENOENT:
		return KTRXER_ERROR_NOT_FOUND;
	case EOPNOTSUPP:
	case ENOPROTOOPT:
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
	case ENOSYS:
		return KTRXER_ERROR_UNSUPPORTED;
	case ECONNREFUSED:
	case ECONNRESET:
		return KTRXER_ERROR_REFUSED;
	case EFBIG:
		return KTRXER_ERROR_FILE_TOO_LARGE;
	default:
		return KTRXER_ERROR_OTHER;
	}
}

int32_t ktrxer_refuse(uint32_t refusal)
{
	static const int errors[] = {
		[KTRXER_REFUSE_AGAIN] = EAGAIN,
		[KTRXER_REFUSE_INVALID] = EINVAL,
		[KTRXER_REFUSE_TOO_BIG] = E2BIG,
		[KTRXER_REFUSE_TOO_LONG] = EMSGSIZE,
		[KTRXER_REFUSE_PROTOCOL] = EPROTO,
		[KTRXER_REFUSE_NO_ROUTE] = ENETUNREACH,
		[KTRXER_REFUSE_NO_HOST] = EHOSTUNREACH,
		[KTRXER_REFUSE_NO_DEVICE] = ENODEV,
		[KTRXER_REFUSE_DOWN] = ENETDOWN,
		[KTRXER_REFUSE_NO_ADDRESS] = EADDRNOTAVAIL,
		[KTRXER_REFUSE_UNSUPPORTED] = EOPNOTSUPP,
	};

	return -errors[refusal];
}

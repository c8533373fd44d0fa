/* SPDX-License-Identifier: MIT */
/*
 * Files: append-only logs in a folder that others may write to (/tmp), whole small files, atomic
 * replacement, locks. Paths are NUL-terminated. What a log does with these is ResultLog.swift's.
 */
#ifndef KTRXER_SYS_FILE_H
#define KTRXER_SYS_FILE_H

#include <stdint.h>

/* Why a file or its folder is refused although the system would let us use it. */
enum ktrxer_distrust {
	KTRXER_DISTRUST_NONE = 0,
	KTRXER_DISTRUST_FOLDER_OWNER, /* the folder belongs to another user than us or root */
	KTRXER_DISTRUST_FOLDER_WRITABLE, /* a folder of the path is writable by all, without the sticky bit */
	KTRXER_DISTRUST_LINK, /* a symbolic link put there by another user, or in the place of the file */
	KTRXER_DISTRUST_NOT_REGULAR, /* a FIFO, device, socket or folder in the place of the file */
	KTRXER_DISTRUST_FILE_OWNER, /* the file belongs to another user than us or root */
	KTRXER_DISTRUST_HARD_LINKS, /* the file has another name elsewhere */
};

/*
 * Makes the folder that is to hold the file `path`, and those above it (0755, less the umask), and judges
 * it. Symbolic links in the path are followed by the rule of Linux's fs.protected_symlinks.
 * 0, -errno, or a positive enum ktrxer_distrust.
 */
int32_t ktrxer_file_prepare_folder(const char *path);

/*
 * Opens for reading and appending; made with `mode` when missing. Never follows a link in the last place,
 * never blocks. Descriptor or -errno; with -EACCES, *distrust says why when the refusal is ours.
 */
int32_t ktrxer_file_open_append(const char *path, uint32_t mode, int32_t *distrust);
void ktrxer_file_close(int32_t descriptor);

/* 1: `path` names this open file; 0: it names another one or nothing; -errno. */
int32_t ktrxer_file_is_at(int32_t descriptor, const char *path);
/* Bytes, or -errno. */
int64_t ktrxer_file_size(int32_t descriptor);
/* Reads at `offset` until `count` bytes or the end. Number of bytes, or -errno. */
int64_t ktrxer_file_read_at(int32_t descriptor, void *bytes, uint32_t count, int64_t offset);
/* -ENOSPC, for callers that conclude so from a short write. */
int32_t ktrxer_file_no_space(void);
/* One write: the true number of bytes, which may be less than `count`, or -errno. */
int64_t ktrxer_file_write(int32_t descriptor, const void *bytes, uint32_t count);
/* 0 or -errno, each. */
int32_t ktrxer_file_truncate(int32_t descriptor, int64_t size);
int32_t ktrxer_file_sync(int32_t descriptor);

/*
 * An exclusive flock, tried `tries` times, `pause` ns apart. 0, -EWOULDBLOCK (class AGAIN) when another has it
 * all the time, or -errno. Closing the descriptor, or dying, gives it back too.
 */
int32_t ktrxer_file_lock(int32_t descriptor, uint32_t tries, int64_t pause);
void ktrxer_file_unlock(int32_t descriptor);

/* 0 or -errno. Rename replaces an existing `to` in one step. */
int32_t ktrxer_file_rename(const char *from, const char *to);
int32_t ktrxer_file_unlink(const char *path);
/* 1: there is something at `path` (links are not followed); 0: nothing; -errno. */
int32_t ktrxer_file_exists(const char *path);

/* Reads a whole file of at most `capacity` bytes. Its size; -EFBIG when it is larger; -errno. */
int64_t ktrxer_file_read(const char *path, void *bytes, uint32_t capacity);

/*
 * Replaces the file's contents in one step: afterwards, and after a crash, `path` is the old file or
 * the new one, whole and on the medium. Goes through PATH.tmp beside it. 0 or -errno.
 */
int32_t ktrxer_file_replace(const char *path, const void *bytes, uint32_t count, uint32_t mode);

/* The kernel's boot id, text of 36 bytes without a NUL; `capacity` at least 36. Bytes, or -errno. */
int32_t ktrxer_boot_id(void *bytes, uint32_t capacity);

#endif

/* SPDX-License-Identifier: MIT */
#define _FILE_OFFSET_BITS 64
#include "sys_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The owner of "/" stands for root where root has no number: in a user namespace. */
static int trusted_owner(uid_t owner)
{
	struct stat root;

	if (owner == 0 || owner == geteuid())
		return 1;
	return stat("/", &root) == 0 && root.st_uid == owner;
}

static int open_to_all(const struct stat *folder)
{
	return (folder->st_mode & S_IWOTH) && !(folder->st_mode & S_ISVTX);
}

/* One folder of the path, `parent` being the one that holds it. */
static int32_t prepare_step(const char *folder, struct stat *parent)
{
	struct stat entry;

	if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
		int error = errno;

		/* A read-only file system says EROFS even for a folder that is there. */
		if (lstat(folder, &entry) < 0)
			return -error;
	}
	if (lstat(folder, &entry) < 0)
		return -errno;
	if (S_ISLNK(entry.st_mode)) {
		uid_t owner = entry.st_uid;

		if ((parent->st_mode & S_ISVTX) && (parent->st_mode & S_IWOTH) && owner != geteuid() &&
		    owner != parent->st_uid)
			return KTRXER_DISTRUST_LINK;
		/* Another user's folder: he may change at any time where it leads. */
		if (!trusted_owner(parent->st_uid))
			return KTRXER_DISTRUST_LINK;
		if (stat(folder, &entry) < 0)
			return -errno;
	}
	if (!S_ISDIR(entry.st_mode))
		return -ENOTDIR;
	if (open_to_all(&entry))
		return KTRXER_DISTRUST_FOLDER_WRITABLE;
	*parent = entry;
	return 0;
}

int32_t ktrxer_file_prepare_folder(const char *path)
{
	char folder[PATH_MAX];
	struct stat parent;
	size_t length = strlen(path);
	const char *last = strrchr(path, '/');

	if (length >= sizeof(folder))
		return -ENAMETOOLONG;
	if (stat(path[0] == '/' ? "/" : ".", &parent) < 0)
		return -errno;
	if (open_to_all(&parent))
		return KTRXER_DISTRUST_FOLDER_WRITABLE;
	for (const char *cursor = path; last && cursor < last;) {
		const char *end = cursor + 1;
		int32_t result;

		while (*end != '/')
			end++;
		memcpy(folder, path, (size_t)(end - path));
		folder[end - path] = 0;
		cursor = end;
		/* "//" and a trailing "/" add nothing. */
		if (folder[end - path - 1] == '/')
			continue;
		result = prepare_step(folder, &parent);
		if (result)
			return result;
	}
	return trusted_owner(parent.st_uid) ? 0 : KTRXER_DISTRUST_FOLDER_OWNER;
}

static int32_t judge_file(int descriptor)
{
	struct stat file;

	if (fstat(descriptor, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return KTRXER_DISTRUST_NOT_REGULAR;
	if (!trusted_owner(file.st_uid))
		return KTRXER_DISTRUST_FILE_OWNER;
	return file.st_nlink > 1 ? KTRXER_DISTRUST_HARD_LINKS : 0;
}

int32_t ktrxer_file_open_append(const char *path, uint32_t mode, int32_t *distrust)
{
	int descriptor;
	int32_t judgement;

	*distrust = KTRXER_DISTRUST_NONE;
	/* O_NONBLOCK: a FIFO in the file's place must not hold us. O_NOCTTY: nor a terminal adopt us. */
	descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			  (mode_t)mode);
	if (descriptor < 0) {
		if (errno == ELOOP)
			*distrust = KTRXER_DISTRUST_LINK;
		else if (errno == EISDIR || errno == ENXIO)
			*distrust = KTRXER_DISTRUST_NOT_REGULAR;
		return *distrust ? -EACCES : -errno;
	}
	judgement = judge_file(descriptor);
	if (judgement) {
		close(descriptor);
		if (judgement < 0)
			return judgement;
		*distrust = judgement;
		return -EACCES;
	}
	return descriptor;
}

void ktrxer_file_close(int32_t descriptor)
{
	close(descriptor);
}

int32_t ktrxer_file_is_at(int32_t descriptor, const char *path)
{
	struct stat open_file, named;

	if (fstat(descriptor, &open_file) < 0)
		return -errno;
	if (lstat(path, &named) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

int64_t ktrxer_file_size(int32_t descriptor)
{
	struct stat file;

	return fstat(descriptor, &file) < 0 ? -errno : file.st_size;
}

int64_t ktrxer_file_read_at(int32_t descriptor, void *bytes, uint32_t count, int64_t offset)
{
	uint32_t have = 0;

	while (have < count) {
		ssize_t done = pread(descriptor, (char *)bytes + have, count - have, offset + have);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!done)
			break;
		have += (uint32_t)done;
	}
	return have;
}

int32_t ktrxer_file_no_space(void)
{
	return -ENOSPC;
}

int64_t ktrxer_file_write(int32_t descriptor, const void *bytes, uint32_t count)
{
	ssize_t done;

	do
		done = write(descriptor, bytes, count);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

int32_t ktrxer_file_truncate(int32_t descriptor, int64_t size)
{
	return ftruncate(descriptor, size) < 0 ? -errno : 0;
}

int32_t ktrxer_file_sync(int32_t descriptor)
{
	return fsync(descriptor) < 0 ? -errno : 0;
}

int32_t ktrxer_file_lock(int32_t descriptor, uint32_t tries, int64_t pause)
{
	struct timespec wait = { .tv_sec = (time_t)(pause / 1000000000), .tv_nsec = (long)(pause % 1000000000) };

	for (;;) {
		if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (tries <= 1)
			return -EWOULDBLOCK;
		tries--;
		nanosleep(&wait, NULL);
	}
}

void ktrxer_file_unlock(int32_t descriptor)
{
	flock(descriptor, LOCK_UN);
}

int32_t ktrxer_file_rename(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : 0;
}

int32_t ktrxer_file_unlink(const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

int32_t ktrxer_file_exists(const char *path)
{
	struct stat entry;

	if (lstat(path, &entry) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

int64_t ktrxer_file_read(const char *path, void *bytes, uint32_t capacity)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int64_t have;
	char more;

	if (descriptor < 0)
		return -errno;
	/* By reading, not by its size: files of /proc have none. */
	have = ktrxer_file_read_at(descriptor, bytes, capacity, 0);
	if (have == (int64_t)capacity && ktrxer_file_read_at(descriptor, &more, 1, have) > 0)
		have = -EFBIG;
	close(descriptor);
	return have;
}

/* The temporary file, empty and locked by us; or -errno. */
static int32_t open_temporary(const char *path)
{
	for (int tries = 0; tries < 100; tries++) {
		int32_t distrust, result;
		int32_t descriptor = ktrxer_file_open_append(path, 0600, &distrust);

		if (descriptor < 0)
			return descriptor;
		result = ktrxer_file_lock(descriptor, 50, 10000000);
		/* While we waited, the one before us has put its file in place. */
		if (result == 0 && ktrxer_file_is_at(descriptor, path) == 1) {
			result = ktrxer_file_truncate(descriptor, 0);
			if (result == 0)
				return descriptor;
		}
		close(descriptor);
		if (result < 0)
			return result;
	}
	return -EBUSY;
}

static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *last = strrchr(path, '/');
	size_t length = last ? (size_t)(last - path) : 0;
	int descriptor;

	if (!last)
		strcpy(folder, ".");
	else if (!length)
		strcpy(folder, "/");
	else {
		memcpy(folder, path, length);
		folder[length] = 0;
	}
	descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0)
		return;
	/* Some file systems cannot; the new file is in place all the same. */
	fsync(descriptor);
	close(descriptor);
}

int32_t ktrxer_file_replace(const char *path, const void *bytes, uint32_t count, uint32_t mode)
{
	static const char suffix[] = ".tmp";
	char temporary[PATH_MAX];
	size_t length = strlen(path);
	int32_t descriptor, result = 0;
	uint32_t have = 0;

	if (length + sizeof(suffix) > sizeof(temporary))
		return -ENAMETOOLONG;
	memcpy(temporary, path, length);
	memcpy(temporary + length, suffix, sizeof(suffix));
	descriptor = open_temporary(temporary);
	if (descriptor < 0)
		return descriptor;
	while (have < count && result == 0) {
		int64_t done = ktrxer_file_write(descriptor, (const char *)bytes + have, count - have);

		if (done < 0)
			result = (int32_t)done;
		else
			have += (uint32_t)done;
	}
	if (result == 0 && fchmod(descriptor, (mode_t)mode) < 0)
		result = -errno;
	if (result == 0)
		result = ktrxer_file_sync(descriptor);
	if (result == 0)
		result = ktrxer_file_rename(temporary, path);
	if (result < 0)
		unlink(temporary);
	else
		sync_folder(path);
	close(descriptor);
	return result;
}

int32_t ktrxer_boot_id(void *bytes, uint32_t capacity)
{
	char text[64];
	int64_t have = ktrxer_file_read("/proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (have < 0)
		return (int32_t)have;
	while (have > 0 && text[have - 1] == '\n')
		have--;
	if (have > (int64_t)capacity)
		return -EFBIG;
	memcpy(bytes, text, (size_t)have);
	return (int32_t)have;
}

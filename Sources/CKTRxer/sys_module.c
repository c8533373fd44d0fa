/* SPDX-License-Identifier: MIT */
#include "sys_module.h"

#include "sys_error.h"
#include "sys_file.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#define WIDE (sizeof(void *) == 8)
#define BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
/* e_machine (elf.h) of a module for a 32-bit and for a 64-bit kernel that runs this program: all are below 256. */
#if defined(__x86_64__) || defined(__i386__)
enum { MACHINE_32 = 3, MACHINE_64 = 62 };
#elif defined(__aarch64__) || defined(__arm__)
enum { MACHINE_32 = 40, MACHINE_64 = 183 };
#elif defined(__mips__)
enum { MACHINE_32 = 8, MACHINE_64 = 8 };
#elif defined(__riscv)
enum { MACHINE_32 = 243, MACHINE_64 = 243 };
#endif

/* What is looked at of a file: what describes a module comes before what is for debuggers. Untouched, it costs nothing. */
enum { MOST_BYTES = 1 << 20 };
static char file[MOST_BYTES + 1];
static struct utsname kernel;
static char text[320];
static char *end;

static void say(const char *word)
{
	while (*word && end < text + sizeof(text) - 1)
		*end++ = *word++;
	*end = 0;
}

static void say_kernel(const char *release, const char *machine, int wide, int big)
{
	say(release);
	say(", ");
	say(machine);
	say(wide ? ", 64-bit, " : ", 32-bit, ");
	say(big ? "big-endian" : "little-endian");
}

/*
 * Of "x86_64", "aarch64" and the like, and of what a 64-bit ARM kernel calls itself to 32-bit programs of phones. A 64-bit
 * kernel runs 32-bit programs, but takes modules of its own kind only.
 */
static int wide_kernel(void)
{
	return WIDE || kernel.machine[strlen(kernel.machine) - 1] == '4' || !strcmp(kernel.machine, "armv8l");
}

static void say_this_kernel(void)
{
	say_kernel(kernel.release, kernel.machine, wide_kernel(), BIG);
}

static const char *machine_name(int machine)
{
	/* Each behind its number's byte. */
	static const char names[] = "\x08" "mips\0" "\x28" "arm\0" "\x3e" "x86_64\0" "\xb7" "aarch64\0" "\xf3" "riscv\0" "\x03" "x86\0";
	const char *name = names;

	while (*name && (uint8_t)*name != machine)
		name += strlen(name) + 1;
	return *name ? name + 1 : "another machine";
}

/* The release at the start of "vermagic=", which is found by its name: no offset in the file is believed. NULL: none. */
static const char *find_release(int64_t length)
{
	for (char *at = file; length >= 10; at++, length--) {
		char *release = at + 9, *last = release;

		if (memcmp(at, "vermagic=", 9))
			continue;
		while (*last > ' ' && *last < 0x7F && last < release + sizeof(kernel.release))
			last++;
		*last = 0;
		return release;
	}
	return NULL;
}

/* 0: for this kernel, 1: for another, as `text` says; or -errno, -ENOEXEC: no module. */
static int32_t judge(const char *path)
{
	int64_t length = ktrxer_file_read(path, file, MOST_BYTES);
	const char *release;
	int wide, big, machine;

	if (length == -EFBIG)
		length = MOST_BYTES;
	if (length < 0)
		return (int32_t)length;
	file[length] = 0;
	release = find_release(length);
	wide = file[4] == 2;
	big = file[5] == 2;
	machine = (uint8_t)file[18 + big];
	/* Its type, 1: what is linked later. A program can hold that name, too. */
	if (length < 20 || memcmp(file, "\177ELF", 4) || file[16 + big] != 1 || !release)
		return -ENOEXEC;
	if (big == BIG && wide == wide_kernel() && machine == (wide ? MACHINE_64 : MACHINE_32) && !strcmp(release, kernel.release))
		return 0;
	end = text;
	say("for Linux ");
	say_kernel(release, machine_name(machine), wide, big);
	say("; this is Linux ");
	say_this_kernel();
	return 1;
}

/* Where the ways of installing put the module for the running kernel, and how. */
static int32_t judge_installed(void)
{
	static const char places[] = "/\0/extra/\0/updates/\0/updates/dkms/\0", endings[] = ".ko\0.ko.xz\0.ko.zst\0.ko.gz\0";

	for (const char *place = places; *place; place += strlen(place) + 1) {
		for (const char *ending = endings; *ending; ending += strlen(ending) + 1) {
			end = text;
			say("/lib/modules/");
			say(kernel.release);
			say(place);
			say("ktrxer");
			say(ending);
			/* What is compressed cannot be looked into. */
			if (ktrxer_file_exists(text) == 1)
				return ending == endings ? judge(text) : 0;
		}
	}
	return -ENOENT;
}

const char *ktrxer_kernel_described(void)
{
	uname(&kernel);
	end = text;
	say_this_kernel();
	return text;
}

const char *ktrxer_module_judged(const char *path, int32_t *verdict)
{
	int32_t found;

	uname(&kernel);
	found = path ? judge(path) : judge_installed();
	*verdict = found;
	if (found > 0)
		return text;
	if (found == -ENOEXEC)
		return "no kernel module, or a compressed one";
	if (path)
		return found ? ktrxer_error_text(-found) : "for this kernel";
	return !found ? "not loaded" : found == -ENOENT ? "not installed" : ktrxer_error_text(-found);
}

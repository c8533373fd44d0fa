// SPDX-License-Identifier: MIT
// PID 1 of the tests' guests. Mounts what programs expect, then runs one shell script after the other that the
// host puts into /bed: /bed/N.cmd is run, in the network namespace that N.ns names if there is one, with its output
// in N.out and N.err, and N.status (the exit status, or 128 + signal) appears when it has ended. /bed/off ends it.
// What /bed is, the kernel's command line says:
//   BED=FOLDER  a folder of the host, over hostfs (User Mode Linux)
//   BED=9p      a folder of the host, over 9p (qemu)
//   BED=batch   the guest's own, all scripts in it from the start; results go out through a serial port, see report():
//               /dev/ttyS1, or what BED_PORT names
// While it looks for the next script it spins instead of sleeping: where virtual time stands still as long as
// something runs, nothing in the guest gets older between two commands. With BED_WAIT set it sleeps.
// The kernel modules that /modules/order names, one a line, are loaded before all else.
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "bed-init: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
}

static void redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags, 0644);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(125);
	close(fd);
}

static void enter(const char *file)
{
	char name[64] = "", path[96];
	int fd = open(file, O_RDONLY);

	if (fd < 0)
		return;
	if (read(fd, name, sizeof(name) - 1) < 0)
		_exit(124);
	close(fd);
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		_exit(123);
	close(fd);
}

static int run(const char *command, const char *namespace, const char *out, const char *err)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		setsid();
		redirect("/dev/null", O_RDONLY, 0);
		redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
		redirect(err, O_WRONLY | O_CREAT | O_TRUNC, 2);
		enter(namespace);
		execl("/bin/sh", "sh", command, (char *)NULL);
		_exit(126);
	}
	must(child, "fork");
	for (;;) {
		pid_t ended = waitpid(-1, &status, 0);

		if (ended == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (ended < 0 && errno != EINTR)
			return 127;
	}
}

// The kernel has no source of randomness here, and would make one out of clock readings: seconds of both times.
static void seed(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} entropy = { .info = { .entropy_count = 512, .buf_size = 64 }, .bytes = "always the same, so that runs are alike" };
	int fd = open("/dev/random", O_RDWR);

	must(fd, "/dev/random");
	must(ioctl(fd, RNDADDENTROPY, &entropy), "RNDADDENTROPY");
	close(fd);
}

static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "r");
	char path[256];

	if (!order)
		return;
	while (fgets(path, sizeof(path), order)) {
		path[strcspn(path, "\n")] = '\0';
		int fd = open(path, O_RDONLY);

		must(fd, path);
		must(syscall(SYS_finit_module, fd, "", 0), path);
		close(fd);
	}
	fclose(order);
}

static void mount_all(const char *bed)
{
	// An initial file system comes without it, elsewhere the kernel has mounted it.
	if (access("/dev/null", F_OK) != 0)
		must(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "mount /dev");
	must(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
	must(mount("sysfs", "/sys", "sysfs", 0, NULL), "mount /sys");
	must(mkdir("/dev/pts", 0755), "mkdir /dev/pts");
	must(mount("devpts", "/dev/pts", "devpts", 0, NULL), "mount /dev/pts");
	must(mount("tmpfs", "/tmp", "tmpfs", 0, NULL), "mount /tmp");
	must(mount("tmpfs", "/run", "tmpfs", 0, NULL), "mount /run");
	must(mount("tmpfs", "/var", "tmpfs", 0, NULL), "mount /var");
	must(mount("tmpfs", "/etc/config", "tmpfs", 0, NULL), "mount /etc/config");
	must(mkdir("/var/run", 0755), "mkdir /var/run");
	// Not in every kernel.
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	load_modules();
	if (strcmp(bed, "9p") == 0)
		must(mount("bed", "/bed", "9p", 0, "trans=virtio,version=9p2000.L,cache=none,msize=262144"), "mount /bed");
	else if (strcmp(bed, "batch") != 0)
		must(mount("none", "/bed", "hostfs", 0, bed), "mount /bed");
}

static void send_all(int port, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = write(port, bytes, length);

		must(sent, "serial port");
		bytes += sent;
		length -= sent;
	}
}

// Through a serial port of its own: a line "NAME LENGTH", then that many bytes of the file.
static void report(const char *path)
{
	static int port = -1;
	struct stat status;
	struct termios raw;
	char block[4096];
	ssize_t length;

	if (port < 0) {
		const char *name = getenv("BED_PORT");

		if (!name)
			name = "/dev/ttyS1";
		port = open(name, O_WRONLY | O_NOCTTY);
		must(port, name);
		must(tcgetattr(port, &raw), "tcgetattr");
		cfmakeraw(&raw);
		cfsetspeed(&raw, B115200);
		must(tcsetattr(port, TCSANOW, &raw), "tcsetattr");
	}
	int fd = open(path, O_RDONLY);

	must(fd, path);
	must(fstat(fd, &status), path);
	send_all(port, block, snprintf(block, sizeof(block), "%s %lld\n", strrchr(path, '/') + 1, (long long)status.st_size));
	while ((length = read(fd, block, sizeof(block))) > 0)
		send_all(port, block, length);
	close(fd);
	must(tcdrain(port), "tcdrain");
}

int main(void)
{
	char command[64], namespace[64], out[64], err[64], partial[64], done[64];

	const char *bed = getenv("BED");
	int batch;

	errno = EINVAL;
	must(bed ? 0 : -1, "BED on the kernel's command line");
	batch = strcmp(bed, "batch") == 0;
	mount_all(bed);
	seed();
	setenv("PATH", "/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	unsetenv("TERM");
	must(chdir("/tmp"), "chdir /tmp");

	for (unsigned number = 1;; number++) {
		snprintf(command, sizeof(command), "/bed/%u.cmd", number);
		snprintf(namespace, sizeof(namespace), "/bed/%u.ns", number);
		snprintf(out, sizeof(out), "/bed/%u.out", number);
		snprintf(err, sizeof(err), "/bed/%u.err", number);
		snprintf(partial, sizeof(partial), "/bed/%u.partial", number);
		snprintf(done, sizeof(done), "/bed/%u.status", number);
		while (access(command, F_OK) != 0) {
			if (batch || access("/bed/off", F_OK) == 0) {
				sync();
				reboot(RB_POWER_OFF);
			}
			if (getenv("BED_WAIT"))
				usleep(2000);
		}
		int status = run(command, namespace, out, err);
		FILE *file = fopen(partial, "w");

		sync();
		must(file ? 0 : -1, partial);
		fprintf(file, "%d\n", status);
		fclose(file);
		must(rename(partial, done), done);
		if (batch) {
			report(out);
			report(err);
			report(done);
		}
	}
}

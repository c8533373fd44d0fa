/* SPDX-License-Identifier: MIT */
#include "sys_resolve.h"
#include "sys_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on every processor. */
_Static_assert(sizeof(struct ktrxer_resolve_answer) == 2 + 17 * KTRXER_RESOLVE_MAXIMUM, "layout");

/* Where the child keeps its end of the pipe; 0 to 2 lead to /dev/null. */
enum { CHILD_PIPE = 3 };

/* Those that were set, or of the environment; "": none. */
static char own_servers[KTRXER_RESOLVE_SERVERS_BYTES];

int32_t ktrxer_resolve_check(const void *servers, uint32_t length)
{
	char text[KTRXER_RESOLVE_SERVERS_BYTES] = "", *rest = text;
	struct in6_addr address;
	int count = 0;

	if (length == 0 || length >= sizeof(text))
		return -EINVAL;
	memcpy(text, servers, length);
	for (const char *word; (word = ktrxer_resolve_next(&rest)); count++)
		if (inet_pton(strchr(word, ':') ? AF_INET6 : AF_INET, word, &address) != 1)
			return -EINVAL;
	return count && count <= KTRXER_RESOLVE_SERVERS ? 0 : -EINVAL;
}

static int32_t set_servers(const void *servers, uint32_t length)
{
	int32_t result = ktrxer_resolve_check(servers, length);

	memset(own_servers, 0, sizeof(own_servers));
	if (!result)
		memcpy(own_servers, servers, length);
	return result;
}

#ifndef __ANDROID__
int32_t ktrxer_resolve_servers(const void *servers, uint32_t length)
{
	const char *variable = getenv("KTRXER_RESOLVER");

	if (!set_servers(servers, length) || !variable || !*variable)
		return 0;
	return set_servers(variable, (uint32_t)strlen(variable));
}
#else
/* bionic has Android's netd look names up, which asks whom the network that the phone is in has named. */
int32_t ktrxer_resolve_servers(const void *servers, uint32_t length)
{
	static const char unused[] = "resolver is not used: names are looked up by Android itself\n";

	if (!set_servers(servers, length))
		ktrxer_stream_write(STDERR_FILENO, unused, sizeof(unused) - 1, 1000000000);
	return 0;
}
#endif

void ktrxer_resolve_own_servers(char out[KTRXER_RESOLVE_SERVERS_BYTES])
{
	memcpy(out, own_servers, sizeof(own_servers));
}

char *ktrxer_resolve_next(char **rest)
{
	char *word = *rest + strspn(*rest, " ");

	*rest = word + strcspn(word, " ");
	if (**rest)
		*(*rest)++ = 0;
	return *word ? word : NULL;
}

static void add_address(struct ktrxer_resolve_answer *answer, const struct addrinfo *entry)
{
	struct ktrxer_resolve_address *address = &answer->addresses[answer->count];

	if (answer->count == KTRXER_RESOLVE_MAXIMUM)
		return;
	if (entry->ai_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, entry->ai_addr, sizeof(v4));
		address->family = 4;
		memcpy(address->bytes, &v4.sin_addr, 4);
		answer->count++;
	} else if (entry->ai_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, entry->ai_addr, sizeof(v6));
		address->family = 6;
		memcpy(address->bytes, &v6.sin6_addr, 16);
		answer->count++;
	}
}

static int look_up(const char *name, int family, struct addrinfo **list)
{
	/* Without AI_ADDRCONFIG: whether there is a route is found out, and said, later. */
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM };

	return getaddrinfo(name, NULL, &hints, list);
}

#ifndef __ANDROID__
/* ms for each server, one after the other: the C library has waited its own time before. */
enum { PATIENCE = 700 };

/* A socket connected to a name server, given as text; the question has been sent. */
static int ask_server(const char *server, const uint8_t *question, int length)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *where;
	int fd;

	if (getaddrinfo(server, "53", &hints, &where))
		return -1;
	fd = socket(where->ai_family, SOCK_DGRAM, 0);
	if (fd >= 0 && (connect(fd, where->ai_addr, where->ai_addrlen) || send(fd, question, (size_t)length, 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Whether any answer comes, whatever it says. */
static int answers(const char *server, const uint8_t *question, int length)
{
	struct pollfd wait = { .fd = ask_server(server, question, length), .events = POLLIN };
	uint8_t answer[12];

	return wait.fd >= 0 && poll(&wait, 1, PATIENCE) > 0 && recv(wait.fd, answer, sizeof(answer), 0) > 2 &&
	       memcmp(answer, question, 2) == 0;
}

/* The next name server of /etc/resolv.conf; NULL at its end. */
static char *next_server(char **rest)
{
	static const char key[] = { 'n', 'a', 'm', 'e', 's', 'e', 'r', 'v', 'e', 'r' };

	while (**rest) {
		char *line = *rest, *end = line + strcspn(line, "\n");

		*rest = *end ? end + 1 : end;
		*end = 0;
		if (strncmp(line, key, sizeof(key)))
			continue;
		line += sizeof(key);
		while (*line == ' ' || *line == '\t')
			line++;
		for (end = line; *end > ' '; end++)
			;
		*end = 0;
		return line;
	}
	return NULL;
}

/* The servers in force: those that were set, or those of /etc/resolv.conf. */
struct server_list {
	char *(*next)(char **rest);
	char *rest;
	char text[2048];
};

static void open_list(struct server_list *list)
{
	int file;

	memset(list->text, 0, sizeof(list->text));
	list->rest = list->text;
	list->next = ktrxer_resolve_next;
	ktrxer_resolve_own_servers(list->text);
	if (list->text[0])
		return;
	list->next = next_server;
	file = open("/etc/resolv.conf", O_RDONLY);
	/* What a longer file has beyond stays unread, and the rest of the text is zero. */
	if (file >= 0 && read(file, list->text, sizeof(list->text) - 1) < 0)
		list->text[0] = 0;
	close(file);
}

/* Why no name server helped: some C libraries take a failing one and a silent one for the same. */
static uint8_t server_status(const char *name)
{
	uint8_t question[300];
	int length = res_mkquery(0, name, 1, 1, NULL, 0, NULL, question, sizeof(question));
	struct server_list list;
	int found = 0;

	if (length < 0)
		return KTRXER_RESOLVE_NOT_FOUND;
	open_list(&list);
	for (const char *server; found < KTRXER_RESOLVE_SERVERS && (server = list.next(&list.rest)); found++)
		if (answers(server, question, length))
			return KTRXER_RESOLVE_FAILED;
	if (found)
		return KTRXER_RESOLVE_SILENT;
	/* Where C libraries look without it. */
	return answers("127.0.0.1", question, length) ? KTRXER_RESOLVE_FAILED : KTRXER_RESOLVE_NO_SERVER;
}

const char *ktrxer_resolve_first(void)
{
	static struct server_list list;
	const char *server;

	open_list(&list);
	server = list.next(&list.rest);
	return server ? server : "";
}
#else
/* netd has asked all that there are, and does not say more. */
static uint8_t server_status(const char *name)
{
	(void)name;
	return KTRXER_RESOLVE_FAILED;
}

const char *ktrxer_resolve_first(void)
{
	return "netd";
}
#endif

static uint8_t failure_status(const char *name, int error)
{
	switch (error) {
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
	case EAI_ADDRFAMILY:
#endif
		return KTRXER_RESOLVE_NOT_FOUND;
	case EAI_AGAIN:
	case EAI_FAIL:
		return server_status(name);
	default:
		return KTRXER_RESOLVE_FAILED;
	}
}

static void resolve(const char *name, int family, struct ktrxer_resolve_answer *answer)
{
	struct addrinfo *list = NULL;
	int error = look_up(name, family, &list);

	if (error) {
		answer->status = failure_status(name, error);
		/* C libraries differ in what they say of a name without an address of this family. */
		if (answer->status == KTRXER_RESOLVE_NOT_FOUND && family != AF_UNSPEC &&
		    look_up(name, AF_UNSPEC, &list) == 0)
			answer->status = KTRXER_RESOLVE_WRONG_FAMILY;
		return;
	}
	for (const struct addrinfo *entry = list; entry; entry = entry->ai_next)
		add_address(answer, entry);
	/* The list is not freed: the process ends. */
	answer->status = answer->count ? KTRXER_RESOLVE_OK : KTRXER_RESOLVE_NOT_FOUND;
}

/* Not close_range(2): Android's filters may kill a process for a system call that they do not know. */
static void close_from(int first)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (int descriptor = first; descriptor < (int)limit.rlim_cur; descriptor++)
		close(descriptor);
}

/*
 * Lets go of everything of the parent's: handlers that would act on descriptors of the same number, and
 * those.
 */
static void settle_child(int pipe_end, pid_t parent)
{
	sigset_t none;
	int null;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (pipe_end != CHILD_PIPE && dup2(pipe_end, CHILD_PIPE) < 0)
		_exit(1);
	close_from(CHILD_PIPE + 1);
	null = open("/dev/null", O_RDWR);
	for (int descriptor = 0; descriptor < CHILD_PIPE; descriptor++) {
		if (null < 0)
			close(descriptor);
		else
			dup2(null, descriptor);
	}
	if (null > CHILD_PIPE)
		close(null);
}

static void run_child(int pipe_end, pid_t parent, const char *name, int family) __attribute__((noreturn));
static void run_child(int pipe_end, pid_t parent, const char *name, int family)
{
	struct ktrxer_resolve_answer answer = { 0 };
	ssize_t written;

	settle_child(pipe_end, parent);
	resolve(name, family, &answer);
	/* Less than PIPE_BUF: it goes in whole. */
	written = write(CHILD_PIPE, &answer, sizeof(answer));
	_exit(written == (ssize_t)sizeof(answer) ? 0 : 1);
}

int32_t ktrxer_resolve_start(const char *name, int32_t family, int32_t *process)
{
	int ends[2];
	sigset_t all, before;
	pid_t parent = getpid();
	pid_t child;
	int32_t error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	/* No handler of ours may run in the child before it has let go of them. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child = fork();
	error = -errno;
	if (child == 0)
		run_child(ends[1], parent, name, family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error;
	}
	*process = child;
	return ends[0];
}

int32_t ktrxer_resolve_read(int32_t descriptor, struct ktrxer_resolve_answer *out)
{
	ssize_t length = read(descriptor, out, sizeof(*out));

	if (length == (ssize_t)sizeof(*out) && out->count <= KTRXER_RESOLVE_MAXIMUM)
		return 1;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return length < 0 ? -errno : -EPIPE;
}

void ktrxer_resolve_close(int32_t descriptor, int32_t process)
{
	close(descriptor);
	/* Only a child that is still there is killed: its number may be another process's by now. */
	if (process <= 0 || waitpid(process, NULL, WNOHANG) != 0)
		return;
	kill(process, SIGKILL);
	while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
		;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs hostile guests: whatever a guest does, the process stays, its monitor answers soon, and it ends when it
 * is told to.
 *
 *     hostile [-n SEEDS] [-f FIRST] [-k KIND] [-t MS] [-l MS] [-a ACCEL] [-o FOLDER]
 *
 * For each seed and kind, $CALQUE runs the guest for -t milliseconds, then is asked for its status and told to
 * quit; each answer may take
 * -l milliseconds.  A guest that breaks this is kept as FOLDER/KIND-SEED.img.
 */
#include "tests/hostile.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
#define HOSTILE(id, text) #id,
	HOSTILE_KINDS(HOSTILE)
#undef HOSTILE
};

struct plan {
	unsigned long seeds, first;
	const char *card; /* the display adapter: by turns */
	int kind;                 /* -1: all */
	int run_ms, limit_ms;
	const char *accel, *folder, *program;
	long slowest_ms;
};

struct guest {
	pid_t pid;
	int to, from;             /* the monitor */
	char said[65536];
	size_t length;
};

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
exec_guest(const struct plan *p, enum hostile_kind kind, const char *image, int in, int out)
{
	char drive[600];
	const char *argv[] = {
		p->program, "-display", "none", "-serial", "null", "-parallel", "null", "-monitor", "stdio",
			"-no-shutdown", "-m", "16",
		"-machine", "pc,kernel-through=direct", "-accel", p->accel, "-drive", drive,
		"-usb", "-device", "usb-tablet", "-device", "usb-hub", "-device", "qemu-xhci,id=x", "-device", "usb-kbd,bus=x.0",
		"-vga", p->card,
		hostile_is_diskette(kind) ? "-fda" : "-kernel", image, "-snapshot", NULL
	};

	snprintf(drive, sizeof(drive), "file=%s,format=raw,if=ide", image);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(p->program, (char **)argv);
	_exit(127);
}

static bool
start(const struct plan *p, enum hostile_kind kind, const char *image, struct guest *g)
{
	int to[2], from[2];

	if (pipe(to) != 0 || pipe(from) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		fcntl(to[i], F_SETFD, FD_CLOEXEC);
		fcntl(from[i], F_SETFD, FD_CLOEXEC);
	}
	g->pid = fork();
	if (g->pid == 0)
		exec_guest(p, kind, image, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	g->to = to[1];
	g->from = from[0];
	g->length = 0;
	g->said[0] = '\0';
	return g->pid > 0;
}

/* Reads until WORDS are said.  False: not in LIMIT_MS, or the end came before (words NULL:
	that is what is waited for). */
static bool
hear(struct guest *g, const char *words, long limit_ms)
{
	long end = now_ms() + limit_ms;

	for (;;) {
		struct pollfd fd = { .fd = g->from, .events = POLLIN };
		long left = end - now_ms();
		ssize_t n;

		if (words && strstr(g->said, words))
			return true;
		if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
			return false;
		n = read(g->from, g->said + g->length, sizeof(g->said) - 1 - g->length);
		if (n <= 0)
			return words == NULL;
		g->length += (size_t)n;
		g->said[g->length] = '\0';
		if (g->length > sizeof(g->said) / 2) {
			memmove(g->said, g->said + g->length - 1024, 1025);
			g->length = 1024;
		}
	}
}

static bool
ask(struct guest *g, const char *command)
{
	return write(g->to, command, strlen(command)) == (ssize_t)strlen(command);
}

/* What went wrong, or NULL. */
static const char *
talk(struct plan *p, struct guest *g)
{
	long asked;

	if (!hear(g, "(calque)", 10L * p->limit_ms))
		return "did not start";
	if (p->run_ms > 0)
		poll(NULL, 0, p->run_ms);
	asked = now_ms();
	if (!ask(g, "info status\n") || !hear(g, "VM status: ", p->limit_ms))
		return "does not answer";
	p->slowest_ms = MAX(p->slowest_ms, now_ms() - asked);
	if (!ask(g, "info registers\nx/4i $rip\ninfo mem\ninfo tlb\ninfo pci\ninfo jit\nsystem_reset\nquit\n") || !hear(g, NULL, p->limit_ms))
		return "does not quit";
	return NULL;
}

static const char *
end(const struct plan *p, struct guest *g)
{
	long limit = now_ms() + p->limit_ms;
	int status;

	close(g->to);
	close(g->from);
	while (waitpid(g->pid, &status, WNOHANG) == 0) {
		if (now_ms() > limit) {
			kill(g->pid, SIGABRT);
			waitpid(g->pid, &status, 0);
			return "did not end";
		}
		poll(NULL, 0, 2);
	}
	if (WIFSIGNALED(status))
		return strsignal(WTERMSIG(status));
	return WEXITSTATUS(status) == 0 ? NULL : "ended with an error";
}

static bool
save(const char *path, const uint8_t *image, size_t size)
{
	FILE *f = fopen(path, "wb");
	bool ok = f != NULL && fwrite(image, 1, size, f) == size;

	if (f != NULL && fclose(f) != 0)
		ok = false;
	if (!ok)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return ok;
}

static bool
try(struct plan *p, enum hostile_kind kind, unsigned long seed, uint8_t *image)
{
	char path[512];
	struct guest g;
	const char *wrong, *ended;
	size_t size;

	memset(image, 0, HOSTILE_SECTORS);
	p->card = seed % 2 != 0 ? "std" : "cirrus";
	size = hostile_make(kind, seed, image);
	snprintf(path, sizeof(path), "%s/%s-%lu.img", p->folder, names[kind], seed);
	if (!save(path, image, size) || !start(p, kind, path, &g))
		return false;
	wrong = talk(p, &g);
	ended = end(p, &g);
	if (!wrong && !ended) {
		unlink(path);
		return true;
	}
	printf("FAIL: %s %lu -accel %s: %s%s%s\n", names[kind], seed, p->accel, wrong ? wrong : "", wrong &&
		ended ? "; " : "",
		ended ? ended : "");
	fflush(stdout);
	return false;
}

static int
find_kind(const char *name)
{
	for (int i = 0; i < HOSTILE_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fprintf(stderr, "hostile: there is no kind '%s'\n", name);
	exit(2);
}

int
main(int argc, char **argv)
{
	struct plan p = { .seeds = 1, .first = 1, .kind = -1, .run_ms = 100, .limit_ms = 1000, .accel = "tcg",
		.folder = "." };
	uint8_t *image = xcalloc(1, HOSTILE_SECTORS);
	unsigned long done = 0, failed = 0;
	int c;

	while ((c = getopt(argc, argv, "n:f:k:t:l:a:o:")) != -1)
		switch (c) {
		case 'n': p.seeds = strtoul(optarg, NULL, 0); break;
		case 'f': p.first = strtoul(optarg, NULL, 0); break;
		case 'k': p.kind = find_kind(optarg); break;
		case 't': p.run_ms = atoi(optarg); break;
		case 'l': p.limit_ms = atoi(optarg); break;
		case 'a': p.accel = optarg; break;
		case 'o': p.folder = optarg; break;
		default: return 2;
		}
	p.program = getenv("CALQUE") ? getenv("CALQUE") : "./calque";
	signal(SIGPIPE, SIG_IGN);
	setenv("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1", 0);
	for (unsigned long seed = p.first; seed < p.first + p.seeds; seed++)
		for (int kind = 0; kind < HOSTILE_COUNT; kind++)
			if (p.kind < 0 || p.kind == kind) {
				done++;
				failed += !try(&p, kind, seed, image);
			}
	printf("%lu of %lu guests failed with -accel %s; the slowest answer took %ld ms\n", failed, done,
		p.accel, p.slowest_ms);
	free(image);
	return failed != 0;
}

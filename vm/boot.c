/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm/boot.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (2 * GiB)

static bool
read_all(int fd, struct blob *b, struct err *e)
{
	size_t done = 0;

	while (done < b->size) {
		ssize_t n = read(fd, b->data + done, b->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, "cannot read: %s", strerror(errno));
		if (n == 0)
			return err_set(e, "cannot read: the file became shorter");
		done += (size_t)n;
	}
	return true;
}

static bool
load_fd(int fd, struct blob *b, uint64_t most, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(e, "cannot read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, "not a regular file; give a file");
	if ((uint64_t)st.st_size > most)
		return err_set(e, "too large: %lld bytes; %llu are the most", (long long)st.st_size, (unsigned long long)most);
	b->size = (size_t)st.st_size;
	b->data = xcalloc(1, b->size + 1);
	return read_all(fd, b, e);
}

bool
blob_load(struct blob *b, const char *path, uint64_t most, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*b = (struct blob){ 0 };
	if (fd < 0)
		return err_set(e, "%s: cannot open: %s; check the path", path, strerror(errno));
	bool ok = load_fd(fd, b, most, e) || err_prefix(e, "%s: ", path);
	close(fd);
	if (!ok)
		blob_free(b);
	return ok;
}

void
blob_free(struct blob *b)
{
	free(b->data);
	*b = (struct blob){ 0 };
}

static void
add_range(struct memory_map *m, uint64_t first, uint64_t end, enum memory_type type)
{
	if (end > first && m->count < MEMORY_RANGES)
		m->ranges[m->count++] = (struct memory_range){ first, end - first, type };
}

/* As firmware tells it, but that the tables all lie below 1 MiB: the extended BIOS data area and the BIOS are reserved. */
void
memory_map_fill(struct memory_map *m, uint64_t below_4g, uint64_t above_4g)
{
	*m = (struct memory_map){ .below_4g = below_4g, .above_4g = above_4g };
	add_range(m, 0, 0x9fc00, MEMORY_RAM);
	add_range(m, 0x9fc00, 0xa0000, MEMORY_RESERVED);
	add_range(m, 0xe0000, 0x100000, MEMORY_RESERVED);
	add_range(m, 0x100000, below_4g, MEMORY_RAM);
	add_range(m, 0xfec00000, 0xfec01000, MEMORY_RESERVED);
	add_range(m, 0xfee00000, 0xfee01000, MEMORY_RESERVED);
	add_range(m, 4 * GiB, 4 * GiB + above_4g, MEMORY_RAM);
	m->loadable_end = below_4g;
}

void
boot_plan_free(struct boot_plan *p)
{
	for (unsigned i = 0; i < BOOT_PIECES; i++)
		blob_free(&p->pieces[i].blob);
}

/* PVH and 64-bit Linux start without firmware; a multiboot kernel and old Linux may use what firmware set up. */
static bool
make(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e)
{
	if (linux_recognise(file))
		return linux_plan(p, file, r, e);
	if (multiboot_recognise(file))
		return multiboot_plan(p, file, r, e);
	if (pvh_recognise(file))
		return pvh_plan(p, file, r, e);
	return err_set(e, "this is no kernel: neither a Linux image (bzImage) nor multiboot nor an ELF file with a PVH entry");
}

bool
boot_plan_make(struct boot_plan *p, const struct boot_request *r, struct err *e)
{
	struct blob file;

	*p = (struct boot_plan){ .wanted = true };
	if (!blob_load(&file, r->kernel, FILE_MOST, e))
		return err_prefix(e, "-kernel ");
	bool ok = make(p, &file, r, e);
	blob_free(&file);
	if (!ok)
		boot_plan_free(p);
	return ok || err_prefix(e, "-kernel %s: ", r->kernel);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WAV files: as a back end, and as recordings of another one. */
#include "ui/sound_int.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 44,
	RIFF_SIZE_AT = 4, DATA_SIZE_AT = 40,
	FORMAT_PCM = 1, FORMAT_FLOAT = 3,
	BLOCK_FRAMES = 512,
};

/* The sizes in the header have 32 bits. */
#define DATA_MOST (UINT32_MAX - HEADER_BYTES - 64)

struct wav_file {
	int fd;                 /* -1 after a failure */
	char *path;
	struct sound_format format;
	uint64_t bytes;         /* of samples */
};

static void
make_header(const struct wav_file *w, uint8_t header[HEADER_BYTES])
{
	unsigned width = sample_bytes(w->format.type), frame = width * w->format.channels;

	memcpy(header, "RIFF____WAVEfmt ", 16);
	store_le(header + RIFF_SIZE_AT, HEADER_BYTES - 8 + w->bytes, 4);
	store_le(header + 16, 16, 4);
	store_le(header + 20, w->format.type == SAMPLE_F32 ? FORMAT_FLOAT : FORMAT_PCM, 2);
	store_le(header + 22, w->format.channels, 2);
	store_le(header + 24, w->format.rate, 4);
	store_le(header + 28, (uint64_t)w->format.rate * frame, 4);
	store_le(header + 32, frame, 2);
	store_le(header + 34, width * 8, 2);
	memcpy(header + 36, "data", 4);
	store_le(header + DATA_SIZE_AT, w->bytes, 4);
}

static bool
write_at(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			return false;
		}
		data += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static void
give_up(struct wav_file *w, const char *why)
{
	fprintf(stderr, "calque: %s: %s; what follows is not recorded\n", w->path, why);
	wav_settle(w);
	close(w->fd);
	w->fd = -1;
}

struct wav_file *
wav_create(const char *path, const struct sound_format *f, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	uint8_t header[HEADER_BYTES];
	struct wav_file *w;

	if (fd < 0) {
		err_set(e, "%s: cannot write: %s; check the path", path, strerror(errno));
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->fd = fd;
	w->path = xstrdup(path);
	w->format = *f;
	make_header(w, header);
	if (!write_at(fd, header, sizeof(header), 0)) {
		err_set(e, "%s: cannot write: %s", path, strerror(errno));
		wav_close(w);
		return NULL;
	}
	return w;
}

void
wav_write(struct wav_file *w, const float *frames, size_t count)
{
	unsigned frame = sample_bytes(w->format.type) * w->format.channels;
	uint8_t block[BLOCK_FRAMES * 8];

	while (count > 0 && w->fd >= 0) {
		size_t n = MIN(count, (size_t)BLOCK_FRAMES), len = n * frame;

		if (w->bytes + len > DATA_MOST) {
			give_up(w, "a WAV file has 4 GiB at the most");
			return;
		}
		frames_encode(&w->format, frames, block, n);
		if (!write_at(w->fd, block, len, HEADER_BYTES + w->bytes)) {
			give_up(w, strerror(errno));
			return;
		}
		w->bytes += len;
		frames += 2 * n;
		count -= n;
	}
}

void
wav_settle(struct wav_file *w)
{
	uint8_t header[HEADER_BYTES];

	if (w->fd < 0)
		return;
	make_header(w, header);
	/* Bytes that are there can be written again, if the file can be written at all. */
	(void)!pwrite(w->fd, header, sizeof(header), 0);
}

void
wav_close(struct wav_file *w)
{
	if (w == NULL)
		return;
	wav_settle(w);
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	free(w);
}

const char *
wav_path(const struct wav_file *w)
{
	return w->path;
}

/* ---- the back end ---- */

static bool
wav_open(struct sound *s, struct keyval *k, struct err *e)
{
	const char *path = keyval_str(k, "path");

	if (path == NULL)
		return err_set(e, "path=FILE is missing");
	if (s->out.type == SAMPLE_S8 || s->out.type == SAMPLE_U16 || s->out.type == SAMPLE_U32)
		return err_set(e, "out.format= has to be u8, s16, s32 or f32 for a WAV file");
	/* What is wrong is told before the file is touched. */
	if (!keyval_end(k, e))
		return false;
	s->host = wav_create(path, &s->out, e);
	return s->host != NULL;
}

static void
wav_end(struct sound *s)
{
	wav_close(s->host);
}

static void
wav_idle(struct sound *s)
{
	wav_settle(s->host);
}

static void
wav_play(struct sound *s, const float *frames, uint32_t count)
{
	struct wav_file *w = s->host;
	uint64_t second = (uint64_t)s->out.rate * sample_bytes(s->out.type) * s->out.channels;
	uint64_t before = w->bytes / second;

	wav_write(w, frames, count);
	if (w->bytes / second != before)
		wav_settle(w);
}

const struct sound_backend sound_wav = {
	.name = "wav",
	.properties = "path=FILE",
	.description = "what is played goes to a WAV file; silence is captured",
	.open = wav_open,
	.close = wav_end,
	.idle = wav_idle,
	.play = wav_play,
};

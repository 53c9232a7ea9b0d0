/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a Linux guest, by the kernel's own interface: turns the controls of the sound card up, plays a sine or captures, and beeps.
 *
 *     sound play RATE CHANNELS BITS HZ MILLISECONDS
 *     sound capture RATE CHANNELS MILLISECONDS DEVICE
 *     sound beep HZ MILLISECONDS
 *
 * Prints "sound: ..." lines; exit status 1 if the driver reported an error, or the time that it took is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <math.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define AMPLITUDE 0.5

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
fail(const char *what)
{
	printf("sound: %s: %s\n", what, strerror(errno));
	return 1;
}

/* ---- controls ---- */

/* 0 dB, or near it: those of AC'97 go up to +12 and +22.5 dB. */
static long
loud(const char *name, const struct snd_ctl_elem_info *info)
{
	long most = info->value.integer.max;

	if (strcmp(name, "PCM Playback Volume") == 0 && most == 31)
		return 23;
	return strstr(name, "Capture") != NULL && most == 15 ? info->value.integer.min : most;
}

static void
turn_up(int fd, struct snd_ctl_elem_id *id)
{
	struct snd_ctl_elem_info info = { .id = *id };
	struct snd_ctl_elem_value value = { .id = *id };
	const char *name = (const char *)id->name;

	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info) != 0 || !(info.access & SNDRV_CTL_ELEM_ACCESS_WRITE))
		return;
	for (unsigned i = 0; i < info.count && i < 2; i++) {
		if (info.type == SNDRV_CTL_ELEM_TYPE_BOOLEAN && strstr(name, "Switch") != NULL)
			value.value.integer.value[i] = 1;
		else if (info.type == SNDRV_CTL_ELEM_TYPE_INTEGER && strstr(name, "Volume") != NULL)
			value.value.integer.value[i] = loud(name, &info);
		else
			return;
	}
	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value) == 0)
		printf("sound: control %s\n", name);
}

static int
controls(void)
{
	struct snd_ctl_card_info card;
	struct snd_ctl_elem_list list = { 0 };
	int fd = open("/dev/snd/controlC0", O_RDWR);

	if (fd < 0 || ioctl(fd, SNDRV_CTL_IOCTL_CARD_INFO, &card) != 0 || ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list) != 0)
		return fail("controls");
	printf("sound: card %s, mixer %s\n", card.longname, card.mixername);
	list.space = list.count;
	list.pids = calloc(list.count + 1, sizeof(*list.pids));
	if (ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list) != 0)
		return fail("list of controls");
	for (unsigned i = 0; i < list.used; i++)
		turn_up(fd, &list.pids[i]);
	free(list.pids);
	close(fd);
	return 0;
}

/* ---- streams ---- */

static struct snd_mask *
mask(struct snd_pcm_hw_params *p, unsigned n)
{
	return &p->masks[n - SNDRV_PCM_HW_PARAM_FIRST_MASK];
}

static void
want(struct snd_pcm_hw_params *p, unsigned n, unsigned value)
{
	struct snd_interval *i = &p->intervals[n - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

	i->min = i->max = value;
	i->integer = 1;
}

static void
only(struct snd_pcm_hw_params *p, unsigned n, unsigned bit)
{
	memset(mask(p, n), 0, sizeof(struct snd_mask));
	mask(p, n)->bits[bit / 32] = 1u << bit % 32;
}

static int
set_up(int fd, unsigned rate, unsigned channels, unsigned format, unsigned period, unsigned buffer)
{
	struct snd_pcm_hw_params p = { .rmask = ~0u, .info = ~0u };
	struct snd_pcm_sw_params s = { 0 };

	for (unsigned n = 0; n < sizeof(p.masks) / sizeof(p.masks[0]); n++)
		memset(&p.masks[n], 0xff, sizeof(p.masks[n]));
	for (unsigned n = 0; n < sizeof(p.intervals) / sizeof(p.intervals[0]); n++)
		p.intervals[n].max = ~0u;
	only(&p, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	only(&p, SNDRV_PCM_HW_PARAM_FORMAT, format);
	only(&p, SNDRV_PCM_HW_PARAM_SUBFORMAT, SNDRV_PCM_SUBFORMAT_STD);
	want(&p, SNDRV_PCM_HW_PARAM_RATE, rate);
	want(&p, SNDRV_PCM_HW_PARAM_CHANNELS, channels);
	want(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, period);
	want(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, buffer);
	if (ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p) != 0)
		return fail("parameters");
	s.avail_min = period;
	s.start_threshold = buffer - period;
	s.stop_threshold = buffer;
	s.boundary = (unsigned long)buffer << 20;
	s.period_step = 1;
	if (ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &s) != 0 || ioctl(fd, SNDRV_PCM_IOCTL_PREPARE) != 0)
		return fail("preparing");
	return 0;
}

/* The time that the stream took against what it should have. */
static int
judge(double took, unsigned frames, unsigned rate)
{
	double should = (double)frames / rate;

	printf("sound: %u frames took %.3f s, should %.3f s\n", frames, took, should);
	return fabs(took - should) > 0.1 + should * 0.02;
}

static int
play(unsigned rate, unsigned channels, unsigned bits, double hz, unsigned ms)
{
	enum { PERIOD = 1024, PERIODS = 8 };
	unsigned frames = rate / 1000 * ms, errors = 0;
	unsigned frame = channels * bits / 8;
	char *data = calloc(frames, frame);
	int fd = open("/dev/snd/pcmC0D0p", O_RDWR);
	double start = 0;

	if (fd < 0 || data == NULL)
		return fail("/dev/snd/pcmC0D0p");
	/* All of it before the stream begins: a sine takes its time. */
	for (unsigned i = 0; i < frames * channels; i++) {
		double v = AMPLITUDE * sin(2 * M_PI * hz * (i / channels) / rate);

		if (bits == 16)
			((int16_t *)data)[i] = (int16_t)lrint(v * 32767);
		else
			((int32_t *)data)[i] = (int32_t)lrint(v * 2147483647.0);
	}
	if (set_up(fd, rate, channels, bits == 16 ? SNDRV_PCM_FORMAT_S16_LE : SNDRV_PCM_FORMAT_S32_LE, PERIOD, PERIOD * PERIODS))
		return 1;
	/* A write that the driver was too long with is cut short. */
	for (unsigned at = 0; at < frames && errors < 10;) {
		struct snd_xferi x = { .buf = data + at * frame, .frames = PERIOD };

		if (at + PERIOD > frames)
			x.frames = frames - at;
		if (at == PERIOD * (PERIODS - 2))
			start = now();
		if (ioctl(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &x) == 0) {
			at += (unsigned)x.result;
			continue;
		}
		errors++;
		fail("writing");
		ioctl(fd, SNDRV_PCM_IOCTL_PREPARE);
	}
	if (ioctl(fd, SNDRV_PCM_IOCTL_DRAIN) != 0)
		return fail("draining");
	return judge(now() - start, frames, rate) | (errors != 0);
}

static int
capture(unsigned rate, unsigned channels, unsigned ms, const char *device)
{
	enum { PERIOD = 1024, PERIODS = 8 };
	unsigned frames = rate / 1000 * ms, loudest = 0;
	static int16_t data[PERIOD * 8];
	int fd = open(device, O_RDWR);
	double start = now();

	if (fd < 0)
		return fail(device);
	if (set_up(fd, rate, channels, SNDRV_PCM_FORMAT_S16_LE, PERIOD, PERIOD * PERIODS) || ioctl(fd, SNDRV_PCM_IOCTL_START) != 0)
		return 1;
	for (unsigned at = 0; at < frames; at += PERIOD) {
		struct snd_xferi x = { .buf = data, .frames = PERIOD };

		if (ioctl(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &x) != 0)
			return fail("reading");
		for (unsigned i = 0; i < PERIOD * channels; i++)
			loudest = (unsigned)abs(data[i]) > loudest ? (unsigned)abs(data[i]) : loudest;
	}
	printf("sound: the loudest sample is %u\n", loudest);
	return judge(now() - start, (frames + PERIOD - 1) / PERIOD * PERIOD, rate);
}

static int
beep(unsigned hz, unsigned ms)
{
	int fd = open("/dev/tty0", O_RDWR);

	if (fd < 0 || ioctl(fd, KIOCSOUND, 1193180 / hz) != 0)
		return fail("/dev/tty0");
	usleep(ms * 1000);
	return ioctl(fd, KIOCSOUND, 0) != 0;
}

int
main(int argc, char **argv)
{
	unsigned n[6] = { 0 };

	for (int i = 2; i < argc && i < 7; i++)
		n[i - 2] = (unsigned)atoi(argv[i]);
	if (argc == 7 && strcmp(argv[1], "play") == 0)
		return controls() || play(n[0], n[1], n[2], n[3], n[4]);
	if (argc == 6 && strcmp(argv[1], "capture") == 0)
		return controls() || capture(n[0], n[1], n[2], argv[5]);
	if (argc == 4 && strcmp(argv[1], "beep") == 0)
		return beep(n[0], n[1]);
	fprintf(stderr, "usage: sound play|capture|beep ...\n");
	return 2;
}

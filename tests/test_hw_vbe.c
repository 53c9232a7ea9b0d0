/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bochs VBE: pictures of all depths against a plain reading of memory, limits, EDID, bochs-display. */
#include "base/err.h"
#include "hw/vga.h"
#include "tests/vga_rig.h"

static struct rig rig;

static void
setup(void)
{
	rig_open(&rig, vga_new, 16, 2);
	rig_out(&rig, 0x3c2, 0xe3);
	rig_out(&rig, 0x3c0, 0x20);
}

static void
teardown(void)
{
	rig_close(&rig);
}

static void
vbe(unsigned index, unsigned value)
{
	space_write(rig.mem, RIG_MMIO + 0x500 + 2 * index, value, 2, false);
}

static unsigned
vbe_get(unsigned index)
{
	space_write(rig.io, 0x1ce, index, 2, false);
	return space_read(rig.io, 0x1cf, 2, false);
}

static void
vbe_mode(unsigned width, unsigned height, unsigned bpp)
{
	vbe(4, 0);
	vbe(1, width);
	vbe(2, height);
	vbe(3, bpp);
	vbe(4, 0x41);
}

static uint32_t
widen(unsigned v, unsigned bits)
{
	return v << (8 - bits) | v >> (2 * bits - 8);
}

/* The dot of N bytes at P. */
static uint32_t
dot(const uint8_t *p, unsigned bpp, bool big)
{
	unsigned bytes = (bpp + 7) / 8;
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[big ? i : bytes - 1 - i];
	switch (bpp) {
	case 8: /* the DAC's entry N has N as red, and that is all */
		return widen(v & 63, 6) << 16;
	case 15:
		return widen(v >> 10 & 31, 5) << 16 | widen(v >> 5 & 31, 5) << 8 | widen(v & 31, 5);
	case 16:
		return widen(v >> 11, 5) << 16 | widen(v >> 5 & 63, 6) << 8 | widen(v & 31, 5);
	default:
		return v & 0xffffff;
	}
}

static void
write_somewhere(uint8_t *memory, uint32_t bytes, uint32_t *seed)
{
	uint32_t r = rig_random(seed), at = rig_random(seed) % (bytes - 8), v = rig_random(seed);

	switch (r % 3) {
	case 0:
		space_write(rig.mem, RIG_BAR0 + at, v, 4, false);
		memcpy(memory + at, &v, 4);
		break;
	case 1: /* through the window's bank */
		vbe(5, at >> 16);
		at &= ~3u;
		space_write(rig.mem, 0xa0000 + (at & 0xffff), v, 4, false);
		memcpy(memory + at, &v, 4);
		break;
	default:
		dma_write(rig.mem, RIG_BAR0 + at, &v, 3);
		memcpy(memory + at, &v, 3);
	}
}

static void
compare_picture(const uint8_t *memory, unsigned bpp, bool big)
{
	const struct surface *s = rig_update(&rig);
	unsigned bytes = (bpp + 7) / 8, pitch = vbe_get(6) * bytes;
	const uint8_t *first = memory + (size_t)vbe_get(9) * pitch + vbe_get(8) * bytes;

	for (unsigned y = 0; y < s->height; y++) {
		for (unsigned x = 0; x < s->width; x++) {
			uint32_t want = dot(first + (size_t)y * pitch + x * bytes, bpp, big), got = s->pixels[y * s->width + x];

			if (got != want)
				ck_abort_msg("%u bits%s: dot %u,%u is %06x, not %06x", bpp, big ? ", big-endian" : "", x, y, got, want);
		}
	}
}

START_TEST(test_depths)
{
	static const unsigned depths[] = { 8, 15, 16, 24, 32 };
	static uint8_t memory[16 << 20];
	unsigned bpp = depths[_i % 5];
	bool big = _i >= 5;
	uint32_t seed = 7 + _i, bytes;

	for (unsigned i = 0; i < 256; i++) {
		rig_out(&rig, 0x3c8, i);
		rig_out(&rig, 0x3c9, i & 63);
		rig_out(&rig, 0x3c9, 0);
		rig_out(&rig, 0x3c9, 0);
	}
	memset(memory, 0, sizeof(memory));
	vbe_mode(648, 200, bpp);
	space_write(rig.mem, RIG_MMIO + 0x604, big ? 0xbebebebe : 0x1e1e1e1e, 4, false);
	bytes = 900 * 300 * ((bpp + 7) / 8);
	for (unsigned n = 0; n < 40; n++) {
		for (unsigned i = 0; i < n; i++)
			write_somewhere(memory, bytes, &seed);
		if (n % 8 == 3) /* a virtual screen, somewhere in it */
			vbe(6, 648 + 8 * (n % 16)), vbe(8, n), vbe(9, n * 2);
		compare_picture(memory, bpp, big && bpp != 8);
	}
	/* What is seen has not changed: nobody hears of it. */
	rig.told_dots = 0;
	space_write(rig.mem, RIG_BAR0, memory[0], 1, false);
	clock_advance(rig.clock, 1000000000);
	rig_update(&rig);
	ck_assert_uint_eq(rig.told_dots, 0);
}
END_TEST

START_TEST(test_large)
{
	vbe_mode(2560, 1600, 32);
	ck_assert_uint_eq(vbe_get(1), 2560);
	ck_assert_uint_eq(vbe_get(2), 1600);
	space_write(rig.mem, RIG_BAR0 + 4 * (2560 * 1599 + 2559), 0x00c0ffee, 4, false);
	ck_assert_uint_eq(rig_update(&rig)->pixels[2560 * 1600 - 1], 0xc0ffee);
	/* One dot is told, not the line. */
	space_write(rig.mem, RIG_BAR0 + 4 * (2560 * 800 + 7), 0x00123456, 4, false);
	rig.told_dots = 0;
	rig_update(&rig);
	ck_assert_uint_eq(rig.told_dots, 1);
	/* More than there is memory for. */
	vbe_mode(5120, 4096, 32);
	ck_assert_uint_le((uint64_t)vbe_get(1) * vbe_get(2) * 4, 16 << 20);
	rig_update(&rig);
}
END_TEST

START_TEST(test_memory_sizes)
{
	for (unsigned mib = 1; mib <= 256; mib *= 4) {
		rig_close(&rig);
		rig_open(&rig, vga_new, mib, 2);
		rig_out(&rig, 0x3c0, 0x20);
		ck_assert_uint_eq(vbe_get(10), mib * 16);
		pci_bus_config_write(rig.bus, 0x10, 0xffffffff, 4);
		ck_assert_uint_eq(pci_bus_config_read(rig.bus, 0x10, 4) & ~15u, -(mib << 20));
		vbe(1, 5120), vbe(2, 4096), vbe(3, 32), vbe(4, 0x41);
		space_write(rig.io, 0x1ce, 4, 2, false);
		space_write(rig.io, 0x1cf, 0x41, 2, false);
		rig_update(&rig);
	}
}
END_TEST

/* The detailed timing's size; checks the block. */
static void
expect_edid(unsigned width, unsigned height)
{
	static const uint8_t header[8] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
	uint8_t e[128], sum = 0;

	ck_assert(dma_read(rig.mem, RIG_MMIO, e, sizeof(e)));
	for (unsigned i = 0; i < sizeof(e); i++)
		sum += e[i];
	ck_assert_uint_eq(sum, 0);
	ck_assert_mem_eq(e, header, 8);
	ck_assert_uint_eq(e[56] | (e[58] & 0xf0) << 4, width);
	ck_assert_uint_eq(e[59] | (e[61] & 0xf0) << 4, height);
	/* 60 Hz, within a half. */
	uint64_t total = (uint64_t)(width + e[57] + ((e[58] & 15) << 8)) * (height + e[60] + ((e[61] & 15) << 8));
	uint64_t mhz = (e[54] | e[55] << 8) * 10000000ull / total;

	if (width <= 2560)
		ck_assert(mhz > 59500 && mhz < 60500);
}

START_TEST(test_edid)
{
	expect_edid(1280, 800);
	rig.display->wish(rig.display->opaque, 1923, 1081);
	expect_edid(1920, 1081);
	/* What doesn't fit, or is too small for anything, changes nothing. */
	rig.display->wish(rig.display->opaque, 5000, 4000);
	rig.display->wish(rig.display->opaque, 10, 10);
	expect_edid(1920, 1081);
	rig.display->wish(rig.display->opaque, 2560, 1600);
	expect_edid(2560, 1600);
	dev_reset_all(rig.devices);
	pci_bus_config_write(rig.bus, 0x18, RIG_MMIO, 4);
	pci_bus_config_write(rig.bus, 0x04, 7, 2);
	expect_edid(2560, 1600);
}
END_TEST

/* After a load the picture is the same; one that doesn't fit into memory is refused. */
START_TEST(test_loaded)
{
	struct vga *v = (struct vga *)rig.card;
	struct err e = { "" };

	vbe_mode(800, 600, 32);
	space_write(rig.mem, RIG_BAR0 + 4, 0x445566, 4, false);
	rig.display->wish(rig.display->opaque, 1024, 768);
	ck_assert(rig.card->cls->loaded(rig.card, &e));
	ck_assert_uint_eq(rig_update(&rig)->pixels[1], 0x445566);
	expect_edid(1024, 768);
	v->state.vbe[VBE_Y_OFFSET] = 6000;
	ck_assert(!rig.card->cls->loaded(rig.card, &e));
	v->state.vbe[VBE_Y_OFFSET] = 0;
	v->state.vbe_line++;
	ck_assert(!rig.card->cls->loaded(rig.card, &e));
	v->state.vbe_line--;
	v->state.vbe[VBE_BPP] = 7;
	ck_assert(!rig.card->cls->loaded(rig.card, &e));
}
END_TEST

START_TEST(test_bochs_display)
{
	rig_close(&rig);
	rig_open(&rig, bochs_display_new, 16, 2);
	ck_assert_int_eq(dev_uncovered(rig.card->cls), -1);
	ck_assert_uint_eq(pci_bus_config_read(rig.bus, 0x08, 4) >> 8, 0x038000);
	expect_edid(1280, 800);
	ck_assert_uint_eq(rig_in(&rig, 0x3cc), 0xff);
	ck_assert_ptr_null(space_find(rig.mem, 0xa0000, false).region);
	ck_assert_uint_eq(rig_update(&rig)->pixels[0], 0);
	vbe_mode(800, 600, 32);
	space_write(rig.mem, RIG_BAR0 + 4, 0x445566, 4, false);
	ck_assert_uint_eq(rig_update(&rig)->width, 800);
	ck_assert_uint_eq(rig_update(&rig)->pixels[1], 0x445566);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("VBE");
	TCase *t = tcase_create("VBE");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_depths, 0, 10);
	tcase_add_test(t, test_large);
	tcase_add_test(t, test_memory_sizes);
	tcase_add_test(t, test_edid);
	tcase_add_test(t, test_loaded);
	tcase_add_test(t, test_bochs_display);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

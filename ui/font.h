/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The letters of text consoles and of the start window: 8x16 dots, and 16x16 for wide ones. */
#ifndef UI_FONT_H
#define UI_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16 };

/* ---- font_data.c, made at build time ---- */
extern const uint8_t font_rows[];
extern const uint16_t font_codes[];
extern const uint32_t font_starts[];
extern const unsigned font_count;

/* Draws the columns of CODE at AT, a pixel of lines STRIDE pixels apart. */
void font_draw(uint32_t *at, unsigned stride, uint32_t code, uint32_t fore, uint32_t back);

#endif

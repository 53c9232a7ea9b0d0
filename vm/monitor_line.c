/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line that is being typed at a terminal: emacs keys, cursor keys, a history, completion.  The terminal is taken
 * to know carriage return, ESC [ K and ESC [ n C, as every one since the VT100 does.
 */
#include "vm/monitor_cmd.h"

#include "base/util.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { HISTORY = 64, OFFERS = 256, OFFER_LEN = 128 };

enum escape { ESC_NONE, ESC_ESC, ESC_CSI, ESC_SS3 };

struct line {
	const char *prompt;
	void (*out)(void *opaque, const char *text);
	void *out_opaque;
	void (*complete)(void *opaque, struct line *l, const char *text);
	void *complete_opaque;

	char text[MON_LINE];
	unsigned len, pos;
	char done[MON_LINE];       /* the last one completed */
	char killed[MON_LINE];
	char *history[HISTORY];    /* oldest first */
	unsigned history_count, history_at;
	char kept[MON_LINE];       /* what was typed before looking into the history */
	enum escape escape;
	unsigned parameter;        /* of an escape sequence */
	bool after_cr;

	char offers[OFFERS][OFFER_LEN];
	unsigned offer_count;
	size_t word_len;
	bool unfinished;
};

struct line *
line_new(const char *prompt, void (*out)(void *opaque, const char *text), void *opaque)
{
	struct line *l = xcalloc(1, sizeof(*l));

	l->prompt = prompt;
	l->out = out;
	l->out_opaque = opaque;
	return l;
}

void
line_free(struct line *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->history_count; i++)
		free(l->history[i]);
	free(l);
}

void
line_on_tab(struct line *l, void (*complete)(void *opaque, struct line *l, const char *text), void *opaque)
{
	l->complete = complete;
	l->complete_opaque = opaque;
}

const char *
line_history(const struct line *l, unsigned n)
{
	return n < l->history_count ? l->history[n] : NULL;
}

/* ---- the picture ---- */

static void
put(struct line *l, const char *text)
{
	l->out(l->out_opaque, text);
}

static void
redraw(struct line *l)
{
	char move[32];
	unsigned column = strlen(l->prompt) + l->pos;

	put(l, "\r");
	put(l, l->prompt);
	put(l, l->text);
	put(l, "\033[K\r");
	snprintf(move, sizeof(move), "\033[%uC", column);
	if (column != 0)
		put(l, move);
}

void
line_prompt(struct line *l)
{
	put(l, l->prompt);
	if (l->len != 0)
		redraw(l);
}

/* ---- editing ---- */

static void
insert(struct line *l, const char *text)
{
	unsigned n = strlen(text);
	bool at_end = l->pos == l->len;

	if (l->len + n >= sizeof(l->text))
		return;
	memmove(l->text + l->pos + n, l->text + l->pos, l->len - l->pos + 1);
	memcpy(l->text + l->pos, text, n);
	l->len += n;
	l->pos += n;
	if (at_end)
		put(l, text);
	else
		redraw(l);
}

static void
cut(struct line *l, unsigned from, unsigned to, bool keep)
{
	if (from >= to)
		return;
	if (keep) {
		memcpy(l->killed, l->text + from, to - from);
		l->killed[to - from] = '\0';
	}
	memmove(l->text + from, l->text + to, l->len - to + 1);
	l->len -= to - from;
	l->pos = from;
	redraw(l);
}

static void
move_to(struct line *l, unsigned pos)
{
	l->pos = MIN(pos, l->len);
	redraw(l);
}

static unsigned
word_left(const struct line *l)
{
	unsigned p = l->pos;

	while (p > 0 && l->text[p - 1] == ' ')
		p--;
	while (p > 0 && l->text[p - 1] != ' ')
		p--;
	return p;
}

static unsigned
word_right(const struct line *l)
{
	unsigned p = l->pos;

	while (p < l->len && l->text[p] == ' ')
		p++;
	while (p < l->len && l->text[p] != ' ')
		p++;
	return p;
}

static void
replace(struct line *l, const char *text)
{
	snprintf(l->text, sizeof(l->text), "%s", text);
	l->len = l->pos = strlen(l->text);
	redraw(l);
}

static void
history_move(struct line *l, int by)
{
	int at = (int)l->history_at + by;

	if (at < 0 || at > (int)l->history_count)
		return;
	if (l->history_at == l->history_count)
		memcpy(l->kept, l->text, sizeof(l->kept));
	l->history_at = at;
	replace(l, (unsigned)at == l->history_count ? l->kept : l->history[at]);
}

static void
history_add(struct line *l)
{
	if (l->len != 0 && (l->history_count == 0 || strcmp(l->history[l->history_count - 1], l->text) != 0)) {
		if (l->history_count == HISTORY) {
			free(l->history[0]);
			memmove(l->history, l->history + 1, (HISTORY - 1) * sizeof(l->history[0]));
			l->history_count--;
		}
		l->history[l->history_count++] = xstrdup(l->text);
	}
	l->history_at = l->history_count;
}

/* ---- completion ---- */

void
line_offer(struct line *l, const char *candidate, size_t word_len, bool unfinished)
{
	const char *word = l->text + l->pos - MIN(word_len, l->pos);

	if (strncmp(candidate, word, MIN(word_len, l->pos)) != 0 || l->offer_count == OFFERS || strlen(candidate) >= OFFER_LEN)
		return;
	for (unsigned i = 0; i < l->offer_count; i++) {
		if (strcmp(l->offers[i], candidate) == 0)
			return;
	}
	strcpy(l->offers[l->offer_count++], candidate);
	l->word_len = word_len;
	l->unfinished = unfinished;
}

static int
compare_offers(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
show_offers(struct line *l)
{
	char text[OFFER_LEN + 32];

	qsort(l->offers, l->offer_count, OFFER_LEN, compare_offers);
	put(l, "\n");
	for (unsigned i = 0; i < l->offer_count; i++) {
		snprintf(text, sizeof(text), "%-24s%s", l->offers[i], i % 3 == 2 || i == l->offer_count - 1 ? "\n" : " ");
		put(l, text);
	}
	redraw(l);
}

static void
tab(struct line *l)
{
	char before[MON_LINE];
	size_t common;

	if (l->complete == NULL)
		return;
	memcpy(before, l->text, l->pos);
	before[l->pos] = '\0';
	l->offer_count = 0;
	l->complete(l->complete_opaque, l, before);
	if (l->offer_count == 0)
		return;
	common = strlen(l->offers[0]);
	for (unsigned i = 1; i < l->offer_count; i++) {
		while (strncmp(l->offers[0], l->offers[i], common) != 0)
			common--;
	}
	if (common > l->word_len) {
		char rest[OFFER_LEN];

		memcpy(rest, l->offers[0] + l->word_len, common - l->word_len);
		rest[common - l->word_len] = '\0';
		insert(l, rest);
	} else if (l->offer_count > 1) {
		show_offers(l);
	}
	if (l->offer_count == 1 && !l->unfinished)
		insert(l, " ");
}

/* ---- bytes ---- */

static void
type_csi(struct line *l, uint8_t b)
{
	if (b >= '0' && b <= '9') {
		l->parameter = MIN(l->parameter * 10 + (b - '0'), 999);
		return;
	}
	if (b == ';') {
		l->parameter = 0;
		return;
	}
	l->escape = ESC_NONE;
	switch (b == '~' ? (int)l->parameter + 256 : b) {
	case 'A':
		history_move(l, -1);
		break;
	case 'B':
		history_move(l, 1);
		break;
	case 'C':
		move_to(l, l->pos + 1);
		break;
	case 'D':
		move_to(l, l->pos - (l->pos != 0));
		break;
	case 'H':
	case 256 + 1:
	case 256 + 7:
		move_to(l, 0);
		break;
	case 'F':
	case 256 + 4:
	case 256 + 8:
		move_to(l, l->len);
		break;
	case 256 + 3:
		cut(l, l->pos, MIN(l->pos + 1, l->len), false);
		break;
	}
}

static void
type_escape(struct line *l, uint8_t b)
{
	if (l->escape != ESC_ESC) {
		type_csi(l, b);
		return;
	}
	l->escape = b == '[' ? ESC_CSI : b == 'O' ? ESC_SS3 : ESC_NONE;
	l->parameter = 0;
	if (b == 'b')
		move_to(l, word_left(l));
	else if (b == 'f')
		move_to(l, word_right(l));
	else if (b == 'd')
		cut(l, l->pos, word_right(l), true);
	else if (b == 127 || b == 8)
		cut(l, word_left(l), l->pos, true);
}

static void
type_control(struct line *l, uint8_t b)
{
	switch (b) {
	case 'A' - 64:
		move_to(l, 0);
		break;
	case 'B' - 64:
		move_to(l, l->pos - (l->pos != 0));
		break;
	case 'D' - 64:
		cut(l, l->pos, MIN(l->pos + 1, l->len), false);
		break;
	case 'E' - 64:
		move_to(l, l->len);
		break;
	case 'F' - 64:
		move_to(l, l->pos + 1);
		break;
	case 'H' - 64:
	case 127:
		cut(l, l->pos - (l->pos != 0), l->pos, false);
		break;
	case 'I' - 64:
		tab(l);
		break;
	case 'K' - 64:
		cut(l, l->pos, l->len, true);
		break;
	case 'L' - 64:
		put(l, "\033[H\033[2J");
		redraw(l);
		break;
	case 'N' - 64:
		history_move(l, 1);
		break;
	case 'P' - 64:
		history_move(l, -1);
		break;
	case 'U' - 64:
		cut(l, 0, l->pos, true);
		break;
	case 'W' - 64:
		cut(l, word_left(l), l->pos, true);
		break;
	case 'Y' - 64:
		insert(l, l->killed);
		break;
	case 'C' - 64:
		put(l, "^C\n");
		replace(l, "");
		l->history_at = l->history_count;
		break;
	case 27:
		l->escape = ESC_ESC;
		break;
	}
}

const char *
line_type(struct line *l, uint8_t b)
{
	char text[2] = { (char)b, '\0' };
	bool lf_of_crlf = b == '\n' && l->after_cr;

	l->after_cr = b == '\r';
	if (l->escape != ESC_NONE) {
		type_escape(l, b);
		return NULL;
	}
	if (b == '\r' || b == '\n') {
		if (lf_of_crlf)
			return NULL;
		put(l, "\n");
		history_add(l);
		memcpy(l->done, l->text, sizeof(l->done));
		l->text[l->len = l->pos = 0] = '\0';
		return l->done;
	}
	if (b < 32 || b == 127)
		type_control(l, b);
	else
		insert(l, text);
	return NULL;
}

#include "cli/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

/* A cell as it is shown, and as programs get it. */
struct cell {
	char *shown;       /* safe text */
	char *json;        /* a JSON value */
	char *plain;       /* for CSV: not quoted yet; NULL = empty */
	bool number;       /* right-aligned */
};

struct table {
	const struct column *columns;
	size_t ncolumns;
	struct cell *cells;          /* row by row */
	size_t ncells, cap;
	size_t nrows, column;        /* whole rows; the next cell's column */
};

struct table *
table_new(const struct column *columns)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	while (columns[t->ncolumns].key)
		t->ncolumns++;
	return t;
}

void
table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->ncells; i++) {
		free(t->cells[i].shown);
		free(t->cells[i].json);
		free(t->cells[i].plain);
	}
	free(t->cells);
	free(t);
}

size_t
table_rows(const struct table *t)
{
	return t->nrows;
}

/* ---- cells ---- */

static void
add(struct table *t, char *shown, char *json, char *plain, bool number)
{
	t->cells = xgrow(t->cells, t->ncells, &t->cap, sizeof(*t->cells));
	t->cells[t->ncells++] = (struct cell){ shown, json, plain, number };
	if (++t->column == t->ncolumns) {
		t->column = 0;
		t->nrows++;
	}
}

static void
add_unknown(struct table *t, bool number)
{
	add(t, xstrdup("-"), xstrdup("null"), NULL, number);
}

void
table_long_text(struct table *t, const char *text, const char *in_short)
{
	struct buf json = BUF_INIT, plain = BUF_INIT;

	if (!text) {
		add_unknown(t, false);
		return;
	}
	text_add_json(&json, text);
	text_add_safe(&plain, text, true, NULL);
	add(t, text_safe_line(in_short ? in_short : text), buf_detach(&json),
	    plain.data ? buf_detach(&plain) : NULL, false);
}

void
table_text(struct table *t, const char *text)
{
	table_long_text(t, text, NULL);
}

static void
add_number(struct table *t, char *shown, const char *value)
{
	add(t, shown, xstrdup(value), xstrdup(value), true);
}

void
table_count(struct table *t, long long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", n);
	if (n < 0)
		add_unknown(t, true);
	else
		add_number(t, xstrdup(text), text);
}

void
table_add_duration(struct buf *b, int64_t ms)
{
	long long s = (long long)((ms + 500) / 1000);

	if (ms < 9995)
		buf_addf(b, "%.2fs", (double)ms / 1000);
	else if (ms < 59950)
		buf_addf(b, "%.1fs", (double)ms / 1000);
	else if (s < 3600)
		buf_addf(b, "%lldm %02llds", s / 60, s % 60);
	else
		buf_addf(b, "%lldh %02lldm", s / 3600, s % 3600 / 60);
}

void
table_ms(struct table *t, int64_t ms)
{
	struct buf shown = BUF_INIT;
	char value[32];

	if (ms < 0) {
		add_unknown(t, true);
		return;
	}
	table_add_duration(&shown, ms);
	snprintf(value, sizeof(value), "%.3f", (double)ms / 1000);
	add_number(t, buf_detach(&shown), value);
}

void
table_time(struct table *t, int64_t wall_ms)
{
	char shown[CLOCK_DAY_SIZE], iso[CLOCK_ISO_SIZE];
	struct buf json = BUF_INIT;

	if (wall_ms < 0) {
		add_unknown(t, false);
		return;
	}
	clock_day(wall_ms, shown);
	clock_iso(wall_ms * 1000, iso);
	text_add_json(&json, iso);
	add(t, xstrdup(shown), buf_detach(&json), xstrdup(iso), false);
}

void
table_share(struct table *t, double share)
{
	char shown[32], value[32];

	if (share < 0) {
		add_unknown(t, true);
		return;
	}
	snprintf(shown, sizeof(shown), "%.0f%%", share * 100);
	snprintf(value, sizeof(value), "%.4f", share);
	add_number(t, xstrdup(shown), value);
}

/* ---- the three forms ---- */

static void
add_padded(struct buf *b, const char *text, size_t width, bool right)
{
	size_t used = text_width(text), pad = used < width ? width - used : 0;

	buf_pad(b, ' ', right ? pad : 0);
	buf_adds(b, text);
	buf_pad(b, ' ', right ? 0 : pad);
}

static void
add_line(const struct table *t, struct buf *b, const size_t *widths, const struct cell *row)
{
	size_t from = b->len;

	for (size_t i = 0; i < t->ncolumns; i++) {
		if (!t->columns[i].heading)
			continue;
		if (b->len > from)
			buf_adds(b, "  ");
		add_padded(b, row ? row[i].shown : t->columns[i].heading, widths[i],
		    t->cells[i].number);
	}
	while (b->len > from && b->data[b->len - 1] == ' ')
		buf_truncate(b, b->len - 1);
	buf_addc(b, '\n');
}

static void
add_text(const struct table *t, struct buf *b)
{
	size_t *widths;

	if (t->nrows == 0)
		return;
	widths = xcalloc(t->ncolumns, sizeof(*widths));
	for (size_t i = 0; i < t->ncolumns; i++)
		widths[i] = t->columns[i].heading ? text_width(t->columns[i].heading) : 0;
	for (size_t row = 0; row < t->nrows; row++)
		for (size_t i = 0; i < t->ncolumns; i++) {
			size_t w = text_width(t->cells[row * t->ncolumns + i].shown);

			if (w > widths[i])
				widths[i] = w;
		}
	add_line(t, b, widths, NULL);
	for (size_t row = 0; row < t->nrows; row++)
		add_line(t, b, widths, &t->cells[row * t->ncolumns]);
	free(widths);
}

static void
add_json(const struct table *t, struct buf *b)
{
	for (size_t row = 0; row < t->nrows; row++) {
		buf_adds(b, row ? ",\n {" : "[\n {");
		for (size_t i = 0; i < t->ncolumns; i++)
			buf_addf(b, "%s\"%s\": %s", i ? ", " : "", t->columns[i].key,
			    t->cells[row * t->ncolumns + i].json);
		buf_addc(b, '}');
	}
	buf_adds(b, t->nrows ? "\n]\n" : "[]\n");
}

static void
add_csv_cell(struct buf *b, const struct cell *c)
{
	bool formula = !c->number && c->plain && strchr("=+-@\t\r", *c->plain) && *c->plain;

	if (!c->plain)
		return;
	if (!formula && !strpbrk(c->plain, ",\"\r\n")) {
		buf_adds(b, c->plain);
		return;
	}
	buf_adds(b, formula ? "\"'" : "\"");
	for (const char *s = c->plain; *s; s++)
		buf_addf(b, "%s%c", *s == '"' ? "\"" : "", *s);
	buf_addc(b, '"');
}

static void
add_csv(const struct table *t, struct buf *b)
{
	for (size_t i = 0; i < t->ncolumns; i++)
		buf_addf(b, "%s%s", i ? "," : "", t->columns[i].key);
	for (size_t row = 0; row < t->nrows; row++)
		for (size_t i = 0; i < t->ncolumns; i++) {
			buf_adds(b, i ? "," : "\r\n");
			add_csv_cell(b, &t->cells[row * t->ncolumns + i]);
		}
	buf_adds(b, "\r\n");
}

void
table_print(const struct table *t, enum table_format f)
{
	struct buf b = BUF_INIT;

	switch (f) {
	case TABLE_TEXT:
		add_text(t, &b);
		break;
	case TABLE_JSON:
		add_json(t, &b);
		break;
	case TABLE_CSV:
		add_csv(t, &b);
		break;
	}
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_release(&b);
}

int
table_format_parse(const char *word, enum table_format *f, struct err *err)
{
	static const char *const words[] = { "text", "json", "csv" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*f = (enum table_format)i;
			return 0;
		}
	return err_set(err, "--output: expected text, json or csv, found '%s'", word);
}

#include "cli/diff_report.h"

#include <string.h>

#include "util/text.h"

#define SHORT 100           /* bytes of a value in text and Markdown */
#define LIST_MAX 100        /* entries of one Markdown section */
#define FOLD_ABOVE 10       /* longer Markdown sections are folded */
#define MARKDOWN_MAX 60000  /* bytes; GitHub refuses comments above 65,536 characters */

/* ---- shared ---- */

/* A value cut to SHORT bytes, never inside a character. "-" stands for: was not there. */
static void
add_short(struct buf *b, const char *json)
{
	size_t n = json ? strlen(json) : 0;

	if (!json) {
		buf_addc(b, '-');
		return;
	}
	if (n > SHORT) {
		n = SHORT;
		while (n > 0 && ((unsigned char)json[n] & 0xc0) == 0x80)
			n--;
	}
	buf_add(b, json, n);
	if (json[n])
		buf_adds(b, "...");
}

/* A hash says that something differs and nothing more. */
static bool
shows_values(const struct state_change *c)
{
	return (c->before || c->after) && strcmp(c->what, "checksum") != 0;
}

static bool
shows_name(const struct state_change *c)
{
	return strcmp(c->what, state_part_name(c->part)) != 0;
}

static const char *
plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* ---- text ---- */

/* One line, made safe. */
static void
add_safe(struct buf *out, struct buf *line)
{
	text_add_safe(out, buf_str(line), false, "");
	buf_addc(out, '\n');
	buf_truncate(line, 0);
}

static void
write_change(struct buf *out, struct buf *line, const struct state_change *c)
{
	buf_adds(out, "    ");
	buf_addf(line, "%s%s: ", c->breaking ? "BREAKS " : "", state_part_name(c->part));
	if (c->part == STATE_MACROS) {
		buf_adds(line, c->note);
	} else {
		buf_adds(line, shows_name(c) ? c->what : "");
		if (c->note)
			buf_addf(line, "%s%s", shows_name(c) ? " " : "", c->note);
	}
	if (shows_values(c)) {
		buf_adds(line, c->note ? " (" : shows_name(c) ? " " : "");
		add_short(line, c->before);
		buf_adds(line, " -> ");
		add_short(line, c->after);
		buf_adds(line, c->note ? ")" : "");
	}
	add_safe(out, line);
}

static void
write_entry(struct buf *out, const struct diff_entry *e)
{
	struct buf line = BUF_INIT;

	buf_adds(out, "  ");
	buf_adds(&line, e->node->id);
	if (*e->node->path)
		buf_addf(&line, "  %s", e->node->path);
	if (e->downstream)
		buf_addf(&line, "  (%zu downstream)", e->downstream);
	if (e->disabled)
		buf_adds(&line, "  (disabled)");
	if (e->breaking)
		buf_adds(&line, "  BREAKS its contract");
	add_safe(out, &line);
	for (size_t i = 0; i < e->report.nchanges; i++)
		write_change(out, &line, &e->report.changes[i]);
	buf_release(&line);
}

static void
write_list(struct buf *out, const char *title, const struct diff_list *l)
{
	if (!l->n)
		return;
	buf_addf(out, "%s\n", title);
	for (size_t i = 0; i < l->n; i++)
		write_entry(out, &l->v[i]);
	buf_addc(out, '\n');
}

static void
add_summary(struct buf *out, const struct diff *d)
{
	buf_addf(out, "%zu new, %zu modified, %zu removed; %zu %s downstream", d->added.n,
		d->modified.n, d->removed.n, d->downstream, plural(d->downstream, "node", "nodes"));
	if (d->exposures)
		buf_addf(out, "; %zu %s touched", d->exposures,
			plural(d->exposures, "exposure", "exposures"));
	if (d->breaks)
		buf_addf(out, "; %zu %s broken", d->breaks,
			plural(d->breaks, "contract", "contracts"));
}

void
diff_write_text(struct buf *out, const struct diff *d)
{
	write_list(out, "new", &d->added);
	write_list(out, "modified", &d->modified);
	write_list(out, "removed", &d->removed);
	add_summary(out, d);
	buf_addc(out, '\n');
}

/* ---- JSON ---- */

static void
add_field(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, ", \"%s\": ", key);
	text_add_json(out, text);
}

static void
write_json_change(struct buf *out, const struct state_change *c)
{
	buf_adds(out, "{\"part\": ");
	text_add_json(out, state_part_name(c->part));
	add_field(out, "what", c->what);
	/* both are JSON already; an absent key says that nothing was there */
	if (c->before)
		buf_addf(out, ", \"before\": %s", c->before);
	if (c->after)
		buf_addf(out, ", \"after\": %s", c->after);
	if (c->note)
		add_field(out, "note", c->note);
	buf_addf(out, ", \"breaking\": %s}", c->breaking ? "true" : "false");
}

static void
write_json_entry(struct buf *out, const struct diff_entry *e, bool is_old)
{
	buf_adds(out, "    {\"unique_id\": ");
	text_add_json(out, e->node->id);
	add_field(out, "resource_type", kind_name(e->node->kind));
	add_field(out, "original_file_path", e->node->path);
	if (is_old) {
		buf_addf(out, ", \"disabled\": %s, \"breaking\": %s}",
			e->disabled ? "true" : "false", e->breaking ? "true" : "false");
		return;
	}
	buf_addf(out, ", \"downstream\": %zu", e->downstream);
	if (e->report.verdict == STATE_MODIFIED) {
		buf_adds(out, ", \"changes\": [");
		for (size_t i = 0; i < e->report.nchanges; i++) {
			buf_adds(out, i ? ",\n      " : "\n      ");
			write_json_change(out, &e->report.changes[i]);
		}
		buf_adds(out, "]");
	}
	buf_addc(out, '}');
}

static void
write_json_list(struct buf *out, const char *key, const struct diff_list *l, bool is_old)
{
	buf_addf(out, "  \"%s\": [", key);
	for (size_t i = 0; i < l->n; i++) {
		buf_adds(out, i ? ",\n" : "\n");
		write_json_entry(out, &l->v[i], is_old);
	}
	buf_adds(out, "],\n");
}

void
diff_write_json(struct buf *out, const struct diff *d)
{
	buf_adds(out, "{\n");
	write_json_list(out, "new", &d->added, false);
	write_json_list(out, "modified", &d->modified, false);
	write_json_list(out, "removed", &d->removed, true);
	buf_addf(out,
		"  \"downstream\": %zu,\n  \"exposures\": %zu,\n  \"broken_contracts\": %zu\n}\n",
		d->downstream, d->exposures, d->breaks);
	secrets_mask(out, 0);
}

/* ---- Markdown ---- */

/* A code span that holds whatever the text has: a longer fence than any run of backticks in it. */
static void
add_code(struct buf *out, const char *text)
{
	struct buf safe = BUF_INIT;
	size_t longest = 0;

	text_add_safe(&safe, text, false, "");
	for (const char *s = buf_str(&safe); *s; s++) {
		size_t run = strspn(s, "`");

		longest = run > longest ? run : longest;
		s += run ? run - 1 : 0;
	}
	buf_pad(out, '`', longest + 1);
	buf_adds(out, longest || !safe.len ? " " : "");
	buf_adds(out, buf_str(&safe));
	buf_adds(out, longest || !safe.len ? " " : "");
	buf_pad(out, '`', longest + 1);
	buf_release(&safe);
}

static void
add_short_code(struct buf *out, const char *json)
{
	struct buf b = BUF_INIT;

	if (!json) {
		buf_adds(out, "-");
		return;
	}
	add_short(&b, json);
	add_code(out, b.data);
	buf_release(&b);
}

static void
write_markdown_change(struct buf *out, const struct state_change *c)
{
	buf_addf(out, "  - %s%s: ", c->breaking ? "**breaks** " : "", state_part_name(c->part));
	if (c->part == STATE_MACROS) {
		add_code(out, c->note);
	} else {
		if (shows_name(c))
			add_code(out, c->what);
		if (c->note)
			buf_addf(out, "%s%s", shows_name(c) ? " " : "", c->note);
	}
	if (shows_values(c)) {
		buf_adds(out, c->note || shows_name(c) ? " " : "");
		add_short_code(out, c->before);
		buf_adds(out, " → ");
		add_short_code(out, c->after);
	}
	buf_addc(out, '\n');
}

static void
write_markdown_entry(struct buf *out, const struct diff_entry *e)
{
	buf_adds(out, "- ");
	add_code(out, e->node->id);
	if (e->downstream)
		buf_addf(out, " · %zu downstream", e->downstream);
	if (e->disabled)
		buf_adds(out, " · disabled");
	if (e->breaking)
		buf_adds(out, " · **breaks its contract**");
	buf_addc(out, '\n');
	for (size_t i = 0; i < e->report.nchanges; i++)
		write_markdown_change(out, &e->report.changes[i]);
}

static void
write_markdown_list(struct buf *out, const char *title, const struct diff_list *l)
{
	size_t shown = 0;

	if (!l->n)
		return;
	if (l->n > FOLD_ABOVE)
		buf_addf(out, "<details><summary><b>%s (%zu)</b></summary>\n\n", title, l->n);
	else
		buf_addf(out, "#### %s (%zu)\n\n", title, l->n);
	while (shown < l->n && shown < LIST_MAX && out->len < MARKDOWN_MAX)
		write_markdown_entry(out, &l->v[shown++]);
	if (shown < l->n)
		buf_addf(out, "- ... and %zu more\n", l->n - shown);
	buf_adds(out, l->n > FOLD_ABOVE ? "\n</details>\n\n" : "\n");
}

static size_t
count_kind(const struct diff_list *l, enum node_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].node->kind == kind;
	return n;
}

static void
write_markdown_table(struct buf *out, const struct diff *d)
{
	buf_adds(out, "| | new | modified | removed |\n| --- | ---: | ---: | ---: |\n");
	for (int kind = 0; kind < NKINDS; kind++) {
		size_t a = count_kind(&d->added, (enum node_kind)kind);
		size_t m = count_kind(&d->modified, (enum node_kind)kind);
		size_t r = count_kind(&d->removed, (enum node_kind)kind);

		if (a + m + r)
			buf_addf(out, "| %s | %zu | %zu | %zu |\n",
				kind_plural((enum node_kind)kind), a, m, r);
	}
	buf_addc(out, '\n');
}

/* What must not be overlooked stands above the lists. */
static void
write_markdown_breaks(struct buf *out, const struct diff *d)
{
	if (!d->breaks)
		return;
	buf_addf(out, "#### Broken contracts (%zu)\n\n", d->breaks);
	for (size_t i = 0; i < d->modified.n && out->len < MARKDOWN_MAX; i++) {
		const struct diff_entry *e = &d->modified.v[i];
		bool named = false;

		for (size_t k = 0; k < e->report.nchanges; k++) {
			if (!e->report.changes[k].breaking)
				continue;
			if (!named) {
				buf_adds(out, "- ");
				add_code(out, e->node->id);
				buf_addc(out, '\n');
			}
			named = true;
			write_markdown_change(out, &e->report.changes[k]);
		}
	}
	for (size_t i = 0; i < d->removed.n && out->len < MARKDOWN_MAX; i++) {
		if (!d->removed.v[i].breaking)
			continue;
		buf_adds(out, "- ");
		add_code(out, d->removed.v[i].node->id);
		buf_addf(out, " %s\n",
			d->removed.v[i].disabled ? "was disabled" : "was deleted or renamed");
	}
	buf_addc(out, '\n');
}

void
diff_write_markdown(struct buf *out, const struct diff *d)
{
	buf_adds(out, "### dbt changes\n\n");
	add_summary(out, d);
	buf_adds(out, "\n\n");
	if (d->added.n + d->modified.n + d->removed.n)
		write_markdown_table(out, d);
	write_markdown_breaks(out, d);
	write_markdown_list(out, "New", &d->added);
	write_markdown_list(out, "Modified", &d->modified);
	write_markdown_list(out, "Removed", &d->removed);
	/* one newline at the end, whatever came last */
	while (out->len > 1 && out->data[out->len - 2] == '\n')
		buf_truncate(out, out->len - 1);
}

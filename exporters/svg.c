/* svg.c -- lineage as one self-contained picture: no script, no font, nothing from outside. Light
 * and dark by the reader's setting; pointing at a box shows what it is. */
#include <math.h>
#include <string.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/layout.h"
#include "exporters/picture.h"
#include "util/text.h"

#define MARGIN 24.0
#define HEAD 50.0            /* title and summary */
#define LEGEND_ROW 24.0
#define BOX_HEIGHT 24.0
#define BOX_PAD 10.0
#define ROW_GAP 8.0
#define COLUMN_GAP 56.0
#define BAND_HEAD 22.0
#define BAND_PAD 12.0
#define LETTER 6.63          /* a monospace letter at 11 px: no usual font has a wider one */
#define SMALL_LETTER 5.42    /* at 9 px */
#define SANS_LETTER 6.6      /* a generous mean at 12 px */
#define LABEL_MAX 44         /* letters; longer labels lose their middle */
#define MIN_WIDTH 760.0

static const char style[] =
	".page{fill:#fff}"
	"text{fill:#0f172a;font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"
	"'DejaVu Sans Mono',monospace}"
	".title,.sub,.key text,.band text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,"
	"sans-serif}"
	".title{font-size:18px;font-weight:600}"
	".sub,.band text,.time{fill:#64748b}"
	".time{font-size:9px}"
	".band rect{fill:#f8fafc;stroke:#e2e8f0}"
	".e{fill:none;stroke:#a8b5c7;stroke-width:1.2}"
	".tip{fill:#a8b5c7}"
	".through{stroke-dasharray:4 4}"
	".n rect,.key rect{stroke-width:1.2}"
	".key rect{fill:none;stroke:#64748b}"
	".eph rect{stroke-dasharray:4 3}"
	".n:hover rect,.n.foc rect{stroke-width:3}"
	".foc text{font-weight:700}";
static const char dark_style[] =
	".page{fill:#0b1120}text{fill:#e2e8f0}.sub,.band text,.time{fill:#94a3b8}"
	".band rect{fill:#101a2f;stroke:#1e293b}"
	".e{stroke:#4b5b73}.tip{fill:#4b5b73}";

struct drawing {
	struct arena arena;
	const struct picture *p;
	struct layout *layout;
	const char **labels;     /* by node: as drawn */
	const char **times;      /* by node: "12 s", or NULL */
	double *widths;
	double top;              /* of the layout on the page */
	double width, height;    /* of the page */
	struct emit e;
};

/* ---- sizes ---- */

/* Bytes of the first n characters, or of all when there are fewer. */
static size_t
prefix(const char *text, size_t n)
{
	const char *s = text;

	while (*s && n--) {
		uint32_t c;
		size_t len = text_decode(s, &c);

		s += len ? len : 1;
	}
	return (size_t)(s - text);
}

static size_t
count_chars(const char *text)
{
	size_t n = 0;

	for (; *text; n++)
		text += prefix(text, 1);
	return n;
}

/* A label that is too long keeps its begin and its end: versions and grains stand there. */
static const char *
fit_label(struct arena *a, const char *label)
{
	size_t n = count_chars(label), head = LABEL_MAX * 3 / 5, tail = LABEL_MAX - head - 1;

	if (n <= LABEL_MAX)
		return label;
	return arena_printf(a, "%.*s\xe2\x80\xa6%s", (int)prefix(label, head), label,
	    label + prefix(label, n - tail));
}

static void
measure_nodes(struct drawing *d)
{
	size_t n = d->p->nnodes;
	struct buf b = BUF_INIT;

	d->labels = arena_zalloc(&d->arena, n + 1, sizeof(*d->labels));
	d->times = arena_zalloc(&d->arena, n + 1, sizeof(*d->times));
	d->widths = arena_zalloc(&d->arena, n + 1, sizeof(*d->widths));
	for (size_t i = 0; i < n; i++) {
		const struct task *t = d->p->nodes[i].task;

		d->labels[i] = fit_label(&d->arena, d->p->nodes[i].label);
		d->widths[i] = 2 * BOX_PAD + LETTER * (double)text_width(d->labels[i]);
		if (!picture_is_timed(d->p, t))
			continue;
		buf_truncate(&b, 0);
		picture_seconds(&b, t->seconds);
		d->times[i] = arena_strdup(&d->arena, buf_str(&b));
		d->widths[i] += 8 + SMALL_LETTER * (double)strlen(d->times[i]);
	}
	buf_release(&b);
}

static void
place_nodes(struct drawing *d)
{
	const struct picture *p = d->p;
	struct layout_edge *edges = arena_zalloc(&d->arena, p->nedges + 1, sizeof(*edges));
	uint32_t *group_of = arena_zalloc(&d->arena, p->nnodes + 1, sizeof(*group_of));

	for (size_t i = 0; i < p->nedges; i++)
		edges[i] = (struct layout_edge){ p->edges[i].from, p->edges[i].to };
	for (size_t i = 0; i < p->nnodes; i++)
		group_of[i] = p->nodes[i].group;
	d->layout = layout_new(&(struct layout_input){
		.nboxes = p->nnodes, .widths = d->widths, .height = BOX_HEIGHT,
		.row_gap = ROW_GAP, .column_gap = COLUMN_GAP,
		.nedges = p->nedges, .edges = edges,
		.ngroups = p->ngroups, .group_of = group_of,
		.band_head = BAND_HEAD, .min_width = MIN_WIDTH,
	});
}

/* ---- the head of the page ---- */

static void
write_style(struct drawing *d)
{
	const struct picture *p = d->p;
	const char *critical = picture_critical.line, *dark = picture_critical.dark_line;

	emit_open(&d->e, "<style>");
	emit_line(&d->e, "%s", style);
	for (size_t i = 0; i < p->ncolours; i++)
		emit_line(&d->e, ".k%z rect{fill:%s;stroke:%s}", i, p->colours[i].fill,
		    p->colours[i].line);
	emit_line(&d->e, ".crit rect{stroke:%s;stroke-width:2.2}.e.crit{stroke:%s;stroke-width:2.4}"
	    ".tip.crit{fill:%s}", critical, critical, critical);
	emit_open(&d->e, "@media (prefers-color-scheme:dark){");
	emit_line(&d->e, "%s", dark_style);
	for (size_t i = 0; i < p->ncolours; i++)
		emit_line(&d->e, ".k%z rect{fill:%s;stroke:%s}", i, p->colours[i].dark_fill,
		    p->colours[i].dark_line);
	emit_line(&d->e, ".crit rect{stroke:%s}.e.crit{stroke:%s}.tip.crit{fill:%s}", dark, dark,
	    dark);
	emit_close(&d->e, "}");
	emit_close(&d->e, "</style>");
}

struct key {
	const char *class;
	const char *text;
	bool line;         /* an edge, not a box */
};

/* The legend, wrapped at the page's width. write = false only counts rows. */
static size_t
legend(struct drawing *d, const struct key *keys, size_t nkeys, bool write)
{
	double x = MARGIN, y = MARGIN + HEAD;
	size_t nrows = nkeys > 0;

	for (size_t i = 0; i < nkeys; i++) {
		double width = 26 + SANS_LETTER * (double)text_width(keys[i].text) + 14;

		if (x > MARGIN && x + width > d->width - MARGIN) {
			x = MARGIN;
			y += LEGEND_ROW;
			nrows++;
		}
		if (write && keys[i].line)
			emit_line(&d->e, "<g class=\"key\"><path class=\"e %s\" d=\"M%f %fh18\"/>"
			    "<text x=\"%f\" y=\"%f\">%q</text></g>",
			    keys[i].class, x, y + 7, x + 24, y + 11, keys[i].text);
		else if (write)
			emit_line(&d->e, "<g class=\"key %s\"><rect x=\"%f\" y=\"%f\" width=\"16\" "
			    "height=\"14\" rx=\"4\"/><text x=\"%f\" y=\"%f\">%q</text></g>",
			    keys[i].class, x, y, x + 22, y + 11, keys[i].text);
		x += width;
	}
	return nrows;
}

static struct key *
collect_keys(struct drawing *d, size_t *nkeys)
{
	const struct picture *p = d->p;
	struct key *keys = arena_zalloc(&d->arena, p->ncolours + 3, sizeof(*keys));
	bool ephemeral = false, through = false;
	size_t n = 0;

	for (size_t i = 0; i < p->ncolours; i++) {
		keys[n].class = arena_printf(&d->arena, "k%zu", i);
		keys[n++].text = arena_printf(&d->arena, "%s (%zu)", p->colours[i].name,
		    p->colours[i].nnodes);
	}
	for (size_t i = 0; i < p->nnodes; i++)
		ephemeral = ephemeral || node_is_ephemeral(p->nodes[i].node);
	for (size_t i = 0; i < p->nedges; i++)
		through = through || p->edges[i].through;
	if (ephemeral)
		keys[n++] = (struct key){ "eph", "ephemeral", false };
	if (p->npath)
		keys[n++] = (struct key){ "crit", p->critical_name, true };
	if (through)
		keys[n++] = (struct key){ "through", "over nodes not shown", true };
	*nkeys = n;
	return keys;
}

static void
write_head(struct drawing *d, const struct key *keys, size_t nkeys)
{
	const struct picture *p = d->p;

	emit_line(&d->e, "<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>");
	emit_line(&d->e, "<text class=\"title\" x=\"%f\" y=\"%f\">%q</text>", MARGIN, MARGIN + 14,
	    p->job->title);
	emit_line(&d->e, "<text class=\"sub\" x=\"%f\" y=\"%f\">%z nodes, %z edges</text>", MARGIN,
	    MARGIN + 34, p->nnodes, p->nedges);
	legend(d, keys, nkeys, true);
}

/* ---- the drawing ---- */

static void
write_bands(struct drawing *d)
{
	for (size_t i = 0; i < d->layout->nbands; i++) {
		const struct layout_band *b = &d->layout->bands[i];

		emit_line(&d->e, "<g class=\"band\"><rect x=\"%f\" y=\"%f\" width=\"%f\" "
		    "height=\"%f\" rx=\"8\"/><text x=\"%f\" y=\"%f\">%q</text></g>",
		    -BAND_PAD, b->top, d->layout->width + 2 * BAND_PAD, b->bottom - b->top, 0.0,
		    b->top + 15, d->p->groups[b->group].name);
	}
}

/* Points come in pairs: level through a column, then curved to the next one. The last stretch
 * ends a little earlier, where the tip stands. */
static void
write_edge(struct drawing *d, const struct picture_edge *x, const struct layout_route *r)
{
	const struct layout_point *p = r->points, *end = &r->points[r->npoints - 1];
	const char *crit = x->critical ? " crit" : "";

	emit_indent(&d->e);
	emit_add(&d->e, "<path class=\"e%s%s\" d=\"M%f %f", crit, x->through ? " through" : "",
	    p[0].x, p[0].y);
	for (size_t i = 1; i < r->npoints; i++) {
		double to = p[i].x - (i + 1 == r->npoints ? 5 : 0);
		double middle = (p[i - 1].x + to) / 2;

		if (i % 2 == 1 && p[i].x > p[i - 1].x)
			emit_add(&d->e, "H%f", p[i].x);
		else if (i % 2 == 0 && p[i].y == p[i - 1].y)
			emit_add(&d->e, "H%f", to);
		else if (i % 2 == 0)
			emit_add(&d->e, "C%f %f %f %f %f %f", middle, p[i - 1].y, middle, p[i].y,
			    to, p[i].y);
	}
	emit_add(&d->e, "\"/>\n");
	emit_line(&d->e, "<path class=\"tip%s\" d=\"M%f %fl-6-3v6z\"/>", crit, end->x, end->y);
}

static void
write_edges(struct drawing *d)
{
	for (int critical = 0; critical < 2; critical++)   /* the path lies on top */
		for (size_t i = 0; i < d->p->nedges; i++)
			if (d->p->edges[i].critical == (critical == 1))
				write_edge(d, &d->p->edges[i], &d->layout->routes[i]);
}

static void
write_node(struct drawing *d, size_t i)
{
	const struct picture_node *n = &d->p->nodes[i];
	const struct layout_point *at = &d->layout->boxes[i];
	struct buf hint = BUF_INIT;

	picture_hint(&hint, d->p, n);
	emit_indent(&d->e);
	emit_add(&d->e, "<g class=\"n k%u%s%s%s\"><title>%q</title>", n->colour,
	    n->critical ? " crit" : "", n->focus ? " foc" : "",
	    node_is_ephemeral(n->node) ? " eph" : "", buf_str(&hint));
	emit_add(&d->e, "<rect x=\"%f\" y=\"%f\" width=\"%f\" height=\"%f\" rx=\"6\"/>",
	    at->x, at->y, d->widths[i], BOX_HEIGHT);
	emit_add(&d->e, "<text x=\"%f\" y=\"%f\">%q</text>", at->x + BOX_PAD, at->y + 16,
	    d->labels[i]);
	if (d->times[i])
		emit_add(&d->e, "<text class=\"time\" x=\"%f\" y=\"%f\" "
		    "text-anchor=\"end\">%q</text>",
		    at->x + d->widths[i] - BOX_PAD, at->y + 15.5, d->times[i]);
	emit_add(&d->e, "</g>\n");
	buf_release(&hint);
}

static void
write_page(struct drawing *d)
{
	const struct picture *p = d->p;
	size_t nkeys;
	struct key *keys = collect_keys(d, &nkeys);
	double side = p->ngroups ? MARGIN + BAND_PAD : MARGIN;

	d->width = fmax(MIN_WIDTH, d->layout->width + 2 * side);
	d->top = MARGIN + HEAD + LEGEND_ROW * (double)legend(d, keys, nkeys, false) + 12;
	d->height = d->top + d->layout->height + MARGIN;
	emit_open(&d->e, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%f\" height=\"%f\" "
	    "viewBox=\"0 0 %f %f\" role=\"img\">", ceil(d->width), ceil(d->height), ceil(d->width),
	    ceil(d->height));
	emit_line(&d->e, "<title>Lineage of %q</title>", p->job->title);
	emit_line(&d->e, "<metadata>%q</metadata>", p->job->stamp);
	write_style(d);
	write_head(d, keys, nkeys);
	emit_open(&d->e, "<g transform=\"translate(%f %f)\">", side, d->top);
	write_bands(d);
	write_edges(d);
	for (size_t i = 0; i < p->nnodes; i++)
		write_node(d, i);
	emit_close(&d->e, "</g>");
	emit_close(&d->e, "</svg>");
}

static int
svg_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct picture *p = picture_new(job);
	struct drawing d = { .p = p };

	(void)err;
	emit_init(&d.e, out, &emit_xml);
	measure_nodes(&d);
	place_nodes(&d);
	write_page(&d);
	layout_free(d.layout);
	arena_release(&d.arena);
	picture_free(p);
	return 0;
}

const struct exporter exporter_svg = {
	.name = "svg",
	.suffix = ".svg",
	.summary = "lineage as a picture, laid out; light and dark",
	.kinds = LINEAGE_KINDS,
	.draws = true,
	.limit = 5000,
	.group_by = GROUP_BY_NONE,
	.write = svg_write,
};

/* picture_colour.c -- the palette, and the four schemes that give each node a colour. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/picture.h"

const struct picture_colour picture_critical = {
	"critical path", "#e11d48", "#e11d48", "#fb7185", "#fb7185", 0
};

static const struct picture_colour hues[] = {
	{ "green",  "#dcfce7", "#16a34a", "#10301d", "#4ade80", 0 },
	{ "amber",  "#fef3c7", "#ca8a04", "#33270a", "#facc15", 0 },
	{ "blue",   "#dbeafe", "#2563eb", "#14264a", "#60a5fa", 0 },
	{ "purple", "#f3e8ff", "#9333ea", "#2c1743", "#c084fc", 0 },
	{ "orange", "#ffedd5", "#ea580c", "#3b1f0d", "#fb923c", 0 },
	{ "pink",   "#fce7f3", "#db2777", "#3d1029", "#f472b6", 0 },
	{ "teal",   "#ccfbf1", "#0d9488", "#0b2f2b", "#2dd4bf", 0 },
	{ "indigo", "#e0e7ff", "#4f46e5", "#211f52", "#a5b4fc", 0 },
	{ "violet", "#fae8ff", "#c026d3", "#3a0d40", "#e879f9", 0 },
	{ "sky",    "#e0f2fe", "#0284c7", "#0b2a3f", "#38bdf8", 0 },
	{ "lime",   "#ecfccb", "#65a30d", "#1f2d0a", "#a3e635", 0 },
	{ "grey",   "#f1f5f9", "#64748b", "#1e293b", "#94a3b8", 0 },
	{ "red",    "#fee2e2", "#dc2626", "#3f1113", "#f87171", 0 },
};
enum { GREEN, AMBER, BLUE, PURPLE, ORANGE, PINK, TEAL, INDIGO, VIOLET, SKY, LIME, GREY, RED };
#define NFOLDER_HUES GREY   /* green .. lime; the folders beyond them share grey */

static const int kind_hue[NKINDS] = {
	[KIND_MODEL] = BLUE, [KIND_SEED] = AMBER, [KIND_SNAPSHOT] = PURPLE, [KIND_TEST] = GREY,
	[KIND_UNIT_TEST] = SKY, [KIND_SOURCE] = GREEN, [KIND_EXPOSURE] = ORANGE,
	[KIND_METRIC] = PINK, [KIND_SEMANTIC_MODEL] = TEAL, [KIND_SAVED_QUERY] = VIOLET,
	[KIND_ANALYSIS] = LIME, [KIND_OPERATION] = GREY, [KIND_FUNCTION] = INDIGO,
};
/* The legend reads as data flows. */
static const enum node_kind kind_order[NKINDS] = {
	KIND_SOURCE, KIND_SEED, KIND_SNAPSHOT, KIND_MODEL, KIND_FUNCTION, KIND_TEST, KIND_UNIT_TEST,
	KIND_SEMANTIC_MODEL, KIND_METRIC, KIND_SAVED_QUERY, KIND_EXPOSURE, KIND_ANALYSIS,
	KIND_OPERATION,
};

const struct picture_colour *
picture_hues(size_t *n)
{
	*n = sizeof(hues) / sizeof(hues[0]);
	return hues;
}

enum node_kind
picture_kind(size_t i)
{
	return kind_order[i];
}

const struct picture_colour *
picture_kind_hue(enum node_kind kind)
{
	return &hues[kind_hue[kind]];
}

/* ---- colours: a scheme names its classes in the order of the legend and sorts nodes in ---- */

struct scheme {
	struct picture_colour *classes;
	size_t n;
	uint32_t *of;       /* by node of the picture */
};

static uint32_t
add_class(struct scheme *s, const char *name, int hue)
{
	s->classes[s->n] = hues[hue];
	s->classes[s->n].name = name;
	return (uint32_t)s->n++;
}

static void
colour_by_kind(struct picture *p, struct scheme *s)
{
	uint32_t class_of[NKINDS] = { 0 };

	for (size_t k = 0; k < NKINDS; k++)
		class_of[kind_order[k]] = add_class(s, kind_plural(kind_order[k]),
		    kind_hue[kind_order[k]]);
	for (size_t i = 0; i < p->nnodes; i++)
		s->of[i] = class_of[p->nodes[i].node->kind];
}

static int
by_size(const void *a, const void *b)
{
	const struct picture_group *x = *(const struct picture_group *const *)a;
	const struct picture_group *y = *(const struct picture_group *const *)b;

	if (x->nnodes != y->nnodes)
		return x->nnodes > y->nnodes ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The largest folders get a colour of their own. */
static void
colour_by_folder(struct picture *p, struct scheme *s)
{
	size_t n;
	struct picture_group *folders = picture_groups(p, GROUP_BY_FOLDER, s->of, &n);
	struct picture_group **sorted = arena_zalloc(&p->arena, n + 1, sizeof(folders));
	uint32_t *class_of = arena_zalloc(&p->arena, n + 1, sizeof(*class_of));

	for (size_t i = 0; i < n; i++)
		sorted[i] = &folders[i];
	qsort(sorted, n, sizeof(folders), by_size);
	for (size_t i = 0; i < n; i++) {
		size_t f = (size_t)(sorted[i] - folders);

		if (i < NFOLDER_HUES)
			class_of[f] = add_class(s, folders[f].name, (int)i);
		else if (i == NFOLDER_HUES)
			class_of[f] = add_class(s,
			    arena_printf(&p->arena, "%zu other folders", n - i), GREY);
		else
			class_of[f] = NFOLDER_HUES;
	}
	for (size_t i = 0; i < p->nnodes; i++)
		s->of[i] = class_of[s->of[i]];
}

/* Words of dbt's results (artifacts/schemas/results.py) as one reader's colours. */
static const struct {
	const char *status;
	const char *name;
	int hue;
	bool timed;
} statuses[] = {
	{ "success", "succeeded", GREEN, true }, { "pass", "succeeded", GREEN, true },
	{ "no-op", "nothing to do", SKY, false }, { "reused", "nothing to do", SKY, false },
	{ "warn", "warned", AMBER, true },
	{ "error", "failed", RED, false }, { "fail", "failed", RED, true },
	{ "runtime error", "failed", RED, false },
	{ "partial success", "partly failed", ORANGE, true },
	{ "skipped", "skipped", PURPLE, false },
};
#define NSTATUSES (sizeof(statuses) / sizeof(statuses[0]))

static void
colour_by_status(struct picture *p, struct scheme *s)
{
	uint32_t class_of[NSTATUSES] = { 0 }, none;

	for (size_t k = 0; k < NSTATUSES; k++)
		class_of[k] = k && statuses[k].name == statuses[k - 1].name ? class_of[k - 1] :
			add_class(s, statuses[k].name, statuses[k].hue);
	none = add_class(s, "no result", GREY);
	for (size_t i = 0; i < p->nnodes; i++) {
		const struct task *t = p->nodes[i].task;

		s->of[i] = none;
		for (size_t k = 0; t && t->last_status && k < NSTATUSES; k++)
			if (strcmp(t->last_status, statuses[k].status) == 0)
				s->of[i] = class_of[k];
	}
}

bool
picture_is_timed(const struct picture *p, const struct task *t)
{
	for (size_t k = 0; p->job->timed && t && t->last_status && k < NSTATUSES; k++)
		if (strcmp(t->last_status, statuses[k].status) == 0)
			return statuses[k].timed;
	return false;
}

/* Five classes of equal ratio between the fastest and the slowest. */
static void
colour_by_time(struct picture *p, struct scheme *s)
{
	static const int hue[] = { SKY, GREEN, AMBER, ORANGE, RED };
	double low = INFINITY, high = 0, bound[5];
	uint32_t none;

	for (size_t i = 0; i < p->nnodes; i++) {
		const struct task *t = p->nodes[i].task;

		if (picture_is_timed(p, t) && t->seconds > 0) {
			low = fmin(low, t->seconds);
			high = fmax(high, t->seconds);
		}
	}
	for (size_t k = 0; k < 5; k++) {
		struct buf name = BUF_INIT;

		bound[k] = high > 0 ? low * pow(high / low, (double)(k + 1) / 5) : 0;
		buf_adds(&name, "up to ");
		picture_seconds(&name, bound[k]);
		add_class(s, arena_strdup(&p->arena, buf_str(&name)), hue[k]);
		buf_release(&name);
	}
	none = add_class(s, "no time", GREY);
	for (size_t i = 0; i < p->nnodes; i++) {
		const struct task *t = p->nodes[i].task;

		s->of[i] = none;
		if (picture_is_timed(p, t))
			for (s->of[i] = 0; s->of[i] < 4 && t->seconds > bound[s->of[i]]; )
				s->of[i]++;
	}
}

void
picture_colour(struct picture *p)
{
	static void (*const schemes[])(struct picture *, struct scheme *) = {
		[COLOUR_BY_KIND] = colour_by_kind, [COLOUR_BY_FOLDER] = colour_by_folder,
		[COLOUR_BY_STATUS] = colour_by_status, [COLOUR_BY_TIME] = colour_by_time,
	};
	struct picture_colour classes[NKINDS + NSTATUSES];
	uint32_t place[NKINDS + NSTATUSES] = { 0 };
	struct scheme s = { classes, 0, arena_zalloc(&p->arena, p->nnodes + 1, sizeof(uint32_t)) };

	schemes[p->job->colour_by](p, &s);
	for (size_t i = 0; i < p->nnodes; i++)
		classes[s.of[i]].nnodes++;
	p->colours = arena_zalloc(&p->arena, s.n + 1, sizeof(*p->colours));
	for (size_t k = 0; k < s.n; k++) {
		place[k] = (uint32_t)p->ncolours;
		if (classes[k].nnodes)
			p->colours[p->ncolours++] = classes[k];
	}
	for (size_t i = 0; i < p->nnodes; i++)
		p->nodes[i].colour = place[s.of[i]];
}

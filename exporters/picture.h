/* exporters/picture.h -- what every lineage target draws: labels, edges, groups and colours,
 * decided once, so that an SVG and a Graphviz file of one selection show the same thing.
 *
 *   struct picture *p = picture_new(job);  ...  picture_free(p);
 *
 * Edges:  those of the graph between drawn nodes; and `through` ones where the way from one drawn
 *         node to another leads over nodes that are not drawn.
 * Order:  nodes by unique_id, edges by their ends, groups by name.
 * Owner:  the picture owns its arrays (one arena); it borrows the job's graph and plan.
 */
#ifndef HEDDLE_EXPORTERS_PICTURE_H
#define HEDDLE_EXPORTERS_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/exporter.h"
#include "util/arena.h"

#define PICTURE_NO_GROUP UINT32_MAX

struct picture_node {
	const struct node *node;
	const struct task *task;    /* NULL when the plan has none for it */
	const char *label;          /* unique in the picture */
	uint32_t group;             /* in picture->groups, or PICTURE_NO_GROUP */
	uint32_t colour;            /* in picture->colours */
	bool critical;
	bool focus;                 /* what the user looks at */
};

struct picture_edge {
	uint32_t from, to;          /* in picture->nodes */
	bool through;
	bool critical;
};

struct picture_group {
	const char *name;
	size_t nnodes;
};

/* #rrggbb, on a light and on a dark page. */
struct picture_colour {
	const char *name;           /* of the legend: "models" */
	const char *fill, *line;
	const char *dark_fill, *dark_line;
	size_t nnodes;
};

struct picture {
	struct arena arena;
	const struct export_job *job;
	struct picture_node *nodes;
	struct picture_edge *edges;
	struct picture_group *groups;
	struct picture_colour *colours;   /* only those in use, in the order of the legend */
	size_t nnodes, nedges, ngroups, ncolours;
	uint32_t *path;                   /* tasks of the critical path that are drawn, in order */
	size_t npath;
	const char *critical_name;        /* of the legend: "critical path, 41.2 s" */
};

extern const struct picture_colour picture_critical;   /* lines of the critical path */

/* Between picture.c and picture_colour.c. groups: sorted by name, of[i] the one of node i. */
struct picture_group *picture_groups(struct picture *p, enum grouping by, uint32_t *of,
    size_t *ngroups);
void picture_colour(struct picture *p);

struct picture *picture_new(const struct export_job *job);
void picture_free(struct picture *p);                   /* NULL is fine */

/* The palette, and what it says of kinds: the order of the legend, the colour of a kind. */
const struct picture_colour *picture_hues(size_t *n);
enum node_kind picture_kind(size_t i);
const struct picture_colour *picture_kind_hue(enum node_kind kind);

/* Did the task run to an end, so that its seconds are its own? */
bool picture_is_timed(const struct picture *p, const struct task *t);
/* "0.4 s", "12 s", "3 min 20 s" */
void picture_seconds(struct buf *out, double seconds);
/* What a reader sees on pointing at a node: id, materialization, time, status; lines end in '\n'
 * but the last. */
void picture_hint(struct buf *out, const struct picture *p, const struct picture_node *n);

#endif

/* exporters/layout.h -- places a picture on a plane: columns from left to right in the order of the
 * data, rows so that edges are short, every edge routed between the boxes.
 *
 * How: columns by longest path, roots pulled next to their first reader; a small dummy box in each
 * column an edge passes; the order in a column is igraph's (Sugiyama's method), untangled further
 * where that helps; rows are then moved towards their neighbours as far as the order allows
 * (exporters/rows.h).
 * With groups, each group is a band from left to right and its boxes stay inside.
 *
 * Units are the picture's own (CSS pixels), the origin is the top left corner of the drawing.
 * Thread: main only (igraph). Deterministic.
 */
#ifndef HEDDLE_EXPORTERS_LAYOUT_H
#define HEDDLE_EXPORTERS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/columns.h"
#include "util/arena.h"

struct layout_input {
	size_t nboxes;
	const double *widths;            /* of each box */
	double height;                   /* of every box */
	double row_gap, column_gap;      /* free space between boxes */
	size_t nedges;
	const struct layout_edge *edges; /* acyclic */
	size_t ngroups;                  /* 0 = no bands */
	const uint32_t *group_of;        /* by box */
	double band_head;                /* free space on top of a band, for its name */
	double min_width;                /* boxes without edges fill rows of at least this */
};

struct layout_point {
	double x, y;
};

struct layout_route {
	size_t npoints;                  /* even: out of a box or a column, into the next */
	struct layout_point *points;
};

struct layout_band {
	uint32_t group;
	double top, bottom;
};

struct layout {
	struct arena arena;
	double width, height;
	struct layout_point *boxes;      /* top left corners */
	struct layout_route *routes;     /* by edge */
	struct layout_band *bands;       /* from top to bottom; NULL without groups */
	size_t nbands;
};

struct layout *layout_new(const struct layout_input *in);
void layout_free(struct layout *l);   /* NULL is fine */

#endif

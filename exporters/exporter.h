/* exporters/exporter.h -- one plan, many languages. A target is one file and one row in registry.c.
 *
 * write() appends the whole output to `out`; the caller puts it on a file by rename. Output is
 * deterministic: order by id, no clock, no random, no path of this machine.
 * Errors: 0, or -1 with err. Thread: main.
 */
#ifndef HEDDLE_EXPORTERS_EXPORTER_H
#define HEDDLE_EXPORTERS_EXPORTER_H

#include <stddef.h>

#include "graph/plan.h"
#include "util/buf.h"
#include "util/err.h"

struct export_job {
	const struct graph *graph;
	const struct set *nodes;        /* what lineage targets draw: any kind */
	const struct plan *plan;        /* tasks, for targets that run them; critical path for all */
	const char *title;              /* the project's name unless the user gave one */
	const char *group_by;           /* "folder", "tag", "none" */
	const char *colour_by;          /* "kind", "folder", "status", "time" */
};

struct exporter {
	const char *name;               /* typed after `heddle export` */
	const char *suffix;             /* ".dot" */
	const char *summary;            /* one help line, no full stop */
	unsigned fields;                /* enum graph_fields the target reads */
	int (*write)(const struct export_job *job, struct buf *out, struct err *err);
};

extern const struct exporter exporter_dot, exporter_svg, exporter_json;   /* one file each */

const struct exporter *exporter_find(const char *name);     /* NULL when unknown */
const struct exporter *const *exporter_all(size_t *n);      /* in the order of help */

#endif

/* exporters/plan_json.h -- the plan as members of a JSON object; `heddle export json` and
 * `heddle plan --output json` share it. Described in docs/exports.md. */
#ifndef HEDDLE_EXPORTERS_PLAN_JSON_H
#define HEDDLE_EXPORTERS_PLAN_JSON_H

#include <stdbool.h>

#include "exporters/emit.h"
#include "graph/plan.h"

/* "command": ..., "tasks": [...] on lines of their own, no comma after the last. Seconds only when
 * they were measured. */
void plan_json_members(struct emit *e, const struct plan *p, bool timed);

#endif

/* exporters/yaml_head.h -- what targets written in YAML share. */
#ifndef HEDDLE_EXPORTERS_YAML_HEAD_H
#define HEDDLE_EXPORTERS_YAML_HEAD_H

#include "exporters/emit.h"
#include "exporters/exporter.h"

/* The comment at the top: what it is, how it was made, what hooks and tests do in it. `what` is a
 * whole sentence's start: "Argo Workflow". each: a task per node, each a command of its own. */
void yaml_write_head(struct emit *e, const struct export_job *job, const char *what, bool each);

const char *yaml_timezone(const struct task_options *o);

/* [A-Za-z_][A-Za-z0-9_]* */
bool yaml_is_variable(const char *name);

#endif

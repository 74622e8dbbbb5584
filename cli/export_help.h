/* cli/export_help.h -- what `heddle export --help` says of the targets, out of their table. */
#ifndef HEDDLE_CLI_EXPORT_HELP_H
#define HEDDLE_CLI_EXPORT_HELP_H

#include "cli/opts.h"
#include "exporters/exporter.h"

/* A line a target, each begun by `indent`. */
void export_help_list(const char *indent);

/* Of one target: usage, the values its own options have, and those groups that it takes. */
void export_help_target(const struct exporter *x, const struct opt_group *groups);

#endif

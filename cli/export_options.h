/* cli/export_options.h -- options of a command line spelled again, for the stamp of an export.
 * Thread: main. */
#ifndef HEDDLE_CLI_EXPORT_OPTIONS_H
#define HEDDLE_CLI_EXPORT_OPTIONS_H

#include "cli/opts.h"
#include "util/buf.h"

/* Adds those of the table that were given, in its order, as --name or --name=value, each quoted as
 * stamp_word() does it: opts_parse() reads them to the same values. */
void export_options_add(struct buf *line, const struct opt *table);

#endif

/* exporters/stamp.h -- the line in every output by which it can be made again and checked:
 *
 *   heddle export dot --select=+orders --colour-by=kind plan=5f3c9e0a12b4c6d8
 *
 * Words are separated by one blank; whatever could mean something to one of the languages the
 * line is written into (quotes, blanks, brackets, non-ASCII) is %XX. So one reader finds it in all.
 */
#ifndef HEDDLE_EXPORTERS_STAMP_H
#define HEDDLE_EXPORTERS_STAMP_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/exporter.h"
#include "util/arena.h"
#include "util/buf.h"

/* Appends a word; the line starts with the words "heddle", "export" and the target. */
void stamp_word(struct buf *line, const char *word);
/* Ends the line with the hash of what the job exports: nodes, edges, tasks, policies. */
void stamp_plan(struct buf *line, const struct export_job *job);

struct stamp {
	/* of `heddle export dot --select=+orders`: 4; plan= is not among them */
	size_t nwords;
	const char **words;
	const char *plan;   /* "5f3c9e0a12b4c6d8" */
};

/* Finds the first stamp of a text; what it holds lives in the arena. false: there is none. */
bool stamp_find(struct stamp *s, struct arena *a, const char *text);

#endif

/* graph/glob.h -- patterns as Python has them, because dbt asks Python.
 *
 * struct glob       fnmatch.fnmatchcase(): * (crosses '.' and '/'), ?, [abc], [a-c], [!a]; the
 *                   whole text must match, case counts, an unclosed [ is a plain character.
 * struct path_glob  pathlib.Path.glob() of Python 3.11, asked about one path at a time: parts
 *                   between slashes, ** for any number of folders.
 *
 * Characters are Unicode code points of UTF-8; a byte that is not UTF-8 counts as one of its own.
 * Owner: compiled patterns live in the arena given. Thread: any.
 */
#ifndef HEDDLE_GRAPH_GLOB_H
#define HEDDLE_GRAPH_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "util/arena.h"
#include "util/err.h"

struct glob {
	const struct glob_item *items;
	size_t nitems;
	const char *literal;    /* the pattern when it has no special character, else NULL */
	size_t nliteral;
};

void glob_compile(struct glob *g, struct arena *a, const char *pattern, size_t len);
bool glob_match(const struct glob *g, const char *text);
bool glob_matchn(const struct glob *g, const char *text, size_t len);

struct path_glob {
	const struct path_glob_part *parts;
	size_t nparts;
	bool folders_only;      /* ends in '/' or '**' */
};

/* -1: empty, absolute, "." alone, or '**' beside other characters of a part. */
int path_glob_compile(struct path_glob *p, struct arena *a, const char *pattern, struct err *err);

/* path: relative to the folder the pattern starts from, without "./" and "//"; "" is that
 * folder. */
bool path_glob_match(const struct path_glob *p, const char *path, bool is_folder);

#endif

/* exporters/emit.h -- text of other languages: indentation and quoting in one place.
 *
 *   struct emit e;
 *   emit_init(&e, out, &emit_dot);
 *   emit_open(&e, "subgraph %i {", group);
 *   emit_line(&e, "%i [label=%q];", node->id, label);
 *   emit_close(&e, "}");
 *
 * Names, descriptions and SQL are hostile: they reach the output through %q, %i or %c, never
 * through %s. The conversions (no flags or widths, so the compiler does not check them):
 *   %q  text, quoted as the language quotes values, quotation marks included (XML: no marks)
 *   %i  text, quoted as the language quotes identifiers
 *   %c  text for a comment: one line, nothing in it ends the comment
 *   %s  the exporter's own text, as it is        %z  size_t        %u  uint32_t
 *   %f  double, at most two decimals, no zeros after them          %%  a percent sign
 *
 * Owner: the caller owns `out`. Thread: one struct belongs to one thread.
 */
#ifndef HEDDLE_EXPORTERS_EMIT_H
#define HEDDLE_EXPORTERS_EMIT_H

#include <stddef.h>

#include "util/buf.h"

struct emit_language {
	void (*value)(struct buf *out, const char *text);        /* %q */
	void (*identifier)(struct buf *out, const char *text);   /* %i; NULL: as %q */
	const char *tab;                                         /* one step of indentation */
};

/* Text of one language inside another: quote from the inside out. */
void emit_shell_word(struct buf *out, const char *word);    /* one word of a POSIX shell */
void emit_jinja_text(struct buf *out, const char *text);    /* what Jinja renders to the text */

/* dot: a label (%q) is an escape string, an id (%i) is taken as it stands by Graphviz.
 * script: JSON that may stand inside <script>. */
extern const struct emit_language emit_dot, emit_xml, emit_json, emit_script, emit_mermaid,
	emit_python, emit_yaml;

struct emit {
	struct buf *out;
	const struct emit_language *language;
	size_t depth;
};

void emit_init(struct emit *e, struct buf *out, const struct emit_language *language);

void emit_add(struct emit *e, const char *fmt, ...);     /* appends, no indentation */
void emit_indent(struct emit *e);                         /* of a line made by emit_add() */
void emit_line(struct emit *e, const char *fmt, ...);    /* one whole line */
void emit_open(struct emit *e, const char *fmt, ...);    /* a line; what follows is deeper */
void emit_close(struct emit *e, const char *fmt, ...);   /* what follows is as before; a line */

/* "12.5", "3", "-0.25": at most two decimals, the same in every locale. */
void emit_number(struct buf *out, double x);

#endif

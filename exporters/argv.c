#include "exporters/argv.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/emit.h"
#include "util/xalloc.h"

void
argv_add(struct argv *a, const char *word)
{
	a->v = xgrow(a->v, a->n, &a->cap, sizeof(*a->v));
	a->v[a->n++] = word;
}

void
argv_add_flag(struct argv *a, const char *flag, const char *value)
{
	argv_add_list(a, flag, &value, value ? 1 : 0);
}

void
argv_add_list(struct argv *a, const char *flag, const char *const *v, size_t n)
{
	if (n)
		argv_add(a, flag);
	for (size_t i = 0; i < n; i++)
		argv_add(a, v[i]);
}

void
argv_program(struct argv *a, const struct task_options *o)
{
	for (size_t i = 0; i < o->ncommand; i++)
		argv_add(a, o->command[i]);
	if (o->ncommand == 0)
		argv_add(a, task_runner_names[o->runner]);
}

void
argv_tests(struct argv *a, const struct step *s)
{
	argv_add_flag(a, "--indirect-selection", s->indirect);
	argv_add_list(a, steps_exclude_flag(s), s->exclude, s->nexclude);
}

void
argv_step(struct argv *a, const struct step *s)
{
	argv_add(a, s->verb);
	if (s->no_hooks)
		argv_add(a, "--no-hooks");
	argv_add_list(a, "--select", s->select, s->nselect);
	argv_tests(a, s);
}

void
argv_flags(struct argv *a, const struct task_options *o)
{
	argv_add_flag(a, "--profile", o->profile);
	argv_add_flag(a, "--target", o->target);
	argv_add_flag(a, "--project-dir", o->project_dir);
	argv_add_flag(a, "--profiles-dir", o->profiles_dir);
	argv_add_flag(a, "--warn-error-options", o->warn_errors);
}

static bool
has_unit_tests(const struct graph *g)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (g->nodes[i].kind == KIND_UNIT_TEST)
			return true;
	return false;
}

void
argv_whole(struct argv *a, const struct export_job *job, const char *verb, bool tests)
{
	const struct task_options *o = job->tasks;
	bool units = o->unit_tests || !has_unit_tests(job->graph);

	argv_add(a, verb);
	argv_add_list(a, "--select", o->select, o->nselect);
	argv_add_list(a, "--exclude", o->exclude, o->nexclude);
	argv_add_flag(a, "--selector", o->selector);
	argv_add_flag(a, "--indirect-selection", o->indirect);
	argv_add_list(a, "--resource-type", o->types, o->ntypes);
	if (o->nexclude_types || !tests || !units)
		argv_add(a, "--exclude-resource-type");
	for (size_t i = 0; i < o->nexclude_types; i++)
		argv_add(a, o->exclude_types[i]);
	if (!tests)
		argv_add(a, "test");
	if (!units)
		argv_add(a, "unit_test");
}

void
argv_line(const struct argv *a, struct buf *out)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < a->n; i++) {
		if (i)
			buf_addc(out, ' ');
		buf_truncate(&b, 0);
		emit_shell_word(&b, a->v[i]);
		/* A brace that could open an expression is in single quotes here: '{' is no plain
		 * letter. */
		for (const char *s = b.data; *s; s++) {
			buf_addc(out, *s);
			if (*s == '{' && s[1] && strchr("{%#", s[1]))
				buf_adds(out, "''");
		}
	}
	buf_release(&b);
}

void
argv_release(struct argv *a)
{
	free(a->v);
}

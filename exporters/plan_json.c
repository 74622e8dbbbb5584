#include "exporters/plan_json.h"

#include <stdlib.h>

#include "util/xalloc.h"

static void
add_ids(struct emit *e, const struct plan *p, const size_t *tasks, size_t n)
{
	emit_add(e, "[");
	for (size_t i = 0; i < n; i++)
		emit_add(e, "%s%q", i ? ", " : "", p->tasks[tasks[i]].node->id);
	emit_add(e, "]");
}

static void
add_task(struct emit *e, const struct plan *p, const struct task *t, bool timed)
{
	emit_add(e, "{\"id\": %q, \"kind\": %q, \"wave\": %z, \"after\": ", t->node->id,
	    kind_name(t->node->kind), t->wave);
	add_ids(e, p, t->parents, t->nparents);
	if (t->gate)
		emit_add(e, ", \"gate\": true");
	if (timed)
		emit_add(e, ", \"seconds\": %f, \"path_seconds\": %f", t->seconds, t->path);
	if (t->last_status)
		emit_add(e, ", \"last_status\": %q", t->last_status);
	emit_add(e, "}");
}

void
plan_json_members(struct emit *e, const struct plan *p, bool timed)
{
	size_t *path = xcalloc(p->ntasks + 1, sizeof(*path)), n = plan_critical(p, path);

	emit_line(e, "\"command\": %q,", plan_command_name(p->command));
	emit_line(e, "\"waves\": %z,", p->nwaves);
	if (timed)
		emit_line(e, "\"critical_seconds\": %f, \"work_seconds\": %f,", p->critical_path,
		    p->work);
	emit_indent(e);
	emit_add(e, "\"critical_path\": ");
	add_ids(e, p, path, n);
	emit_add(e, ",\n");
	emit_open(e, "\"tasks\": [");
	for (size_t i = 0; i < p->ntasks; i++) {
		emit_indent(e);
		add_task(e, p, &p->tasks[i], timed);
		emit_add(e, i + 1 < p->ntasks ? ",\n" : "\n");
	}
	emit_close(e, "]");
	free(path);
}

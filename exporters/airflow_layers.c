/* airflow_layers.c -- --style layers: the DAG that deployments write by hand, one task after the
 * other: freshness, seed, snapshot, staging, intermediate, marts, test, docs, notify. Each is one
 * dbt command.
 *
 * Layers that the project lacks are left out. Where a layer must come later than that (a snapshot
 * of a staging model), or in two pieces, it does: the plan's order wins.
 */
#include "exporters/airflow.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/layers.h"
#include "util/xalloc.h"

bool
airflow_is_layers(const struct airflow *a)
{
	return a->o->style && strcmp(a->o->style, "layers") == 0;
}

static bool
has_freshness(const struct graph *g)
{
	for (size_t i = 0; i < g->nnodes; i++)
		if (g->nodes[i].has_freshness)
			return true;
	return false;
}

static unsigned
rank(const struct airflow *a, const struct step *s)
{
	if (s->role != STEP_PART)
		return NLAYERS;
	return layer_of(a->job->graph, s->nnodes ? s->nodes[0] : s->tests[0]);
}

static bool
is_free(const struct step *s, const char *placed)
{
	for (size_t i = 0; i < s->nafter; i++)
		if (!placed[s->after[i]])
			return false;
	return true;
}

/* The steps one after the other: of those that may come next, the lowest layer. New array. */
static size_t *
order_layers(const struct airflow *a)
{
	size_t n = a->steps->n, *order = xcalloc(n + 1, sizeof(*order));
	char *placed = xcalloc(n + 1, 1);

	for (size_t k = 0; k < n; k++) {
		size_t best = n;

		for (size_t i = 0; i < n; i++)
			if (!placed[i] && is_free(&a->steps->v[i], placed) &&
			    (best == n || rank(a, &a->steps->v[i]) < rank(a, &a->steps->v[best])))
				best = i;
		placed[best] = 1;
		order[k] = best;
	}
	free(placed);
	return order;
}

void
airflow_write_notify(struct airflow *a)
{
	struct emit *e = &a->e;

	emit_open(e, "def notify(context):");
	emit_line(e, "\"\"\"Tells the webhook in the workers' environment, if there is one, how "
	    "the run ended.\"\"\"");
	emit_line(e, "url, run = os.environ.get(\"DBT_NOTIFY_URL\"), context[\"dag_run\"]");
	emit_line(e, "text = f\"{run.dag_id} {run.run_id}: {context.get('reason') or 'success'}\"");
	emit_line(e, "print(text)");
	emit_open(e, "if url:");
	emit_line(e, "body = json.dumps({\"text\": text}).encode()");
	emit_line(e, "headers = {\"Content-Type\": \"application/json\"}");
	emit_line(e, "urllib.request.urlopen(urllib.request.Request(url, body, headers), "
	    "timeout=30).close()");
	e->depth -= 2;
	emit_line(e, "");
	emit_line(e, "");
}

void
airflow_write_layers(struct airflow *a)
{
	struct emit *e = &a->e;
	size_t *order = order_layers(a), n = a->steps->n, i = 0;

	emit_open(e, "chain(");
	if (n && a->steps->v[order[0]].role == STEP_START)
		airflow_write_link(a, &a->steps->v[order[i++]]);
	if (has_freshness(a->job->graph))
		emit_line(e, "dbt(\"freshness\", \"source freshness\", []),");
	for (; i < n; i++)
		airflow_write_link(a, &a->steps->v[order[i]]);
	emit_line(e, "dbt(\"docs\", \"docs generate\", []),");
	emit_line(e, "PythonOperator(task_id=\"notify\", python_callable=lambda **context: "
	    "notify(context)),");
	emit_close(e, ")");
	if (airflow_end(a) && n > 2) {
		emit_line(e, "# on_run_end ends well whatever became of the others: docs waits for "
		    "them, too.");
		emit_line(e, "dag.get_task(\"%s\") >> dag.get_task(\"docs\")",
		    airflow_link_id(&a->steps->v[order[n - 2]]));
	}
	free(order);
}

/*
 * json.c -- the lineage and the plan as data, for programs. Described in docs/exports.md.
 *
 * {"format": "heddle-lineage", "version": 1, "made_by": "heddle export json ...",
 *  "project", "adapter", "dbt_version",
 *  "nodes": [{"id", "kind", "name", "label", "package", "path", "fqn", "tags", ...}],
 *  "edges": [{"from", "to", "through": true when the way leads over nodes not exported}],
 *  "plan": {"command", "waves", "critical_path": [ids], "tasks": [{"id", "wave", "after": [ids]}]}}
 *
 * One node, edge or task is one line, so that a diff of two exports reads well. What is not known
 * is left out, not null. Readers refuse another "version"; new members may come within one.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/picture.h"
#include "exporters/plan_json.h"
#include "util/xalloc.h"

#define VERSION 1

/* , "key": "text" -- nothing when there is no text. key is ours. */
static void
add_text(struct emit *e, const char *key, const char *text)
{
	if (text)
		emit_add(e, ", \"%s\": %q", key, text);
}

static void
add_texts(struct emit *e, const char *key, const char *const *v, size_t n)
{
	emit_add(e, ", \"%s\": [", key);
	for (size_t i = 0; i < n; i++)
		emit_add(e, "%s%q", i ? ", " : "", v[i]);
	emit_add(e, "]");
}

static const char *
member(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring : NULL;
}

static void
add_description(struct emit *e, const struct node *n)
{
	const char *text = node_json(n, NODE_DESCRIPTION);
	cJSON *value = text ? cJSON_Parse(text) : NULL;

	if (value && cJSON_IsString(value) && value->valuestring[0])
		add_text(e, "description", value->valuestring);
	cJSON_Delete(value);
}

static void
add_columns(struct emit *e, const struct node *n)
{
	const char *text = node_json(n, NODE_COLUMNS);
	cJSON *columns = text ? cJSON_Parse(text) : NULL;
	const cJSON *column;
	bool first = true;

	if (columns && cJSON_IsObject(columns) && columns->child) {
		emit_add(e, ", \"columns\": [");
		cJSON_ArrayForEach(column, columns) {
			emit_add(e, "%s{\"name\": %q", first ? "" : ", ", column->string);
			add_text(e, "type", member(column, "data_type"));
			add_text(e, "description", member(column, "description"));
			emit_add(e, "}");
			first = false;
		}
		emit_add(e, "]");
	}
	cJSON_Delete(columns);
}

static void
add_parents(struct emit *e, const struct graph *g, const struct node *n)
{
	const char **ids = xcalloc(n->nparents + 1, sizeof(*ids));

	for (size_t i = 0; i < n->nparents; i++)
		ids[i] = g->nodes[n->parents[i]].id;
	add_texts(e, "parents", ids, n->nparents);
	free(ids);
}

static void
add_node(struct emit *e, const struct graph *g, const struct picture_node *pn)
{
	const struct node *n = pn->node;

	emit_indent(e);
	emit_add(e, "{\"id\": %q, \"kind\": %q, \"name\": %q, \"label\": %q, \"package\": %q",
	    n->id, kind_name(n->kind), n->name, pn->label, n->package);
	add_text(e, "path", n->path[0] ? n->path : NULL);
	add_texts(e, "fqn", n->fqn.v, n->fqn.n);
	add_texts(e, "tags", n->tags.v, n->tags.n);
	add_text(e, "materialized", n->materialized);
	add_text(e, "version", n->version);
	add_text(e, "latest_version", n->latest_version);
	add_text(e, "access", n->access);
	add_text(e, "group", n->group);
	add_text(e, "database", n->database);
	add_text(e, "schema", n->schema);
	add_text(e, "identifier", n->alias);
	add_text(e, "relation", n->relation_name);
	add_text(e, "source_name", n->source_name);
	add_text(e, "test_name", n->test_name);
	add_text(e, "attached", n->attached);
	add_description(e, n);
	add_columns(e, n);
	add_parents(e, g, n);
	emit_add(e, "}");
}

static int
json_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct picture *p = picture_new(job);
	const struct graph *g = job->graph;
	struct emit e;

	(void)err;
	emit_init(&e, out, &emit_json);
	emit_open(&e, "{");
	emit_line(&e, "\"format\": \"heddle-lineage\", \"version\": %z,", (size_t)VERSION);
	emit_line(&e, "\"made_by\": %q,", job->stamp);
	emit_indent(&e);
	emit_add(&e, "\"project\": %q", g->project_name ? g->project_name : "");
	add_text(&e, "adapter", g->adapter_type);
	add_text(&e, "dbt_version", g->dbt_version);
	emit_add(&e, ",\n");
	emit_open(&e, "\"nodes\": [");
	for (size_t i = 0; i < p->nnodes; i++) {
		add_node(&e, g, &p->nodes[i]);
		emit_add(&e, i + 1 < p->nnodes ? ",\n" : "\n");
	}
	emit_close(&e, "],");
	emit_open(&e, "\"edges\": [");
	for (size_t i = 0; i < p->nedges; i++)
		emit_line(&e, "{\"from\": %q, \"to\": %q%s}%s", p->nodes[p->edges[i].from].node->id,
		    p->nodes[p->edges[i].to].node->id,
		    p->edges[i].through ? ", \"through\": true" : "",
		    i + 1 < p->nedges ? "," : "");
	emit_close(&e, "],");
	emit_open(&e, "\"plan\": {");
	plan_json_members(&e, job->plan, job->timed);
	emit_close(&e, "}");
	emit_close(&e, "}");
	picture_free(p);
	return 0;
}

const struct exporter exporter_json = {
	.name = "json",
	.suffix = ".json",
	.summary = "lineage and plan as data",
	.fields = GRAPH_DOCS,
	.kinds = (1u << NKINDS) - 1,
	.group_by = GROUP_BY_NONE,
	.write = json_write,
};

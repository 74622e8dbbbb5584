/* html.c -- lineage as one interactive page: search, focus, filters, details; nothing from outside.
 * The page is exporters/html/: a frame, a style sheet and scripts, embedded at build time; here
 * they are put together with the data. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/picture.h"
#include "util/text.h"

static const char page_html[] = {
#include "exporters/html/page.inc"
	0
};
static const char style_css[] = {
#include "exporters/html/style.inc"
	0
};
static const char layout_js[] = {
#include "exporters/html/layout.inc"
	0
};
static const char app_js[] = {
#include "exporters/html/graph.inc"
#include "exporters/html/stage.inc"
#include "exporters/html/pane.inc"
#include "exporters/html/controls.inc"
	0
};

/* ---- the data ---- */

static void
add_text(struct emit *e, const char *key, const char *text)
{
	if (text && *text)
		emit_add(e, ", \"%s\": %q", key, text);
}

/* A field that is a JSON string in the manifest. */
static void
add_field(struct emit *e, const char *key, const struct node *n, enum node_json field)
{
	const char *json = node_json(n, field);
	cJSON *value = json ? cJSON_Parse(json) : NULL;

	if (value && cJSON_IsString(value))
		add_text(e, key, value->valuestring);
	cJSON_Delete(value);
}

static const char *
member(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static void
add_columns(struct emit *e, const struct node *n)
{
	const char *json = node_json(n, NODE_COLUMNS);
	cJSON *columns = json ? cJSON_Parse(json) : NULL;
	const cJSON *column;

	if (columns && cJSON_IsObject(columns) && columns->child) {
		emit_add(e, ", \"columns\": [");
		cJSON_ArrayForEach(column, columns) {
			emit_add(e, "%s[%q, %q, %q]", column == columns->child ? "" : ", ",
			    column->string, member(column, "data_type"),
			    member(column, "description"));
		}
		emit_add(e, "]");
	}
	cJSON_Delete(columns);
}

static void
write_node(struct emit *e, const struct picture *p, const struct picture_node *pn)
{
	const struct node *n = pn->node;
	const struct task *t = pn->task;

	emit_add(e, "{\"id\": %q, \"kind\": %q, \"label\": %q, \"folder\": %q, \"tags\": [", n->id,
	    kind_name(n->kind), pn->label, p->groups[pn->group].name);
	for (size_t i = 0; i < n->tags.n; i++)
		emit_add(e, "%s%q", i ? ", " : "", n->tags.v[i]);
	emit_add(e, "]");
	add_text(e, "path", n->path);
	add_text(e, "package", n->package);
	add_text(e, "relation", n->relation_name);
	add_text(e, "materialized", n->materialized);
	add_text(e, "group", n->group);
	add_text(e, "access", n->access);
	add_field(e, "description", n, NODE_DESCRIPTION);
	add_columns(e, n);
	if (!n->test_name)    /* the SQL of a generic test only calls its macro */
		add_field(e, "sql", n, NODE_RAW_CODE);
	if (t)
		emit_add(e, ", \"wave\": %z", t->wave);
	add_text(e, "status", t ? t->last_status : NULL);
	if (t && picture_is_timed(p, t))
		emit_add(e, ", \"seconds\": %f", t->seconds);
	if (pn->focus)
		emit_add(e, ", \"focus\": true");
	if (pn->critical)
		emit_add(e, ", \"critical\": true");
	emit_add(e, "}");
}

static void
write_hues(struct emit *e)
{
	size_t n;
	const struct picture_colour *hues = picture_hues(&n);

	emit_open(e, "\"hues\": {");
	for (size_t i = 0; i < n; i++)
		emit_line(e, "%q: [%q, %q, %q, %q]%s", hues[i].name, hues[i].fill, hues[i].line,
		    hues[i].dark_fill, hues[i].dark_line, i + 1 < n ? "," : "");
	emit_close(e, "},");
	emit_open(e, "\"kinds\": [");
	for (size_t i = 0; i < NKINDS; i++) {
		enum node_kind k = picture_kind(i);

		emit_line(e, "{\"id\": %q, \"name\": %q, \"hue\": %q}%s", kind_name(k),
		    kind_plural(k), picture_kind_hue(k)->name, i + 1 < NKINDS ? "," : "");
	}
	emit_close(e, "],");
}

static void
write_data(struct emit *e, const struct picture *p)
{
	emit_open(e, "{");
	emit_line(e, "\"colour_by\": %q, \"critical_name\": %q,", colouring_name(p->job->colour_by),
	    p->critical_name);
	write_hues(e);
	emit_open(e, "\"nodes\": [");
	for (size_t i = 0; i < p->nnodes; i++) {
		write_node(e, p, &p->nodes[i]);
		emit_add(e, i + 1 < p->nnodes ? ",\n" : "\n");
	}
	emit_close(e, "],");
	emit_add(e, "\"edges\": [");   /* from, to; 1 = over nodes that are not here */
	for (size_t i = 0; i < p->nedges; i++)
		emit_add(e, "%s[%u, %u%s]", i ? ", " : "", p->edges[i].from, p->edges[i].to,
		    p->edges[i].through ? ", 1" : "");
	emit_add(e, "],\n\"critical_path\": [");
	for (size_t i = 0; i < p->npath; i++)
		emit_add(e, "%s%u", i ? ", " : "", p->path[i]);
	emit_add(e, "]\n");
	emit_close(e, "}");
}

/* ---- the page ---- */

static void
write_part(struct emit *e, const struct picture *p, const char *name, size_t len)
{
	struct emit data;

	if (strncmp(name, "title", len) == 0) {
		emit_add(e, "%q", p->job->title);
	} else if (strncmp(name, "stamp", len) == 0) {
		emit_add(e, "%q", p->job->stamp);
	} else if (strncmp(name, "style", len) == 0) {
		emit_add(e, "%s", style_css);
	} else if (strncmp(name, "layout", len) == 0) {
		emit_add(e, "%s", layout_js);
	} else if (strncmp(name, "app", len) == 0) {
		emit_add(e, "%s", app_js);
	} else if (strncmp(name, "data", len) == 0) {
		emit_init(&data, e->out, &emit_script);
		write_data(&data, p);
	}
}

static int
html_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct export_job by_folder = *job;
	struct picture *p;
	struct emit e;

	(void)err;
	by_folder.group_by = GROUP_BY_FOLDER;    /* the page filters by it */
	p = picture_new(&by_folder);
	emit_init(&e, out, &emit_xml);
	for (const char *s = page_html; *s;) {
		const char *at = strstr(s, "@@"), *end = at ? strstr(at + 2, "@@") : NULL;

		if (!end) {
			buf_adds(out, s);
			break;
		}
		buf_add(out, s, (size_t)(at - s));
		write_part(&e, p, at + 2, (size_t)(end - at - 2));
		s = end + 2;
	}
	picture_free(p);
	return 0;
}

const struct exporter exporter_html = {
	.name = "html",
	.suffix = ".html",
	.summary = "lineage as an interactive page: search, focus, filters, details",
	.fields = GRAPH_DOCS | GRAPH_SQL,
	.kinds = LINEAGE_KINDS | TEST_KINDS | KIND_BIT(KIND_ANALYSIS),
	.draws = true,
	.limit = 15000,
	.group_by = GROUP_BY_FOLDER,
	.write = html_write,
};

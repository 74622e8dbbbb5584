/* graphml.c -- lineage for graph tools: yEd, Gephi, Cytoscape, NetworkX. */
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/picture.h"

static const struct {
	const char *id, *of, *type;
} keys[] = {
	{ "label", "node", "string" }, { "kind", "node", "string" },
	{ "package", "node", "string" }, { "path", "node", "string" },
	{ "materialized", "node", "string" }, { "group", "node", "string" },
	{ "colour", "node", "string" }, { "critical", "node", "boolean" },
	{ "wave", "node", "int" }, { "seconds", "node", "double" }, { "status", "node", "string" },
	{ "through", "edge", "boolean" }, { "critical_edge", "edge", "boolean" },
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static void
write_text(struct emit *e, const char *key, const char *text)
{
	if (text && *text)
		emit_line(e, "<data key=\"%s\">%q</data>", key, text);
}

static void
write_node(struct emit *e, const struct picture *p, const struct picture_node *n)
{
	emit_open(e, "<node id=\"%q\">", n->node->id);
	write_text(e, "label", n->label);
	write_text(e, "kind", kind_name(n->node->kind));
	write_text(e, "package", n->node->package);
	write_text(e, "path", n->node->path);
	write_text(e, "materialized", n->node->materialized);
	write_text(e, "group", n->group == PICTURE_NO_GROUP ? NULL : p->groups[n->group].name);
	write_text(e, "colour", p->colours[n->colour].line);
	write_text(e, "critical", n->critical ? "true" : "false");
	if (n->task)
		emit_line(e, "<data key=\"wave\">%z</data>", n->task->wave);
	if (n->task && picture_is_timed(p, n->task))
		emit_line(e, "<data key=\"seconds\">%f</data>", n->task->seconds);
	write_text(e, "status", n->task ? n->task->last_status : NULL);
	emit_close(e, "</node>");
}

static void
write_edge(struct emit *e, const struct picture *p, const struct picture_edge *x)
{
	const char *from = p->nodes[x->from].node->id, *to = p->nodes[x->to].node->id;

	if (!x->through && !x->critical) {
		emit_line(e, "<edge source=\"%q\" target=\"%q\"/>", from, to);
		return;
	}
	emit_open(e, "<edge source=\"%q\" target=\"%q\">", from, to);
	write_text(e, "through", x->through ? "true" : NULL);
	write_text(e, "critical_edge", x->critical ? "true" : NULL);
	emit_close(e, "</edge>");
}

static int
graphml_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct picture *p = picture_new(job);
	struct emit e;

	(void)err;
	emit_init(&e, out, &emit_xml);
	emit_line(&e, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
	emit_open(&e, "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">");
	emit_line(&e, "<desc>Made by: %s</desc>", job->stamp);
	for (size_t i = 0; i < NKEYS; i++)
		emit_line(&e, "<key id=\"%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>",
		    keys[i].id, keys[i].of, keys[i].id, keys[i].type);
	emit_open(&e, "<graph id=\"lineage\" edgedefault=\"directed\">");
	emit_line(&e, "<desc>Lineage of the dbt project %q</desc>", job->title);
	for (size_t i = 0; i < p->nnodes; i++)
		write_node(&e, p, &p->nodes[i]);
	for (size_t i = 0; i < p->nedges; i++)
		write_edge(&e, p, &p->edges[i]);
	emit_close(&e, "</graph>");
	emit_close(&e, "</graphml>");
	picture_free(p);
	return 0;
}

const struct exporter exporter_graphml = {
	.name = "graphml",
	.suffix = ".graphml",
	.summary = "lineage for yEd, Gephi, Cytoscape, NetworkX",
	.kinds = LINEAGE_KINDS,
	.draws = true,
	.group_by = GROUP_BY_FOLDER,
	.write = graphml_write,
};

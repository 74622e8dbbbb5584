/* mermaid.c -- lineage for Markdown: a flowchart that GitHub, GitLab and others draw in place. */
#include <ctype.h>
#include <stdlib.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/picture.h"
#include "util/hash.h"
#include "util/map.h"
#include "util/xalloc.h"

static void
write_head(struct emit *e, const struct picture *p)
{
	emit_line(e, "%%%% Lineage of the dbt project %c.", p->job->title);
	emit_line(e, "%%%% Made by: %s", p->job->stamp);
	emit_open(e, "flowchart LR");
	for (size_t i = 0; i < p->ncolours; i++)
		emit_line(e, "classDef k%z fill:%s,stroke:%s,color:#0f172a", i, p->colours[i].fill,
		    p->colours[i].line);
	emit_line(e, "classDef critical stroke:%s,stroke-width:3px", picture_critical.line);
	emit_line(e, "classDef focus stroke-width:5px");
	emit_line(e, "classDef ephemeral stroke-dasharray:4 3");
}

static void
write_node(struct emit *e, const struct picture_node *n, const char *id)
{
	emit_line(e, "%s[%q]:::k%u", id, n->label, n->colour);
	if (node_is_ephemeral(n->node))
		emit_line(e, "class %s ephemeral", id);
	if (n->critical)
		emit_line(e, "class %s critical", id);
	if (n->focus)
		emit_line(e, "class %s focus", id);
}

static void
write_nodes(struct emit *e, const struct picture *p, const char *const *ids)
{
	for (uint32_t g = 0; g < p->ngroups; g++) {
		emit_open(e, "subgraph group_%u[%q]", g, p->groups[g].name);
		for (size_t i = 0; i < p->nnodes; i++)
			if (p->nodes[i].group == g)
				write_node(e, &p->nodes[i], ids[i]);
		emit_close(e, "end");
	}
	for (size_t i = 0; i < p->nnodes; i++)
		if (p->nodes[i].group == PICTURE_NO_GROUP)
			write_node(e, &p->nodes[i], ids[i]);
}

static void
write_edges(struct emit *e, const struct picture *p, const char *const *ids)
{
	bool first = true;

	for (size_t i = 0; i < p->nedges; i++)
		emit_line(e, "%s %s %s", ids[p->edges[i].from],
		    p->edges[i].through ? "-.->" : "-->", ids[p->edges[i].to]);
	for (size_t i = 0; i < p->nedges; i++) {
		if (!p->edges[i].critical)
			continue;
		if (first)
			emit_indent(e);
		emit_add(e, first ? "linkStyle %z" : ",%z", i);
		first = false;
	}
	if (!first)
		emit_add(e, " stroke:%s,stroke-width:3px\n", picture_critical.line);
}

/* model_shop_orders: no word of the language, and read like the unique id. Where that loses letters
 * or two nodes would share one, a hash of the id follows. */
static const char *
make_id(struct map *seen, struct arena *a, const char *id)
{
	char *s = arena_strdup(a, id);
	bool lost = false;

	for (char *c = s; *c; c++) {
		if (isalnum((unsigned char)*c) || *c == '_')
			continue;
		lost = lost || *c != '.';
		*c = '_';
	}
	if (lost || map_get(seen, s))
		s = arena_printf(a, "%s_%08x", s, (unsigned)(hash_text(HASH_START, id) >> 32));
	map_put(seen, s, s);
	return s;
}

static int
mermaid_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct picture *p = picture_new(job);
	const char **ids = xcalloc(p->nnodes + 1, sizeof(*ids));
	struct map seen = MAP_INIT;
	struct emit e;

	(void)err;
	for (size_t i = 0; i < p->nnodes; i++)
		ids[i] = make_id(&seen, &p->arena, p->nodes[i].node->id);
	emit_init(&e, out, &emit_mermaid);
	write_head(&e, p);
	write_nodes(&e, p, ids);
	write_edges(&e, p, ids);
	map_release(&seen);
	free(ids);
	picture_free(p);
	return 0;
}

const struct exporter exporter_mermaid = {
	.name = "mermaid",
	.suffix = ".mmd",
	.summary = "lineage for Markdown: GitHub and GitLab draw it in place",
	.kinds = LINEAGE_KINDS,
	.draws = true,
	.limit = 500,
	.group_by = GROUP_BY_FOLDER,
	.write = mermaid_write,
};

/* dot.c -- lineage for Graphviz: `dot -Tpdf`. Clusters are groups, colours have a legend. */
#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/picture.h"

static void
write_head(struct emit *e, const struct picture *p)
{
	emit_line(e, "// Lineage of the dbt project %c for Graphviz.", p->job->title);
	emit_line(e, "// Made by: %s", p->job->stamp);
	emit_open(e, "digraph lineage {");
	emit_line(e, "graph [rankdir=LR, nodesep=0.15, ranksep=0.6, fontname=\"Helvetica\", "
	    "fontsize=11];");
	emit_line(e, "node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", "
	    "fontsize=10, height=0.3, margin=\"0.12,0.04\", color=\"#64748b\", "
	    "fillcolor=\"#f1f5f9\"];");
	emit_line(e, "edge [color=\"#94a3b8\", arrowsize=0.6];");
}

static void
write_node(struct emit *e, const struct picture *p, const struct picture_node *n)
{
	const struct picture_colour *c = &p->colours[n->colour];
	struct buf hint = BUF_INIT;

	picture_hint(&hint, p, n);
	emit_line(e, "%i [label=%q, tooltip=%q, color=%q, fillcolor=%q%s%s];", n->node->id,
	    n->label, buf_str(&hint), n->critical ? picture_critical.line : c->line, c->fill,
	    n->focus ? ", penwidth=3, fontname=\"Helvetica-Bold\"" :
	    n->critical ? ", penwidth=2" : "",
	    node_is_ephemeral(n->node) ? ", style=\"rounded,filled,dashed\"" : "");
	buf_release(&hint);
}

static void
write_group(struct emit *e, const struct picture *p, uint32_t group)
{
	emit_open(e, "subgraph cluster_%u {", group);
	emit_line(e, "label=%q; style=\"rounded\"; color=\"#cbd5e1\"; fontcolor=\"#475569\";",
	    p->groups[group].name);
	for (size_t i = 0; i < p->nnodes; i++)
		if (p->nodes[i].group == group)
			write_node(e, p, &p->nodes[i]);
	emit_close(e, "}");
}

static void
write_edge(struct emit *e, const struct picture *p, const struct picture_edge *x)
{
	emit_line(e, "%i -> %i%s;", p->nodes[x->from].node->id, p->nodes[x->to].node->id,
	    x->critical && x->through ? " [color=\"#e11d48\", penwidth=2, style=dashed]" :
	    x->critical ? " [color=\"#e11d48\", penwidth=2]" :
	    x->through ? " [style=dashed]" : "");
}

static int
dot_write(const struct export_job *job, struct buf *out, struct err *err)
{
	struct picture *p = picture_new(job);
	struct emit e;

	(void)err;
	emit_init(&e, out, &emit_dot);
	write_head(&e, p);
	for (uint32_t g = 0; g < p->ngroups; g++)
		write_group(&e, p, g);
	for (size_t i = 0; i < p->nnodes; i++)
		if (p->nodes[i].group == PICTURE_NO_GROUP)
			write_node(&e, p, &p->nodes[i]);
	for (size_t i = 0; i < p->nedges; i++)
		write_edge(&e, p, &p->edges[i]);
	emit_close(&e, "}");
	picture_free(p);
	return 0;
}

const struct exporter exporter_dot = {
	.name = "dot",
	.suffix = ".dot",
	.summary = "lineage for Graphviz",
	.kinds = LINEAGE_KINDS,
	.draws = true,
	.group_by = GROUP_BY_FOLDER,
	.write = dot_write,
};

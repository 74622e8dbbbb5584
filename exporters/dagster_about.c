/* dagster_about.c -- what Dagster shows of an asset. Groups and owners: dagster-dbt 0.29
 * asset_utils.py (default_group_from_dbt_resource_props,
 * default_owners_from_dbt_resource_props). */
#include "exporters/dagster.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/folders.h"
#include "exporters/ids.h"
#include "exporters/node_docs.h"
#include "exporters/pydbt.h"
#include "graph/json.h"
#include "util/text.h"
#include "util/xalloc.h"

#define MAX_TAG 63    /* Dagster takes no longer one */

/* ---- group ---- */

static void
add_group(struct buf *b, struct dagster *d, const struct node *n)
{
	const char *configured = json_get(json_get(node_json(n, NODE_META), "dagster"), "group");

	if (d->job.group_by != GROUP_BY_NONE) {
		for (const char *c = folders_of_node(d->steps, n); *c; c++) {
			if (*c == '/')
				buf_addc(b, '_');
			buf_addc(b, *c == '/' || *c == '-' ? '_' : *c);
		}
	} else if (json_truth(configured)) {
		json_add_string(b, configured);
	} else if (n->group) {
		buf_adds(b, n->group);
	}
}

static void
write_group(struct dagster *d, const struct node *n, const char *open)
{
	struct buf b = BUF_INIT, name = BUF_INIT;

	add_group(&b, d, n);
	if (b.len && dagster_is_made_of(b.data, "_/"))
		buf_adds(&name, b.data);
	else if (b.len)
		id_add_text(&name, b.data, b.data, &id_plain);
	if (name.len)
		emit_add(&d->e, "%sgroup_name=%q", open, name.data);
	buf_release(&b);
	buf_release(&name);
}

/* ---- owners ---- */

/* As Dagster looks at it; what it does not take for one is the name of a team. */
static bool
is_email(const char *text)
{
	const char *at = strchr(text, '@'), *dot = strrchr(text, '.');
	size_t n = dot ? strlen(dot + 1) : 0;

	for (size_t i = 1; i <= n; i++)
		if (!isalpha((unsigned char)dot[i]))
			return false;
	return at && at > text && dot > at + 1 && n >= 2 && n <= 7 && !strchr(at + 1, '@') &&
		dagster_is_made_of(text, "@._%+-");
}

static void
add_owner(struct dagster *d, struct strs *owners, size_t *cap, const char *owner)
{
	if (!owner || !*owner)
		return;
	if (!text_starts(owner, "team:") && !is_email(owner))
		owner = arena_printf(&d->arena, "team:%s", owner);
	for (size_t i = 0; i < owners->n; i++)
		if (strcmp(owners->v[i], owner) == 0)
			return;
	owners->v = xgrow(owners->v, owners->n, cap, sizeof(*owners->v));
	owners->v[owners->n++] = arena_strdup(&d->arena, owner);
}

/* Those of meta.dagster; else the node's own and its group's. */
static void
write_owners(struct dagster *d, const struct node *n, const char *open)
{
	const char *configured = json_get(json_get(node_json(n, NODE_META), "dagster"), "owners");
	const struct groups *groups = d->job.groups;
	struct strs owners = { 0 };
	struct buf b = BUF_INIT;
	size_t cap = 0;

	for (const char *at = json_first(configured); at; at = json_next(at)) {
		buf_truncate(&b, 0);
		json_add_string(&b, at);
		add_owner(d, &owners, &cap, b.data);
	}
	if (owners.n == 0) {
		buf_truncate(&b, 0);
		node_docs_owner(&b, n);
		add_owner(d, &owners, &cap, b.data);
		if (n->group && groups_email(groups, n->group))
			add_owner(d, &owners, &cap, groups_email(groups, n->group));
		else if (n->group)
			add_owner(d, &owners, &cap, groups_owner(groups, n->group));
	}
	if (owners.n) {
		emit_add(&d->e, "%sowners=", open);
		pydbt_list(&d->e, owners.v, owners.n);
	}
	free(owners.v);
	buf_release(&b);
}

/* ---- the rest ---- */

static void
write_tags(struct emit *e, const struct node *n, const char *open)
{
	size_t written = 0;

	for (size_t i = 0; i < n->tags.n; i++) {
		const char *tag = n->tags.v[i];

		if (strlen(tag) > MAX_TAG || !dagster_is_made_of(tag, "_.-"))
			continue;
		if (written++)
			emit_add(e, ", %q: \"\"", tag);
		else
			emit_add(e, "%stags={%q: \"\"", open, tag);
	}
	if (written)
		emit_add(e, "}");
}

void
dagster_write_about(struct dagster *d, const struct node *n, const char *open)
{
	struct buf b = BUF_INIT;

	write_group(d, n, open);
	write_owners(d, n, open);
	write_tags(&d->e, n, open);
	if (node_docs_markdown(&b, n))
		emit_add(&d->e, "%sdescription=%q", open, b.data);
	buf_release(&b);
}

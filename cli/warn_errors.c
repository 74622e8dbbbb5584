#include "cli/warn_errors.h"

#include <stdio.h>

#include "cli/project.h"
#include "cli/warn_rules.h"
#include "util/text.h"

/* Adds `"key": [...]` of a list; extra, when not NULL, is added where it is missing. */
static void
add_events(struct buf *b, const char *key, const struct ynode *list, const char *extra)
{
	bool first = true;

	if (list && (ytree_is(list, "all") || ytree_is(list, "*"))) {
		buf_addf(b, "%s\"%s\": \"%s\"", b->len > 1 ? ", " : "", key, list->text);
		return;
	}
	if (!extra && (!list || list->type != YT_LIST || list->n == 0))
		return;
	buf_addf(b, "%s\"%s\": [", b->len > 1 ? ", " : "", key);
	for (size_t i = 0; list && list->type == YT_LIST && i < list->n; i++) {
		if (extra && ytree_is(list->items[i], extra))
			continue;
		buf_adds(b, first ? "" : ", ");
		text_add_json(b, list->items[i]->text);
		first = false;
	}
	if (extra)
		buf_addf(b, "%s\"%s\"", first ? "" : ", ", extra);
	buf_addc(b, ']');
}

static const struct ynode *
either(const struct ynode *map, const char *key, const char *old_key)
{
	const struct ynode *y = ytree_get(map, key);

	return y ? y : ytree_get(map, old_key);
}

/* dbt 1.5 to 1.7 know the old names of the keys only. */
static bool
has_new_keys(const char *dbt_version)
{
	unsigned major = 1, minor = 11;

	if (dbt_version && sscanf(dbt_version, "%u.%u", &major, &minor) != 2)
		return true;
	return major > 1 || minor >= 8;
}

char *
warn_errors_merge(const struct project *p, const char *dbt_version)
{
	struct buf b = BUF_INIT;
	const struct ynode *set = ytree_get(ytree_get(p->settings, "flags"), "warn_error_options");
	bool new_keys = has_new_keys(dbt_version);

	buf_addc(&b, '{');
	add_events(&b, new_keys ? "error" : "include", either(set, "error", "include"),
	    EMPTY_CRITERION);
	add_events(&b, new_keys ? "warn" : "exclude", either(set, "warn", "exclude"), NULL);
	add_events(&b, "silence", ytree_get(set, "silence"), NULL);
	buf_addc(&b, '}');
	return buf_detach(&b);
}

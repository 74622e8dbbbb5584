#include "cli/warn_errors.h"

#include <stdio.h>
#include <string.h>

#include "cli/project.h"
#include "cli/warn_rules.h"
#include "util/text.h"

/* Adds `"key": [...]`; extra, when not NULL, is added where it is missing. */
static void
add_events(struct buf *b, const char *key, const struct strs *names, const char *extra)
{
	bool first = true;

	if (!extra && names->n == 0)
		return;
	buf_addf(b, "%s\"%s\": [", b->len > 1 ? ", " : "", key);
	for (size_t i = 0; i < names->n; i++) {
		if (extra && strcmp(names->v[i], extra) == 0)
			continue;
		buf_adds(b, first ? "" : ", ");
		text_add_json(b, names->v[i]);
		first = false;
	}
	if (extra)
		buf_addf(b, "%s\"%s\"", first ? "" : ", ", extra);
	buf_addc(b, ']');
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
	struct arena arena = ARENA_INIT;
	struct err refused = ERR_INIT;      /* select_opts_resolve() has told it */
	struct warn_rules rules = { 0 };
	bool new_keys = has_new_keys(dbt_version);
	const char *error = new_keys ? "error" : "include";

	warn_rules_read(&rules, &arena,
	    ytree_get(ytree_get(p->settings, "flags"), "warn_error_options"), &refused);
	buf_addc(&b, '{');
	if (rules.all)
		buf_addf(&b, "\"%s\": \"%s\"", error, rules.all);
	else
		add_events(&b, error, &rules.error, EMPTY_CRITERION);
	add_events(&b, new_keys ? "warn" : "exclude", &rules.warn, NULL);
	add_events(&b, "silence", &rules.silence, NULL);
	buf_addc(&b, '}');
	err_release(&refused);
	arena_release(&arena);
	return buf_detach(&b);
}

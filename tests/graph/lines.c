#include "tests/check.h"

#include "graph/manifest.h"
#include "graph/selector_eval.h"
#include "tests/graph/lines.h"
#include "util/arena.h"
#include "util/buf.h"
#include "util/text.h"

#define MAX_LINES 128

static struct buf json;
static struct buf unmatched_words;

/* ---- projects ---- */

static void
add_strings(const char *key, const char *const *v, size_t n)
{
	buf_addf(&json, ", \"%s\": [", key);
	for (size_t i = 0; i < n; i++)
		buf_addf(&json, "%s\"%s\"", i == 0 ? "" : ", ", v[i]);
	buf_adds(&json, "]");
}

const char *
id_of(const struct line *l)
{
	static char ids[80][128];
	static size_t next;
	char *id = ids[next++ % 80];

	snprintf(id, sizeof(ids[0]), "%.31s.shop.%s%.63s", l->kind,
	    strcmp(l->kind, "source") ? "" : "raw.", l->name);
	return id;
}

static const struct line *
line_named(const struct line *lines, size_t nlines, const char *name)
{
	for (size_t i = 0; i < nlines; i++)
		if (strcmp(lines[i].name, name) == 0)
			return &lines[i];
	fail_msg("no line named '%s'", name);
	return NULL;
}

static void
add_node(const struct line *lines, size_t nlines, const struct line *l)
{
	const char *ids[64], *fqn[3] = { "shop", NULL, NULL };
	size_t nfqn = 1, folder = strcspn(l->name, "_");
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)folder, l->name);
	if (l->name[folder])
		fqn[nfqn++] = name;
	fqn[nfqn++] = l->name;
	buf_addf(&json,
	    "\"%s\": {\"unique_id\": \"%s\", \"resource_type\": \"%s\", \"name\": \"%s\", "
	    "\"package_name\": \"shop\", \"source_name\": \"raw\", \"original_file_path\": "
	    "\"models/%s/%s.sql\", "
	    "\"config\": {\"enabled\": true", id_of(l), id_of(l), l->kind, l->name, name, l->name);
	add_strings("tags", l->tags, l->ntags);
	buf_adds(&json, "}");
	add_strings("fqn", fqn, nfqn);
	add_strings("tags", l->tags, l->ntags);
	for (size_t i = 0; i < l->nparents; i++)
		ids[i] = id_of(line_named(lines, nlines, l->parents[i]));
	buf_adds(&json, ", \"depends_on\": {\"macros\": []");
	add_strings("nodes", ids, l->nparents);
	buf_adds(&json, "}}");
}

static void
add_section(const struct line *lines, size_t nlines, const char *section, const char *kinds)
{
	bool first = true;

	buf_addf(&json, ", \"%s\": {", section);
	for (size_t i = 0; i < nlines; i++) {
		char kind[40];

		snprintf(kind, sizeof(kind), "|%.36s|", lines[i].kind);
		if (!strstr(kinds, kind))
			continue;
		buf_adds(&json, first ? "" : ", ");
		add_node(lines, nlines, &lines[i]);
		first = false;
	}
	buf_adds(&json, "}");
}

struct graph *
load_lines(const struct line *lines, size_t nlines)
{
	struct graph *g = graph_new();
	struct err err = ERR_INIT;

	buf_truncate(&json, 0);
	buf_adds(&json, "{\"metadata\": {\"dbt_schema_version\": "
	    "\"https://schemas.getdbt.com/dbt/manifest/v12.json\", \"project_name\": \"shop\"}");
	add_section(lines, nlines, "nodes", "|model|seed|snapshot|test|");
	add_section(lines, nlines, "sources", "|source|");
	add_section(lines, nlines, "unit_tests", "|unit_test|");
	add_section(lines, nlines, "exposures", "|exposure|");
	buf_adds(&json, "}");
	if (manifest_parse(g, "test", json.data, json.len, GRAPH_CONFIG | GRAPH_PATHS, NULL,
	    &err) < 0)
		fail_msg("%s\n%s", err.msg, json.data);
	return g;
}

struct graph *
project(const char *text)
{
	static struct line lines[MAX_LINES];
	static char copy[4096];
	char *save_line = NULL, *save = NULL;
	size_t nlines = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *l = strtok_r(copy, "\n", &save_line); l; l = strtok_r(NULL, "\n", &save_line)) {
		struct line *n = &lines[nlines];
		bool parents = false;

		memset(n, 0, sizeof(*n));
		snprintf(n->kind, sizeof(n->kind), "%s", strtok_r(l, " ", &save));
		snprintf(n->name, sizeof(n->name), "%s", strtok_r(NULL, " ", &save));
		for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			if (*w == '<')
				parents = true;
			else if (parents)
				n->parents[n->nparents++] = w;
			else
				n->tags[n->ntags++] = w + 1;
		}
		nlines++;
	}
	return load_lines(lines, nlines);
}

/* ---- asking ---- */

static void
note_unmatched(void *self, const char *word)
{
	(void)self;
	buf_addf(&unmatched_words, "[%s]", word);
}

int
evaluate(const struct graph *g, const char *select, const char *exclude, enum selector_mode mode,
    struct set *out, struct err *err)
{
	struct selector_env env = { .graph = g, .unmatched = note_unmatched };
	struct strs s = { &select, 1 }, x = { &exclude, 1 };
	struct arena arena = ARENA_INIT;
	const struct selector *tree = selector_of_words(&arena, select ? &s : NULL,
	    exclude ? &x : NULL, mode, err);
	int rc = -1;

	buf_truncate(&unmatched_words, 0);
	set_init(out, 0);
	if (tree) {
		set_release(out);
		rc = selector_eval(tree, &env, out, err);
	}
	arena_release(&arena);
	return rc;
}

const char *
unmatched(void)
{
	return buf_str(&unmatched_words);
}

int
lines_release(void **state)
{
	(void)state;
	buf_release(&json);
	buf_release(&unmatched_words);
	return 0;
}

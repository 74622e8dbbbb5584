/*
 * Any bytes as a word of --select, answered over a small fixed project in every mode: the modes
 * nest (empty in cautious in buildable in eager), a union holds its parts, and a criterion written
 * out again from its tree means the same.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "graph/manifest.h"
#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "graph/selector_methods.h"
#include "util/buf.h"

#define NODE(id, kind, name, fqn, parents) \
	"\"" id "\": {\"unique_id\": \"" id "\", \"resource_type\": \"" kind "\", " \
	"\"name\": \"" name "\", " \
	"\"package_name\": \"p\", \"fqn\": [\"p\", " fqn "], " \
	"\"original_file_path\": \"models/a/" name ".sql\", " \
	"\"source_name\": \"s\", \"tags\": [\"t\", \"" name "\"], " \
	"\"depends_on\": {\"nodes\": [" parents "]}, " \
	"\"config\": {\"enabled\": true, \"meta\": {\"k\": [1, true, \"v\"]}}}"

static const char manifest[] =
    "{\"metadata\": {\"dbt_schema_version\": \"https://schemas.getdbt.com/dbt/manifest/v12.json\","
    " \"project_name\": \"p\"}, \"nodes\": {"
    NODE("seed.p.x", "seed", "x", "\"x\"", "") ", "
    NODE("model.p.a", "model", "a", "\"a\", \"a\"", "\"source.p.s.r\", \"seed.p.x\"") ", "
    NODE("model.p.b", "model", "b", "\"a\", \"b\"", "\"model.p.a\"") ", "
    NODE("model.p.c.d", "model", "c.d", "\"..\", \"c.d\"", "\"model.p.a\", \"seed.p.x\"") ", "
    NODE("test.p.t1", "test", "t1", "\"t1\"", "\"model.p.a\", \"model.p.b\"") ", "
    NODE("test.p.t2", "test", "t2", "\"t2\"", "\"model.p.b\", \"source.p.s.r\"") ", "
    NODE("test.p.t3", "test", "t3", "\"t3\"", "\"model.p.b\", \"model.p.c.d\"")
    "}, \"sources\": {" NODE("source.p.s.r", "source", "r", "\"s\", \"r\"", "")
    "}, \"unit_tests\": {" NODE("unit_test.p.b.u", "unit_test", "u", "\"b\", \"u\"",
    "\"model.p.b\"")
    "}, \"exposures\": {" NODE("exposure.p.e", "exposure", "e", "\"e\"", "\"model.p.c.d\"") "}}";

static const struct graph *
project(void)
{
	static struct graph *g;
	struct err err = ERR_INIT;

	if (!g) {
		g = graph_new();
		MUST(manifest_parse(g, "fuzz", manifest, sizeof(manifest) - 1,
		    GRAPH_CONFIG | GRAPH_PATHS, NULL, &err) == 0);
	}
	return g;
}

/* 0 with `out` to release, or -1 and nothing. */
static int
answer(const char *word, enum selector_mode mode, struct set *out)
{
	struct selector_env env = { .graph = project() };
	struct strs words = { &word, 1 };
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	const struct selector *s = selector_parse_words(&arena, &words, true, mode, &err);
	int rc = -1;

	MUST((s == NULL) == (err.msg != NULL));
	if (s) {
		rc = selector_eval(s, &env, out, &err);
		MUST((rc < 0) == (err.msg != NULL));
		if (rc < 0)
			set_release(out);
	}
	err_release(&err);
	arena_release(&arena);
	return rc;
}

static bool
is_within(const struct set *a, const struct set *b)
{
	struct set rest;
	bool empty;

	set_copy(&rest, a);
	set_subtract(&rest, b);
	empty = set_is_empty(&rest);
	set_release(&rest);
	return empty;
}

static void
check_modes(const char *word)
{
	static const enum selector_mode order[] = { MODE_EMPTY, MODE_CAUTIOUS, MODE_BUILDABLE,
	    MODE_EAGER };
	struct set found[4];
	char *twice;

	for (int i = 0; i < 4; i++) {
		if (answer(word, order[i], &found[i]) < 0) {
			MUST(i == 0);
			return;
		}
		MUST(i == 0 || is_within(&found[i - 1], &found[i]));
	}
	twice = malloc(2 * strlen(word) + 32);
	sprintf(twice, "%s resource_type:seed", word);
	set_release(&found[0]);
	MUST(answer(twice, MODE_EAGER, &found[0]) == 0);
	MUST(is_within(&found[3], &found[0]));
	free(twice);
	for (int i = 0; i < 4; i++)
		set_release(&found[i]);
}

static void
write_out(const struct selector *s, struct buf *b)
{
	buf_adds(b, s->at ? "@" : "");
	if (s->up && s->up_depth != DEPTH_ALL)
		buf_addf(b, "%zu", s->up_depth);
	buf_addf(b, "%s%s", s->up ? "+" : "", s->method->name);
	for (size_t i = 0; i < s->words.n; i++)
		buf_addf(b, ".%s", s->words.v[i]);
	buf_addf(b, ":%s%s", s->value.text, s->down ? "+" : "");
	if (s->down && s->down_depth != DEPTH_ALL)
		buf_addf(b, "%zu", s->down_depth);
}

static void
check_text(const char *text)
{
	struct buf once = BUF_INIT, again = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	const struct selector *s = selector_parse(&arena, text, MODE_EAGER, &err);

	if (s) {
		write_out(s, &once);
		s = selector_parse(&arena, once.data, MODE_EAGER, &err);
		MUST(s);
		write_out(s, &again);
		MUST(strcmp(once.data, again.data) == 0);
	}
	buf_release(&once);
	buf_release(&again);
	err_release(&err);
	arena_release(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = '\0';
	check_text(text);
	check_modes(text);
	free(text);
	return 0;
}

/*
 * Any bytes as selectors.yml: either a fault that names the file, or trees that are whole, can be
 * found by name and come out the same from a second reading.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "graph/selector_yaml.h"
#include "util/buf.h"

static void
check_criterion(const struct selector *s, struct buf *shape)
{
	MUST(s->method);
	MUST(s->value.text);
	MUST(!(s->at && s->down));
	MUST(s->value.type <= VALUE_OTHER);
	for (size_t i = 0; i < s->words.n; i++)
		MUST(s->words.v[i]);
	buf_addf(shape, "%d%d%d %zu %zu %s;", s->at, s->up, s->down, s->up_depth, s->down_depth,
		s->value.text);
}

static void
check_tree(const struct selector *s, struct buf *shape)
{
	MUST(s);
	MUST(s->mode < NSELECTOR_MODES);
	if (s->op == SELECTOR_CRITERION) {
		check_criterion(s, shape);
		return;
	}
	MUST(s->op != SELECTOR_DIFFERENCE || s->nparts == 2);
	buf_addf(shape, "%d(", s->op);
	/* inheritance shares trees: what is written once may stand there many times */
	for (size_t i = 0; i < s->nparts && shape->len < 100000; i++)
		check_tree(s->parts[i], shape);
	buf_addc(shape, ')');
}

static int
read_once(const uint8_t *data, size_t len, struct buf *shape)
{
	struct selector_file f;
	struct arena a = ARENA_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;
	int rc = selector_file_parse(&f, &a, "selectors.yml", (const char *)data, len,
	    MODE_CAUTIOUS, &e);

	MUST((rc < 0) == (e.msg != NULL));
	MUST(rc == 0 || strncmp(e.msg, "selectors.yml:", 14) == 0);
	for (size_t i = 0; rc == 0 && i < f.nentries; i++) {
		MUST(selector_file_get(&f, f.entries[i].name, &ignored));
		check_tree(f.entries[i].tree, shape);
	}
	buf_adds(shape, e.msg ? e.msg : "");
	err_release(&e);
	err_release(&ignored);
	arena_release(&a);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	int rc = read_once(data, len, &first);

	MUST(read_once(data, len, &second) == rc);
	MUST(strcmp(buf_str(&first), buf_str(&second)) == 0);
	buf_release(&first);
	buf_release(&second);
	return 0;
}

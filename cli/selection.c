#include "cli/selection.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph/manifest.h"
#include "graph/selector.h"
#include "graph/selector_eval.h"
#include "graph/selector_yaml.h"
#include "graph/state.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/text.h"
#include "util/xalloc.h"

static int
unknown_type(const char *option, const char *word, bool and_all, struct err *err)
{
	const char *names[NKINDS + 2], *near;
	struct buf all = BUF_INIT;
	size_t n = 0;

	for (int i = 0; i < NKINDS; i++)
		if (i != KIND_OPERATION)
			names[n++] = kind_name((enum node_kind)i);
	if (and_all) {
		names[n++] = "all";
		names[n++] = "default";
	}
	near = text_closest(word, names, n);
	err_set(err, "--%s: '%s' is not a resource type", option, word);
	for (size_t i = 0; i < n; i++)
		buf_addf(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
	if (near)
		err_hint(err, "did you mean '%s'?", near);
	else
		err_hint(err, "one of %s", buf_str(&all));
	buf_release(&all);
	return -1;
}

/* Adds the kinds that the words, split on blanks, name. */
static int
read_types(const struct selection_request *rq, bool exclude, unsigned *kinds, struct err *err)
{
	const struct strs *words = exclude ? &rq->exclude_resource_types : &rq->resource_types;
	const char *option = exclude ? "exclude-resource-type" : "resource-type";

	for (size_t i = 0; i < words->n; i++) {
		for (const char *s = words->v[i];; s++) {
			size_t n = strcspn(s, " ");
			int kind = kind_find(s, n);

			if (kind >= 0 && kind != KIND_OPERATION) {
				*kinds |= KIND_BIT(kind);
			} else if (!exclude && n == 3 && memcmp(s, "all", n) == 0) {
				*kinds |= rq->all_kinds;
			} else if (!exclude && n == 7 && memcmp(s, "default", n) == 0) {
				*kinds |= rq->kinds;
			} else {
				char *word = xstrndup(s, n);

				unknown_type(option, word, !exclude, err);
				free(word);
				return -1;
			}
			s += n;
			if (!*s)
				break;
		}
	}
	return 0;
}

static int
read_kinds(const struct selection_request *rq, unsigned *kinds, struct err *err)
{
	unsigned without = 0;

	*kinds = 0;
	if (read_types(rq, false, kinds, err) < 0 || read_types(rq, true, &without, err) < 0)
		return -1;
	if (rq->resource_types.n == 0)
		*kinds = rq->kinds;
	*kinds = rq->models_only ? KIND_BIT(KIND_MODEL) : *kinds & ~without;
	return 0;
}

static int
read_mode(const struct selection_request *rq, enum selector_mode *mode, struct err *err)
{
	const char *given = rq->indirect_selection ? rq->indirect_selection : "eager", *near;
	const char *names[NSELECTOR_MODES];

	for (int i = 0; i < NSELECTOR_MODES; i++) {
		names[i] = selector_mode_name((enum selector_mode)i);
		if (strcasecmp(names[i], given) == 0) {
			*mode = (enum selector_mode)i;
			return 0;
		}
	}
	near = text_closest(given, names, NSELECTOR_MODES);
	err_set(err, "--indirect-selection: '%s' is not a mode", given);
	if (near)
		return err_hint(err, "did you mean '%s'?", near);
	return err_hint(err, "one of eager, cautious, buildable, empty");
}

/* dbt's order: --selector, else the default selector when nothing is chosen, else the words. */
static const struct selector *
read_tree(const struct selection_request *rq, struct arena *a, struct err *err)
{
	struct selector_file file = { NULL, 0 };
	const struct selector_entry *byself;
	enum selector_mode mode = MODE_EAGER;

	if (read_mode(rq, &mode, err) < 0)
		return NULL;
	if (rq->selectors_file && selector_file_load(&file, a, rq->selectors_file, mode, err) < 0)
		return NULL;
	if (rq->selector && !rq->selectors_file) {
		err_set(err, "selector '%s': the project has no selectors.yml", rq->selector);
		err_hint(err, "name the file with --selectors-file FILE");
		return NULL;
	}
	if (rq->selector)
		return selector_file_get(&file, rq->selector, err);
	byself = selector_file_default(&file);
	if (byself && rq->select.n == 0 && rq->exclude.n == 0) {
		if (rq->by_default)
			*rq->by_default = true;
		return byself->tree;
	}
	return selector_of_words(a, rq->select.n > 0 ? &rq->select : NULL, &rq->exclude, mode, err);
}

struct telling {
	const struct selection_request *rq;
	struct err *err;
	bool failed;                /* a warning was an error: err says which */
};

static void
warn_unmatched(void *self, const char *word)
{
	struct telling *t = self;

	if (!t->failed && warn_rules_tell(&t->rq->warnings, EMPTY_CRITERION, t->rq->quiet, t->err,
	    "The selection criterion '%s' does not match any enabled nodes", word) < 0)
		t->failed = true;
}

static int
tell_state_warnings(const struct selection_request *rq, const struct state *s, struct err *err)
{
	size_t n;
	const struct state_warning *v = state_warnings(s, &n);

	for (size_t i = 0; i < n; i++)
		if (warn_rules_tell(&rq->warnings, v[i].event, rq->quiet, err, "%s", v[i].text) < 0)
			return -1;
	return 0;
}

static int
load(const struct selection_request *rq, const char *manifest, unsigned fields, struct graph *g,
    struct err *err)
{
	char *warning = NULL;
	int rc = manifest_load(g, manifest, fields, &warning, err);

	if (warning && !rq->quiet)
		log_warn("%s", warning);
	free(warning);
	return rc;
}

static void
keep_kinds(const struct graph *g, unsigned kinds, struct set *s)
{
	for (size_t i = set_next(s, 0); i < g->nnodes; i = set_next(s, i + 1))
		if (!(KIND_BIT(g->nodes[i].kind) & kinds))
			set_del(s, i);
}

int
selection_resolve(const struct selection_request *rq, const char *manifest, unsigned fields,
    struct graph *g, struct set *out, struct err *err)
{
	struct telling telling = { rq, err, false };
	struct selector_env env = { .graph = g, .unmatched = warn_unmatched, .self = &telling };
	struct arena arena = ARENA_INIT;
	const struct selector *tree;
	unsigned kinds;
	int rc = -1;

	set_init(out, 0);
	if (read_kinds(rq, &kinds, err) < 0 || !(tree = read_tree(rq, &arena, err)) ||
	    load(rq, manifest, fields | selector_fields(tree), g, err) < 0)
		goto out;
	set_release(out);
	env.state = state_new(rq->state, rq->target, rq->as_written);
	if (selector_eval(tree, &env, out, err) == 0 && !telling.failed)
		rc = tell_state_warnings(rq, env.state, err);
	keep_kinds(g, kinds, out);
out:
	state_free(env.state);
	arena_release(&arena);
	return rc;
}

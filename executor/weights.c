#include "executor/weights.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "executor/runner.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/map.h"
#include "util/xalloc.h"

#define MIN_SECONDS 0.001    /* a weight of 0 would make chains look free */

/* One past time, labelled with what it is a sample of. */
struct sample {
	enum node_kind kind;
	const char *materialized;    /* "" when the node has none */
	double seconds;
};

static const char *
materialized_of(const struct node *n)
{
	return n->materialized ? n->materialized : "";
}

static int
by_seconds(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Median of the samples that are of n's kind (and materialization, when exact), or -1. */
static double
median(const struct sample *v, size_t nsamples, const struct node *n, bool exact)
{
	double *hits = xcalloc(nsamples, sizeof(*hits)), m = -1;
	size_t nhits = 0;

	for (size_t i = 0; i < nsamples; i++)
		if (v[i].kind == n->kind &&
		    (!exact || strcmp(v[i].materialized, materialized_of(n)) == 0))
			hits[nhits++] = v[i].seconds;
	if (nhits) {
		qsort(hits, nhits, sizeof(*hits), by_seconds);
		m = hits[nhits / 2];
	}
	free(hits);
	return m;
}

/* Tasks of one class share a median: computed once per class, in plan order. */
static void
fill_unknown(struct plan *p, const bool *known, const struct sample *v, size_t nsamples)
{
	struct sample *memo = NULL;    /* one a class */
	size_t nmemo = 0, cap = 0;

	for (size_t i = 0; i < p->ntasks; i++) {
		const struct node *n = p->tasks[i].node;
		size_t k = 0;

		if (known[i])
			continue;
		while (k < nmemo && (memo[k].kind != n->kind ||
		    strcmp(memo[k].materialized, materialized_of(n)) != 0))
			k++;
		if (k == nmemo) {
			double m = median(v, nsamples, n, true);

			if (m < 0)
				m = median(v, nsamples, n, false);
			memo = xgrow(memo, nmemo, &cap, sizeof(*memo));
			memo[nmemo++] = (struct sample){ n->kind, materialized_of(n), m < 0 ?
			    1.0 : m };
		}
		p->tasks[i].seconds = memo[k].seconds;
	}
	free(memo);
}

static double
sample_of(const cJSON *entry)
{
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(entry, "status");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(entry, "execution_time");
	int s = cJSON_IsString(status) ? result_status_find(status->valuestring) : -1;

	if (s < 0 || !cJSON_IsNumber(time) || time->valuedouble < 0)
		return -1;
	/* Also a failed assertion or a warning took its usual time; an error or a skip did not. */
	if (!result_status_good((enum result_status)s) && s != RESULT_FAIL)
		return -1;
	return time->valuedouble;
}

/* What becomes known of the tasks' times. */
struct known {
	bool *task;            /* by task index: it has a time of its own */
	struct sample *v;
	size_t n;
};

static void
learn(struct known *k, struct plan *p, size_t task, double seconds)
{
	const struct node *n = p->tasks[task].node;

	if (seconds < MIN_SECONDS)
		seconds = MIN_SECONDS;
	k->task[task] = true;
	p->tasks[task].seconds = seconds;
	k->v[k->n++] = (struct sample){ n->kind, materialized_of(n), seconds };
}

static void
learn_results(struct known *k, struct plan *p, const cJSON *results)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, results) {
		const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "unique_id");
		const cJSON *status = cJSON_GetObjectItemCaseSensitive(entry, "status");
		const struct node *node = cJSON_IsString(id) ? graph_find(p->graph,
		    id->valuestring) : NULL;
		const struct task *t = node ? plan_find(p, node) : NULL;
		int s = cJSON_IsString(status) ? result_status_find(status->valuestring) : -1;
		double seconds = sample_of(entry);

		if (!t || s < 0)
			continue;
		p->tasks[t->index].last_status = result_status_name((enum result_status)s);
		if (seconds >= 0 && !k->task[t->index])
			learn(k, p, t->index, seconds);
	}
}

size_t
weights_fill(struct plan *p, const char *run_results_path, const double *usual)
{
	struct known k = { xcalloc(p->ntasks + 1, sizeof(*k.task)), xcalloc(p->ntasks + 1,
	    sizeof(*k.v)), 0 };
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	cJSON *doc = NULL;

	for (size_t i = 0; usual && i < p->ntasks; i++)
		if (usual[i] >= 0)
			learn(&k, p, i, usual[i]);
	/* A file that is absent or broken costs the order its hints, nothing else. */
	if (fs_read(run_results_path, &b, &err) == 0)
		doc = cJSON_ParseWithLength(buf_str(&b), b.len);
	if (doc)
		learn_results(&k, p, cJSON_GetObjectItemCaseSensitive(doc, "results"));
	if (k.n)
		fill_unknown(p, k.task, k.v, k.n);
	plan_weigh(p);
	cJSON_Delete(doc);
	buf_release(&b);
	err_release(&err);
	free(k.task);
	free(k.v);
	return k.n;
}

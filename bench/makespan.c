/* How long runs take beside what is possible: max(critical path, work / threads).
 *
 *   build/bench/makespan [MANIFEST]
 *
 * The real scheduler decides; the pool is simulated (tests/executor/sim_pool.c), so hours take
 * milliseconds and the figures are the same on every machine. Seeds are fixed. Orders: `path` is
 * heddle's, `fifo` starts what was ready first, `dbt` what is nearest to the root (its GraphQueue).
 * Exit 1 when a figure of docs/design.md (Figures) is missed.
 *
 *   layered  layers three times as wide as the threads, log-normal times, one to three parents
 *   chain    one long chain beside independent models; both would fill the time alone
 *   project  a tree of models with tests on each, some of them long, a few long leaves
 *   random   random graphs of all shapes
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor/schedule.h"
#include "graph/manifest.h"
#include "graph/set.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/xalloc.h"

static uint64_t seed;

static double
unit(void)
{
	uint64_t x = seed += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (double)((x ^ (x >> 31)) >> 11) / (double)(1ull << 53);
}

static size_t
below(size_t n)
{
	return (size_t)(unit() * (double)n);
}

/* Log-normal around a median; the longest 1 % take ten times as long. */
static double
around(double median)
{
	return median * exp(sqrt(-2 * log(1 - unit())) * cos(6.283185307179586 * unit()));
}

/* ---- families: a graph, and the real seconds of each node by its name ---- */

struct family {
	struct buf text;
	double *seconds;      /* by number in the name: m17 */
	size_t n, cap;
};

static void
add(struct family *f, const char *kind, double seconds)
{
	f->seconds = xgrow(f->seconds, f->n, &f->cap, sizeof(*f->seconds));
	f->seconds[f->n] = seconds;
	buf_addf(&f->text, "\n%s m%zu:", kind, f->n++);
}

static void
after(struct family *f, size_t parent)
{
	buf_addf(&f->text, " m%zu", parent);
}

static void
layered(struct family *f, unsigned nthreads)
{
	size_t width = 3 * nthreads;

	for (size_t layer = 0; layer < 40; layer++)
		for (size_t i = 0; i < width; i++) {
			size_t first = layer * width, n = 1 + below(3);

			add(f, "model", around(10));
			for (size_t k = 0; layer > 0 && k < n; k++)
				after(f, first - width + below(width));
		}
}

static void
chain(struct family *f, unsigned nthreads)
{
	double left = 600.0 * 0.95 * (nthreads - 1);

	while (left > 0) {
		add(f, "model", around(4));
		left -= f->seconds[f->n - 1];
	}
	for (size_t i = 0; i < 30; i++) {
		add(f, "model", 20);
		if (i > 0)
			after(f, f->n - 2);
	}
}

static void
project(struct family *f, unsigned nthreads)
{
	size_t models[512], n = 0, want = 40 * nthreads < 512 ? 40 * nthreads : 512;

	while (n < want) {
		size_t ntests = below(4), nparents = 1 + below(2);

		add(f, "model", around(10));
		for (size_t k = 0; n > 0 && k < nparents; k++)
			after(f, models[n - 1 - below(n < 60 ? n : 60)]);
		models[n++] = f->n - 1;
		for (size_t k = 0; k < ntests; k++) {
			add(f, "test", around(below(20) ? 2 : 40));
			after(f, models[n - 1]);
			if (n > 1 && below(5) == 0)
				after(f, models[below(n - 1)]);
		}
	}
}

static void
random_graph(struct family *f, unsigned nthreads)
{
	size_t n = nthreads * (4 + below(40)), near = 1 + below(n), most = below(4);
	double tests = unit();

	for (size_t i = 0; i < n; i++) {
		bool leaf = i > 0 && unit() < tests * 0.6;

		/* Even numbers are models: only those have children. */
		add(f, "model", around(5));
		for (size_t k = 0; i > 0 && k < most; k++)
			if (below(3))
				after(f, 2 * (i - 1 - below(i < near ? i : near)));
		add(f, leaf ? "test" : "blank", around(below(10) ? 2 : 60));
		after(f, 2 * below(i + 1));
	}
}

/* ---- one run ---- */

struct bench {
	const struct plan *plan;
	const double *real;      /* by task */
};

static void
run(void *self, const struct job *job, struct result *r)
{
	const struct bench *b = self;

	r->status = job->kind == KIND_TEST ? RESULT_PASS : RESULT_SUCCESS;
	r->took_ms = (int64_t)(b->real[job->task] * 1000);
}

static void
cancel(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

enum order { BY_PATH, BY_FIFO, BY_DBT, NORDERS };

static double
wall_seconds(struct plan *p, const double *real, unsigned nthreads, enum order order)
{
	struct bench b = { p, real };
	struct runner runner = { &b, run, cancel };
	struct schedule_options o = { .runner = &runner, .nthreads = nthreads, .signal_fd = -1,
		.order = order == BY_PATH ? ORDER_PATH : ORDER_FIFO };
	struct schedule_summary sum;
	struct err err = ERR_INIT;
	struct schedule *s;

	for (size_t i = 0; i < p->ntasks; i++)
		p->tasks[i].policy.priority = order == BY_DBT ? -(int)p->tasks[i].wave : 0;
	s = schedule_new(p, &o);
	if (schedule_run(s, &sum, &err) < 0)
		abort();
	schedule_free(s);
	return (double)sum.wall_ms / 1000;
}

struct figures {
	double ratio[NORDERS];   /* to the lower bound */
	double off;              /* by path, with weights 30 % off */
	double planned;          /* what plan_makespan() says for `path` */
};

/* real: seconds by task. */
static struct figures
measure(struct plan *p, const double *real, unsigned nthreads)
{
	struct figures f;
	double bound;

	for (size_t i = 0; i < p->ntasks; i++)
		p->tasks[i].seconds = real[i];
	plan_weigh(p);
	bound = p->work / nthreads > p->critical_path ? p->work / nthreads : p->critical_path;
	for (int k = 0; k < NORDERS; k++)
		f.ratio[k] = wall_seconds(p, real, nthreads, (enum order)k) / bound;
	for (size_t i = 0; i < p->ntasks; i++)
		p->tasks[i].policy.priority = 0;
	f.planned = plan_makespan(p, nthreads) / bound;
	for (size_t i = 0; i < p->ntasks; i++)
		p->tasks[i].seconds *= 0.7 + 0.6 * unit();
	plan_weigh(p);
	f.off = wall_seconds(p, real, nthreads, BY_PATH) / bound;
	return f;
}

static struct figures
measure_family(void (*make)(struct family *, unsigned), unsigned nthreads)
{
	struct family f = { .n = 0 };
	struct graph *g;
	struct plan *p;
	struct figures figures;
	double *real;

	make(&f, nthreads);
	g = tiny_graph(f.text.data);
	p = tiny_plan(g, PLAN_BUILD, NULL);
	real = xcalloc(p->ntasks + 1, sizeof(*real));
	for (size_t i = 0; i < p->ntasks; i++)
		real[i] = f.seconds[strtoul(p->tasks[i].node->name + 1, NULL, 10)];
	figures = measure(p, real, nthreads);
	free(real);
	free(f.seconds);
	buf_release(&f.text);
	plan_free(p);
	graph_free(g);
	return figures;
}

/* ---- the table ---- */

static int missed;

static void
demand(bool good, const char *what, double figure)
{
	if (good)
		return;
	printf("MISSED: %s: %.3f\n", what, figure);
	missed++;
}

static void
row(const char *name, unsigned nthreads, const struct figures *f)
{
	printf("%-10s %7u %8.3f %8.3f %8.3f %8.3f %8.3f\n", name, nthreads, f->ratio[BY_PATH],
	    f->off, f->ratio[BY_FIFO], f->ratio[BY_DBT], f->planned);
	demand(f->ratio[BY_PATH] <= 1.05 * f->ratio[BY_FIFO], "path against fifo",
	    f->ratio[BY_PATH] / f->ratio[BY_FIFO]);
}

static void
fixed_families(void)
{
	static const unsigned threads[] = { 4, 8, 16 };

	for (size_t i = 0; i < 3; i++) {
		struct figures f;

		seed = 1;
		f = measure_family(layered, threads[i]);
		row("layered", threads[i], &f);
		demand(f.ratio[BY_PATH] <= 1.02, "layered", f.ratio[BY_PATH]);
		demand(f.off <= 1.05, "layered, weights 30 % off", f.off);
		seed = 2;
		f = measure_family(chain, threads[i]);
		row("chain", threads[i], &f);
		demand(f.ratio[BY_PATH] <= 1.02, "chain", f.ratio[BY_PATH]);
		demand(f.off <= 1.05, "chain, weights 30 % off", f.off);
		demand(f.ratio[BY_FIFO] > 1.2, "chain in fifo order, too good to tell",
		    f.ratio[BY_FIFO]);
		seed = 3;
		f = measure_family(project, threads[i]);
		row("project", threads[i], &f);
	}
}

static void
many_random_graphs(void)
{
	double worst = 0, worst_off = 0, gain = 0;
	size_t n = 1000;

	for (size_t i = 0; i < n; i++) {
		struct figures f;
		double to_fifo;

		seed = 100 + i;
		f = measure_family(random_graph, 2 + (unsigned)i % 15);
		to_fifo = f.ratio[BY_PATH] / f.ratio[BY_FIFO];
		gain += to_fifo / (double)n;
		if (to_fifo > worst)
			worst = to_fifo;
		if (f.off / f.ratio[BY_FIFO] > worst_off)
			worst_off = f.off / f.ratio[BY_FIFO];
	}
	printf("random: %zu graphs, path / fifo: mean %.3f, worst %.3f, worst with weights 30 %% "
	    "off %.3f\n", n, gain, worst, worst_off);
	demand(worst <= 1.05, "a random graph, path against fifo", worst);
	demand(worst_off <= 1.05, "a random graph, path against fifo, weights 30 % off", worst_off);
}

static int
of_manifest(const char *path)
{
	struct graph *g = graph_new();
	struct err err = ERR_INIT;
	struct set all;
	struct plan *p;
	double *real;
	char *warning = NULL;

	if (manifest_load(g, path, 0, &warning, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	free(warning);
	set_init(&all, g->nnodes);
	set_fill(&all);
	p = plan_new(g, &all, PLAN_BUILD, &err);
	real = xcalloc(p->ntasks + 1, sizeof(*real));
	seed = 4;
	for (size_t i = 0; i < p->ntasks; i++)
		real[i] = around(p->tasks[i].node->kind == KIND_TEST ? 1 : 8);
	for (unsigned nthreads = 4; nthreads <= 64; nthreads *= 2) {
		struct figures f = measure(p, real, nthreads);

		row("manifest", nthreads, &f);
	}
	free(real);
	plan_free(p);
	set_release(&all);
	graph_free(g);
	return 0;
}

int
main(int argc, char **argv)
{
	int rc = 0;

	printf("wall time / max(critical path, work / threads)\n");
	printf("%-10s %7s %8s %8s %8s %8s %8s\n", "family", "threads", "path", "30%off", "fifo",
	    "dbt", "planned");
	fixed_families();
	many_random_graphs();
	if (argc > 1)
		rc = of_manifest(argv[1]);
	return rc ? rc : missed > 0;
}

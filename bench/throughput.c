/* What the scheduler costs a task: real pool threads, journal on, one line a task on a file.
 *
 *   build/bench/throughput [TASKS [THREADS]]            20000 8
 *   build/bench/throughput --alone [TASKS [THREADS]]    1000000 8
 *
 * Every task succeeds at once with an entry as long as dbt's, so all the time is ours. Prints wall
 * and CPU (user + system, all threads) in microseconds a task, first with the scheduler alone, then
 * with journal and lines, then with the history too; the best and the median of 5 runs. Exit 1 when
 * the last median is above the 50 microseconds of docs/design.md (Figures).
 * --alone: one run of the scheduler alone, with the memory of each part.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "executor/history.h"
#include "executor/journal.h"
#include "executor/progress.h"
#include "executor/schedule.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/xalloc.h"

#define ROUNDS 5

static const char entry[] =
    "{\"status\": \"success\", \"timing\": [{\"name\": \"compile\", \"started_at\": "
    "\"2026-01-31T09:30:00.123456Z\", \"completed_at\": \"2026-01-31T09:30:00.133456Z\"}, "
    "{\"name\": \"execute\", \"started_at\": \"2026-01-31T09:30:00.133456Z\", \"completed_at\": "
    "\"2026-01-31T09:30:00.233456Z\"}], \"thread_id\": \"Thread-1\", \"execution_time\": 0.11, "
    "\"adapter_response\": {\"_message\": \"OK\"}, \"message\": \"OK\", \"failures\": null, "
    "\"unique_id\": \"model.p.m1\", \"compiled\": true, \"compiled_code\": \"select 1\", "
    "\"relation_name\": \"\\\"db\\\".\\\"main\\\".\\\"m1\\\"\", \"batch_results\": null}";

static void
run(void *self, const struct job *job, struct result *r)
{
	(void)self;
	(void)job;
	r->message = xstrdup("OK");
	r->entry = xstrdup(entry);
}

static void
cancel(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

static void
die(const struct err *err)
{
	fprintf(stderr, "throughput: %s\n", err->msg);
	exit(2);
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* A project's shape: each model after two of the hundred before it. */
static struct graph *
make_graph(size_t n)
{
	struct buf b = BUF_INIT;
	struct graph *g;
	size_t x = 1;

	for (size_t i = 0; i < n; i++) {
		buf_addf(&b, "\nmodel m%zu:", i);
		for (size_t k = 0; i >= 100 && k < 2; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			buf_addf(&b, " m%zu", i - 1 - (x >> 33) % 100);
		}
	}
	g = tiny_graph(b.data);
	buf_release(&b);
	return g;
}

struct cost {
	double wall_us, cpu_us;    /* a task */
};

/* Its opening and its end are part of what a run costs. */
static struct history *
begin_history(const struct plan *p, unsigned nthreads, const char *dir)
{
	static unsigned nruns;
	char path[4096], run_id[32];
	struct history_options o = { .path = path, .project = "bench", .target = "none" };
	struct history_facts f = { .run_id = run_id, .command = "run", .nthreads = nthreads };
	struct err err = ERR_INIT;
	struct history *h;

	snprintf(path, sizeof(path), "%s/history.db", dir);
	snprintf(run_id, sizeof(run_id), "run-%u", nruns++);
	h = history_open(&o, &err);
	if (!h)
		die(&err);
	history_begin(h, &f, p);
	return h;
}

static struct cost
one_run(const struct plan *p, unsigned nthreads, const char *dir, bool record)
{
	struct runner runner = { .run = run, .cancel = cancel };
	struct schedule_options o = { .runner = &runner, .nthreads = nthreads, .signal_fd = -1 };
	struct observer observers[3];
	struct history *history = NULL;
	struct history_outcome outcome = { .summary = NULL };
	struct journal *journal = NULL;
	struct progress *progress = NULL;
	struct progress_head head = { .plan = p, .project = "bench", .target = "none",
		.adapter = "none", .dbt_version = "0", .command = "run", .nthreads = nthreads };
	struct schedule_summary sum;
	struct schedule *s;
	struct err err = ERR_INIT;
	struct cost cost;
	int64_t began;
	int fd = -1;

	if (dir) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/lines", dir);
		if ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0) {
			err_sys(&err, "%s", path);
			die(&err);
		}
		if (!(journal = journal_new(dir, &(struct journal_head){ "bench", NULL, "{}" },
		    &err)) || journal_publish(journal, &err) < 0)
			die(&err);
		head.options.fd = fd;
		progress = progress_new(&head.options);
		progress_start(progress, &head);
		observers[0] = journal_observer(journal);
		observers[1] = progress_observer(progress);
		o.observers = observers;
		o.nobservers = 2;
	}
	cost.cpu_us = cpu_us();
	began = clock_mono_us();
	if (record) {
		history = begin_history(p, nthreads, dir);
		observers[2] = history_observer(history);
		o.nobservers = 3;
	}
	s = schedule_new(p, &o);
	if (schedule_run(s, &sum, &err) < 0)
		die(&err);
	schedule_free(s);
	outcome.summary = &sum;
	history_end(history, &outcome);
	history_close(history);
	cost.wall_us = (double)(clock_mono_us() - began) / (double)p->ntasks;
	cost.cpu_us = (cpu_us() - cost.cpu_us) / (double)p->ntasks;
	if (sum.count[RESULT_SUCCESS] != p->ntasks)
		abort();
	journal_free(journal);
	progress_free(progress);
	if (fd >= 0)
		close(fd);
	return cost;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median of wall and CPU, printed with the best. */
static struct cost
measure(const char *what, const struct plan *p, unsigned nthreads, const char *dir, bool record)
{
	double wall[ROUNDS], cpu[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		struct cost c = one_run(p, nthreads, dir, record);

		wall[i] = c.wall_us;
		cpu[i] = c.cpu_us;
	}
	qsort(wall, ROUNDS, sizeof(wall[0]), compare);
	qsort(cpu, ROUNDS, sizeof(cpu[0]), compare);
	printf("%-20s  wall %6.1f (best %6.1f)   CPU %6.1f (best %6.1f)   us a task\n", what,
	    wall[ROUNDS / 2], wall[0], cpu[ROUNDS / 2], cpu[0]);
	return (struct cost){ wall[ROUNDS / 2], cpu[ROUNDS / 2] };
}

/* Of this process now, in bytes; 0 where /proc does not tell. */
static double
memory(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long all, resident = 0;

	if (f && fscanf(f, "%lu %lu", &all, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int
run_alone(size_t n, unsigned nthreads)
{
	double before = memory(), graph, planned;
	struct graph *g = make_graph(n);
	struct rusage usage;
	struct plan *p;
	struct cost c;

	graph = memory();
	p = tiny_plan(g, PLAN_RUN, NULL);
	planned = memory();
	c = one_run(p, nthreads, NULL, false);
	getrusage(RUSAGE_SELF, &usage);
	printf("%zu tasks, %u threads, the scheduler alone: wall %.1f, CPU %.1f us a task; "
	    "memory of a task: graph %.0f, plan %.0f, run %.0f bytes\n", n, nthreads, c.wall_us,
	    c.cpu_us, (graph - before) / (double)n, (planned - graph) / (double)n,
	    ((double)usage.ru_maxrss * 1024 - planned) / (double)n);
	plan_free(p);
	graph_free(g);
	return 0;
}

int
main(int argc, char **argv)
{
	bool alone = argc > 1 && strcmp(argv[1], "--alone") == 0;
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	unsigned nthreads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 8;
	char dir[] = "/tmp/heddle-throughput-XXXXXX", command[sizeof(dir) + 16];
	struct rusage usage;
	struct cost full;
	struct graph *g;
	struct plan *p;

	if (alone)
		return run_alone(argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000,
		    argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 8);
	if (!mkdtemp(dir)) {
		perror(dir);
		return 2;
	}
	g = make_graph(n);
	p = tiny_plan(g, PLAN_RUN, NULL);
	printf("%zu tasks, %u threads\n", n, nthreads);
	measure("scheduler alone", p, nthreads, NULL, false);
	measure("journal and lines", p, nthreads, dir, false);
	full = measure("and history", p, nthreads, dir, true);
	getrusage(RUSAGE_SELF, &usage);
	printf("%.1f KiB of memory a task at most, graph and plan included\n",
	    (double)usage.ru_maxrss / (double)n);
	plan_free(p);
	graph_free(g);
	snprintf(command, sizeof(command), "%s/lines", dir);
	unlink(command);
	snprintf(command, sizeof(command), "%s/history.db", dir);
	unlink(command);
	journal_prune(dir, 0);
	rmdir(dir);
	return full.wall_us > 50 || full.cpu_us > 50;
}

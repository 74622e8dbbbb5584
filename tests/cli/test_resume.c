/* A run that continues another is killed as well: whenever that is, the next one knows the same. */
#include "tests/check.h"

#include <unistd.h>

#include "cli/record.h"
#include "cli/resume.h"
#include "executor/journal.h"
#include "tests/tiny.h"
#include "util/buf.h"
#include "util/fs.h"

#define GRAPH \
	"model       good\n" \
	"incremental log\n" \
	"incremental kept: good {\"unique_key\": \"id\"}\n" \
	"model       never: log\n"

struct world {
	struct graph *graph;
	struct plan *plan;
	char dir[64];
};

static void
setup(struct world *w)
{
	w->graph = tiny_graph(GRAPH);
	w->plan = tiny_plan(w->graph, PLAN_BUILD, NULL);
	snprintf(w->dir, sizeof(w->dir), "runs-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
}

static void
teardown(struct world *w)
{
	char **paths;
	size_t n = journal_list(w->dir, &paths);

	for (size_t i = 0; i < n; i++)
		unlink(paths[i]);
	journal_list_free(paths, n);
	assert_int_equal(rmdir(w->dir), 0);   /* nothing else is left */
	plan_free(w->plan);
	graph_free(w->graph);
}

static void
told(struct journal *j, struct world *w, const char *name, enum task_state from, enum task_state to,
    enum result_status status)
{
	struct observer o = journal_observer(j);
	struct run_task t = { .task = plan_find(w->plan, tiny_node(w->graph, name)), .attempts = 1,
		.status = status };
	const struct run_event ev = { .kind = EVENT_TASK, .task = &t, .from = from, .to = to };
	struct err err = ERR_INIT;

	assert_int_equal(o.event(o.self, &ev, &err), 0);
}

/* "good=success log=error": what need not run, with what is known of it. */
static void
check_known(const struct world *w, const char *expected)
{
	struct journal_run run;
	struct resume_counts counts;
	struct schedule_known *known;
	struct err err = ERR_INIT;
	char text[256] = "";

	assert_int_equal(record_find(&run, w->dir, NULL, &err), 1);
	known = resume_known(w->plan, &run, "postgres", false, &counts);
	for (size_t i = 0; i < w->plan->ntasks; i++)
		if (known[i].known)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%s",
			    *text ? " " : "",
			    w->plan->tasks[i].node->name, result_status_name(known[i].status));
	assert_string_equal(text, expected);
	free(known);
	journal_run_release(&run);
}

static void
first_run(struct world *w)
{
	struct err err = ERR_INIT;
	struct journal *j = journal_new(w->dir, &(struct journal_head){ "one", NULL, "{}" }, &err);

	assert_non_null(j);
	assert_int_equal(journal_publish(j, &err), 0);
	told(j, w, "good", TASK_READY, TASK_RUNNING, RESULT_SUCCESS);
	told(j, w, "log", TASK_READY, TASK_RUNNING, RESULT_SUCCESS);
	told(j, w, "good", TASK_RUNNING, TASK_DONE, RESULT_SUCCESS);
	told(j, w, "kept", TASK_READY, TASK_RUNNING, RESULT_SUCCESS);
	journal_free(j);
}

/* As cli/run_resume.c does it. */
static void
next_run(struct world *w, bool publish)
{
	struct journal_run earlier;
	struct err err = ERR_INIT;
	struct journal *j;

	usleep(2000);                        /* names are by the millisecond */
	assert_int_equal(record_find(&earlier, w->dir, NULL, &err), 1);
	j = journal_new(w->dir, &(struct journal_head){ "more", NULL, "{}" }, &err);
	assert_non_null(j);
	for (size_t i = 0; i < earlier.nnodes; i++)
		assert_int_equal(journal_keep(j, earlier.nodes[i], &err), 0);
	if (publish)
		assert_int_equal(journal_publish(j, &err), 0);
	journal_free(j);
	journal_run_release(&earlier);
}

static void
killed_before_its_first_node(void **state)
{
	struct world w;

	(void)state;
	setup(&w);
	first_run(&w);
	check_known(&w, "good=success log=error");
	for (int i = 0; i < 3; i++) {
		next_run(&w, true);
		check_known(&w, "good=success log=error");
	}
	teardown(&w);
}

static void
killed_while_it_wrote_what_is_known(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char path[128];

	(void)state;
	setup(&w);
	first_run(&w);
	snprintf(path, sizeof(path), "%s/29990101T000000.000-1.journal.new", w.dir);
	buf_adds(&b, "{\"journal\": 1, \"started_ms\": 1, \"run\": \"x\", \"sett");
	assert_int_equal(fs_replace(path, b.data, b.len, 0600, &err), 0);
	check_known(&w, "good=success log=error");
	next_run(&w, true);
	check_known(&w, "good=success log=error");
	next_run(&w, false);                 /* it failed: nothing of it stays */
	check_known(&w, "good=success log=error");
	buf_release(&b);
	teardown(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_before_its_first_node),
		cmocka_unit_test(killed_while_it_wrote_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

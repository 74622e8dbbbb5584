/* `heddle history` and `heddle report` over runs made by hand: every form of the answers. */
#include "tests/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/table.h"
#include "tests/executor/past.h"
#include "util/fs.h"
#include "util/text.h"

/* Runs a command; what it printed is in *out. */
static int
run_words(const struct command *c, char **argv, struct buf *out, struct err *err)
{
	int argc = 0, code, old, file;

	while (argv[argc])
		argc++;
	fflush(stdout);
	old = dup(STDOUT_FILENO);
	file = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(file, STDOUT_FILENO);
	close(file);
	code = c->run(argc, argv, err);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	close(old);
	buf_truncate(out, 0);
	assert_int_equal(fs_read("out", out, err), 0);
	return code;
}

#define A(s) (char[]){ s }
#define WORDS(...) ((char *[]){ A("cmd"), A("--history"), A("state/shop.db"), __VA_ARGS__, NULL })

static const char *
answer(const struct command *c, char **argv, struct buf *out)
{
	struct err err = ERR_INIT;

	if (run_words(c, argv, out, &err) != EXIT_GOOD)
		fail_msg("%s", err.msg ? err.msg : "no message");
	return buf_str(out);
}

static void
refuses(const struct command *c, char **argv, const char *why)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	assert_int_equal(run_words(c, argv, &out, &err), EXIT_BAD_INPUT);
	assert_string_equal(err.msg, why);
	err_release(&err);
	buf_release(&out);
}

/* Three runs; m0 is slow, m1 fails in the second on the same commit, m2 depends on m1. */
static void
three_runs(struct world *w)
{
	world_init(w, 3);
	world_edge(w, 1, 2);
	setenv("TZ", "UTC", 1);
	for (int i = 0; i < 3; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%d%d%d%d%d%d%d%d-run", i, i, i, i, i, i, i, i);
		rewind_tasks(w);
		begin_at(w, i < 2 ? "dev" : "prod", id, "0123456789abcdef0123456789abcdef01234567");
		run_task(w, 0, RESULT_SUCCESS, 61000);
		run_task(w, 1, i == 1 ? RESULT_ERROR : RESULT_SUCCESS, 1500);
		if (i == 1) {
			w->tasks[2].cause = 1;
			move(w, 2, TASK_SKIPPED, NULL, "'model.shop.m1' ended with error");
		} else {
			run_task(w, 2, RESULT_SUCCESS, 100);
		}
		end(w, i == 1);
	}
}

/* ---- history ---- */

static void
test_runs_as_text(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	const char *said;

	(void)state;
	three_runs(&w);
	said = answer(&cmd_history, WORDS(A("--target"), A("dev")), &b);
	assert_non_null(strstr(said, "run       started           command  target  state   ok "
	    " warn  failed  skipped"
	    "  retried"));
	assert_non_null(strstr(said, "\n11111111  2023-11-14 22:14  build    dev     failed   1  "
	    "   0       1        1"
	    "        0"));
	assert_non_null(strstr(said, "\n00000000  2023-11-14 22:13  build    dev     good     3  "
	    "   0       0        0"
	    "        0"));
	assert_non_null(strstr(said, "4  tag:nightly  01234567\n"));
	assert_null(strstr(said, "22222222"));
	assert_non_null(strstr(answer(&cmd_history, WORDS(A("--limit"), A("1")), &b), "22222222"));
	assert_null(strstr(b.data, "11111111"));
	buf_release(&b);
	world_release(&w);
}

static void
test_runs_as_json_and_csv(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	const char *said;

	(void)state;
	three_runs(&w);
	said = answer(&cmd_history, WORDS(A("-o"), A("json"), A("--limit=2")), &b);
	assert_non_null(strstr(said, "[\n {\"run\": \"22222222-run\", \"started\":"
	    " \"2023-11-14T22:1"));
	assert_non_null(strstr(said, "\"exit_code\": 1, \"tasks\": 3, \"ok\": 1, \"warn\": 0,"
	    " \"failed\": 1, "
	    "\"skipped\": 1, \"retried\": 0"));
	assert_non_null(strstr(said, "\"critical_path_seconds\": 61.000, \"work_seconds\": 62.500, "
	    "\"threads\": 4, \"selection\": \"tag:nightly\", \"git_commit\": "
	    "\"0123456789abcdef0123456789abcdef01234567\", \"project\": \"shop\", \"resumes\":"
	    " null"));
	said = answer(&cmd_history, WORDS(A("--output"), A("csv"), A("--target=prod")), &b);
	assert_non_null(strstr(said, "run,started,command,target,state,exit_code,tasks,ok,warn,"));
	assert_non_null(strstr(said, "\r\n22222222-run,2023-11-14T22:1"));
	assert_true(text_ends(said, "1.11.16,duckdb,1.9.0\r\n"));
	buf_release(&b);
	world_release(&w);
}

static void
test_a_node_and_what_it_comes_to(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	const char *said;

	(void)state;
	three_runs(&w);
	said = answer(&cmd_history, WORDS(A("--node"), A("m1")), &b);
	assert_non_null(strstr(said, "model.shop.m1: ran in 3 of the last runs: 2 good, 1 failed,"
	    " 0 after a retry, "
	    "2 times changed without a new commit; usually 1.50s, at most 1.50s\n"));
	assert_non_null(strstr(said, "11111111  2023-11-14 22:15  dev     model.shop.m1    1 "
	    " error    1.50s"));
	said = answer(&cmd_history, WORDS(A("--node"), A("model.shop.m2"), A("-o"), A("json")), &b);
	assert_non_null(strstr(said, "\"attempt\": 0, \"status\": \"skipped\", \"seconds\": null"));
	assert_non_null(strstr(said, "\"message\": \"'model.shop.m1' ended with error\""));
	assert_null(strstr(said, "model.shop.m1\""));
	buf_release(&b);
	refuses(&cmd_history, WORDS(A("--node"), A("m9")), "no node 'm9' in the last 3 runs");
	world_release(&w);
}

/* As one would --select it; no other node that happens to end alike. */
static void
test_names_of_a_node(void **state)
{
	static const struct {
		const char *id, *name, *asked;   /* asked: what finds it, NULL-ended below */
		enum node_kind kind;
	} cases[] = {
		{ "model.shop.orders", "orders", "shop.orders", KIND_MODEL },
		{ "model.shop.orders_v.v2", "orders_v", "shop.orders_v", KIND_MODEL },
		{ "test.shop.unique_id.0a1b2c", "unique_id", "shop.unique_id", KIND_TEST },
		{ "source.shop.raw.payments", "payments", "shop.raw.payments", KIND_SOURCE },
		{ "source.shop.raw.refunds", "refunds", "raw.refunds", KIND_SOURCE },
		{ "model.other.shop.x", "x", "other.shop.x", KIND_MODEL },
	};
	static const char *const nobody[] = {
		"shop.refunds", "shop.unique", "shop.x", "hop.orders", "shop.orders_v.v1",
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	struct world w;
	struct buf b = BUF_INIT, word = BUF_INIT;

	(void)state;
	world_init(&w, n);
	for (size_t i = 0; i < n; i++) {
		free((char *)(uintptr_t)w.nodes[i].id);
		w.nodes[i].id = xstrdup(cases[i].id);
		w.nodes[i].name = cases[i].name;
		w.nodes[i].kind = cases[i].kind;
	}
	begin_at(&w, "dev", "names", "0123456789abcdef0123456789abcdef01234567");
	for (size_t i = 0; i < n; i++)
		run_task(&w, i, RESULT_SUCCESS, 1000);
	end(&w, false);
	for (size_t i = 0; i < n; i++) {
		const char *const asked[] = { cases[i].id, cases[i].name, cases[i].asked };

		for (size_t k = 0; k < 3; k++) {
			buf_truncate(&word, 0);
			buf_adds(&word, asked[k]);
			answer(&cmd_history, WORDS(A("--node"), word.data, A("-o"), A("csv")), &b);
			assert_non_null(strstr(b.data, cases[i].id));
			assert_null(strchr(strchr(strchr(b.data, '\n') + 1, '\n') + 1, '\n'));
		}
	}
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		char why[64];

		buf_truncate(&word, 0);
		buf_adds(&word, nobody[i]);
		snprintf(why, sizeof(why), "no node '%s' in the last 1 runs", nobody[i]);
		refuses(&cmd_history, WORDS(A("--node"), word.data), why);
	}
	buf_release(&b);
	buf_release(&word);
	world_release(&w);
}

static void
test_slow_and_flaky_nodes(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	const char *said;

	(void)state;
	three_runs(&w);
	said = answer(&cmd_history, WORDS(A("--slowest")), &b);
	assert_string_equal(said,
	    "node           kind   runs  usually  at most    last  of all time\n"
	    "model.shop.m0  model     3   1m 01s   1m 01s  1m 01s          97%\n"
	    "model.shop.m1  model     3    1.50s    1.50s   1.50s           2%\n"
	    "model.shop.m2  model     2    0.10s    0.10s   0.10s           0%\n");
	said = answer(&cmd_history, WORDS(A("--flaky")), &b);
	assert_string_equal(said,
	    "node           kind   runs  flaky  retried  flips  failed  last\n"
	    "model.shop.m1  model     3    67%        0      2       1  success\n");
	assert_string_equal(answer(&cmd_history, WORDS(A("--flaky"), A("--node=m0"), A("-o"),
	    A("json")), &b),
	    "[]\n");
	buf_release(&b);
	refuses(&cmd_history, WORDS(A("--flaky"), A("--slowest")),
	    "--slowest and --flaky are two lists: give one of them");
	refuses(&cmd_history, WORDS(A("-o"), A("yaml")),
	    "--output: expected text, json or csv, found 'yaml'");
	world_release(&w);
}

static void
test_where_the_record_is(void **state)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct world w;
	char cwd[200], text[300];

	(void)state;
	three_runs(&w);
	/* by the project's name, below XDG_STATE_HOME */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(text, sizeof(text), "%s/home", cwd);
	setenv("XDG_STATE_HOME", text, 1);
	assert_int_equal(fs_mkdirs("home/heddle", &err), 0);
	assert_int_equal(rename("state/shop.db", "home/heddle/shop.db"), 0);
	assert_int_equal(fs_replace("dbt_project.yml", "name: 'shop'\n", 13, 0600, &err), 0);
	assert_non_null(strstr(answer(&cmd_history, (char *[]){ A("history"), NULL }, &b),
	    "22222222"));
	/* the environment, then the option go first */
	setenv("HEDDLE_HISTORY", "elsewhere.db", 1);
	refuses(&cmd_history, (char *[]){ A("history"), NULL },
	    "elsewhere.db: there is no history yet");
	refuses(&cmd_history, (char *[]){ A("history"), A("--history=third.db"), NULL },
	    "third.db: there is no history yet");
	setenv("HEDDLE_HISTORY", "", 1);
	refuses(&cmd_history, (char *[]){ A("history"), NULL },
	    "no history is kept: HEDDLE_HISTORY or --history is empty");
	unsetenv("HEDDLE_HISTORY");
	unlink("dbt_project.yml");
	refuses(&cmd_history, (char *[]){ A("history"), NULL },
	    "the history is kept by project, and the project's name is not known");
	unsetenv("XDG_STATE_HOME");
	buf_release(&b);
	world_release(&w);
}

/* ---- tables ---- */

static void
test_cells_are_quoted_for_where_they_go(void **state)
{
	static const struct column columns[] = { { "a", "a" }, { "n", "n" }, { "hidden", NULL },
	    { 0 } };
	struct table *t = table_new(columns);
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	enum table_format f;
	int old = dup(STDOUT_FILENO), file = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)state;
	table_text(t, "=cmd|'/c calc'!A1\x1b[2J");
	table_count(t, 5);
	table_text(t, "say \"hi\", you");
	table_text(t, NULL);
	table_ms(t, 7384000);
	table_text(t, "");
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	for (f = TABLE_TEXT; f <= TABLE_CSV; f++)
		table_print(t, f);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	assert_int_equal(fs_read("out", &b, &err), 0);
	assert_string_equal(b.data,
	    "a                              n\n"
	    "=cmd|'/c calc'!A1\\x1b[2J       5\n"
	    "-                         2h 03m\n"
	    "[\n {\"a\": \"=cmd|'/c calc'!A1\\u001b[2J\", \"n\": 5, \"hidden\": \"say \\\"hi\\\","
	    " you\"},\n"
	    " {\"a\": null, \"n\": 7384.000, \"hidden\": \"\"}\n]\n"
	    "a,n,hidden\r\n"
	    "\"'=cmd|'/c calc'!A1\\x1b[2J\",5,\"say \"\"hi\"\", you\"\r\n"
	    ",7384.000,\r\n");
	close(old);
	close(file);
	buf_release(&b);
	table_free(t);
}

/* ---- report ---- */

static void
test_a_report_is_written(void **state)
{
	struct world w;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct stat st;

	(void)state;
	three_runs(&w);
	assert_string_equal(answer(&cmd_report, WORDS(A("--project-dir=.")), &b),
	    "target/heddle_report.html\n");
	assert_int_equal(stat("target/heddle_report.html", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_truncate(&b, 0);
	assert_int_equal(fs_read("target/heddle_report.html", &b, &err), 0);
	assert_non_null(strstr(b.data, "\"run\":{\"id\":\"22222222-run\""));
	assert_string_equal(answer(&cmd_report, WORDS(A("-o"), A("page.html"), A("--target"),
	    A("dev")), &b),
	    "page.html\n");
	buf_truncate(&b, 0);
	assert_int_equal(fs_read("page.html", &b, &err), 0);
	assert_non_null(strstr(b.data, "\"run\":{\"id\":\"11111111-run\""));
	assert_non_null(strstr(answer(&cmd_report, WORDS(A("-o"), A("-"), A("0000")), &b),
	    "\"run\":{\"id\":\"00000000-run\""));
	assert_true(text_starts(b.data, "<!DOCTYPE html>\n"));
	assert_true(text_ends(b.data, "</html>\n"));
	buf_release(&b);
	refuses(&cmd_report, WORDS(A("9999")), "no run '9999' in state/shop.db");
	refuses(&cmd_report, WORDS(A("a"), A("b")),
	    "unexpected argument 'b': a report is of one run");
	refuses(&cmd_report, WORDS(A("--target"), A("test")),
	    "no runs are recorded for this project and target");
	refuses(&cmd_report, WORDS(A("-o"), A("no/such/folder/x.html")),
	    "no/such/folder/x.html: cannot write: No such file or directory");
	world_release(&w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_runs_as_text),
		T(test_runs_as_json_and_csv),
		T(test_a_node_and_what_it_comes_to),
		T(test_names_of_a_node),
		T(test_slow_and_flaky_nodes),
		T(test_where_the_record_is),
		T(test_cells_are_quoted_for_where_they_go),
		T(test_a_report_is_written),
	};

	unsetenv("HEDDLE_HISTORY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

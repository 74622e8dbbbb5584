/* The page of a run: nothing a name or a message holds becomes markup or code, and a browser (where
 * chromium is installed) shows it without an error and without asking for anything. */
#include "tests/check.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "executor/report.h"
#include "tests/executor/past.h"
#include "util/fs.h"
#include "util/text.h"

static const char *const hostile[] = {
	"</script><script>document.title='pwned'</script>",
	"<img src=x onerror=\"document.title='pwned'\">",
	"<!--<script>",
	"]]>\"'`${document.title='pwned'}",
	"quote\"and\\back\\slash",
	"line\nfeed\ttab\x1b[31m",
	"\xe2\x80\xa8\xe2\x80\xa9 separators",
	"\xe2\x80\xaereversed",
	"\xff\xfe not UTF-8",
	"\xf0\x9f\x99\x82 \xe6\xa8\xa1\xe5\x9e\x8b",
	"&lt;b&gt; &amp;",
	"__proto__",
	"constructor",
};

#define NHOSTILE (sizeof(hostile) / sizeof(hostile[0]))

/* Nodes, messages, SQL, reasons, selection: all hostile, each in its turn. */
static void
hostile_run(struct world *w)
{
	struct result r = RESULT_INIT;
	size_t n = NHOSTILE + 1;

	world_init(w, n);
	for (size_t i = 0; i < NHOSTILE; i++) {
		struct buf id = BUF_INIT;

		buf_addf(&id, "model.shop.%s", hostile[i]);
		free((char *)(uintptr_t)w->nodes[i].id);
		w->nodes[i].id = buf_detach(&id);
		w->nodes[i].name = w->nodes[i].path = hostile[i];
	}
	world_edge(w, 0, NHOSTILE);
	begin_at(w, hostile[1], hostile[0], hostile[2]);
	history_hook(w->h, "operation.shop.<script>alert(1)</script>", RESULT_SUCCESS, hostile[0],
	    5);
	for (size_t i = 0; i < NHOSTILE; i++) {
		struct buf entry = BUF_INIT;

		buf_adds(&entry, "{\"compiled_code\": ");
		text_add_json(&entry, hostile[(i + 1) % NHOSTILE]);
		buf_adds(&entry, "}");
		start(w, i, (unsigned)(i % 4));
		w->now += 50;
		r.status = w->tasks[i].status = RESULT_ERROR;
		r.class = w->tasks[i].class = CLASS_DATABASE;
		r.message = (char *)(uintptr_t)hostile[i];
		r.code = (char *)(uintptr_t)hostile[(i + 3) % NHOSTILE];
		r.entry = entry.data;
		r.took_ms = 50;
		move(w, i, TASK_DONE, &r, hostile[(i + 2) % NHOSTILE]);
		buf_release(&entry);
	}
	w->tasks[NHOSTILE].cause = 0;
	move(w, NHOSTILE, TASK_SKIPPED, NULL, hostile[0]);
	end(w, 1);
}

/* The page of the newest run. */
static void
make(struct buf *page)
{
	struct err err = ERR_INIT;
	struct history_reader *r = history_read_open("state/shop.db", &err);
	struct history_filter f = { .limit = 1 };
	struct history_runs runs;

	assert_non_null(r);
	assert_int_equal(history_read_runs(r, &f, &runs, &err), 0);
	buf_truncate(page, 0);
	if (report_make(r, &runs.v[0], page, &err) < 0)
		fail_msg("%s", err.msg);
	history_runs_release(&runs);
	history_read_close(r);
}

static size_t
count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *s = strstr(text, what); s; s = strstr(s + 1, what))
		n++;
	return n;
}

/* The data of a page, parsed. */
static cJSON *
data_of(const struct buf *page)
{
	const char *open = "<script type=\"application/json\" id=\"data\">";
	const char *at = strstr(page->data, open);
	const char *stop = at ? strstr(at, "</script>") : NULL;
	cJSON *doc;

	assert_non_null(stop);
	at += strlen(open);
	doc = cJSON_ParseWithLength(at, (size_t)(stop - at));
	assert_non_null(doc);
	return doc;
}

static const char *
text_at(const cJSON *doc, const char *list, int at, int key)
{
	return cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetArrayItem(
	    cJSON_GetObjectItemCaseSensitive(doc, list), at), key));
}

static void
test_quoting_for_script(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	report_add_json(&b, "</script> & \xe2\x80\xa8\xe2\x80\xa9 \xe2\x82\xac \"");
	assert_string_equal(b.data, "\"\\u003c/script\\u003e \\u0026 \\u2028\\u2029 \xe2\x82\xac"
	    " \\\"\"");
	buf_release(&b);
}

static void
test_hostile_texts_stay_data(void **state)
{
	struct buf page = BUF_INIT;
	struct world w;
	cJSON *doc;
	size_t found = 0;

	(void)state;
	hostile_run(&w);
	make(&page);
	assert_int_equal(count_of(page.data, "<script"), 2);
	assert_int_equal(count_of(page.data, "</script"), 2);
	assert_int_equal(count_of(page.data, "<img"), 0);
	assert_int_equal(count_of(page.data, "<!--"), 0);
	assert_int_equal(count_of(page.data, "\xe2\x80\xa8"), 0);
	assert_int_equal(count_of(page.data, "\xff"), 0);
	assert_int_equal(count_of(page.data, "\x1b"), 0);
	/* and nothing is lost on the way */
	doc = data_of(&page);
	for (int i = 0; i < cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(doc, "nodes")); i++)
		for (size_t k = 0; k < NHOSTILE; k++)
			found += strcmp(text_at(doc, "nodes", i, 2), hostile[k]) == 0;
	assert_int_equal(found, NHOSTILE - 1);      /* one is not UTF-8 */
	cJSON_Delete(doc);
	buf_release(&page);
	world_release(&w);
}

static void
test_nothing_comes_from_outside(void **state)
{
	struct buf page = BUF_INIT;
	struct world w;

	(void)state;
	world_init(&w, 1);
	begin(&w, "run-1");
	run_task(&w, 0, RESULT_SUCCESS, 10);
	end(&w, 0);
	make(&page);
	/* a name, not an address */
	assert_int_equal(count_of(page.data, "http://www.w3.org/2000/svg"), 1);
	assert_int_equal(count_of(page.data, "://"), 1);
	assert_int_equal(count_of(page.data, "src="), 0);
	assert_int_equal(count_of(page.data, "url("), 0);
	assert_int_equal(count_of(page.data, "@import"), 0);
	assert_int_equal(count_of(page.data, "innerHTML"), 0);
	assert_non_null(strstr(page.data, "default-src 'none'"));
	buf_release(&page);
	world_release(&w);
}

static void
test_usual_times_leave_this_run_out(void **state)
{
	struct buf page = BUF_INIT;
	struct world w;
	cJSON *doc;
	const cJSON *node;

	(void)state;
	world_init(&w, 2);
	for (int i = 0; i < 4; i++) {
		char id[16];

		snprintf(id, sizeof(id), "run-%d", i);
		rewind_tasks(&w);
		begin(&w, id);
		run_task(&w, 0, RESULT_SUCCESS, i == 3 ? 9000 : 1000);
		run_task(&w, 1, i == 1 ? RESULT_ERROR : RESULT_SUCCESS, 1000);
		end(&w, 0);
	}
	make(&page);
	doc = data_of(&page);
	node = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(doc, "nodes"), 0);
	assert_int_equal(cJSON_GetArrayItem(node, 5)->valueint, 1000);
	/* two good runs are no habit */
	node = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(doc, "nodes"), 1);
	assert_true(cJSON_IsNull(cJSON_GetArrayItem(node, 5)));
	assert_non_null(strstr(page.data, "{\"node\":1,\"runs\":\"oeoo\","
	    "\"took\":[1000,1000,1000,1000],\"rows\":[]}"));
	assert_non_null(strstr(page.data, "\"tests\":0,\"perfect\":0,\"left_out\":0"));
	assert_non_null(strstr(page.data, "\"last_good\":{\"id\":\"run-3\""));
	cJSON_Delete(doc);
	buf_release(&page);
	world_release(&w);
}

/* ---- in a browser ---- */

/* What chromium makes of page.html, as HTML again; what it says goes to "said". */
static bool
browse(struct buf *dom)
{
	struct err err = ERR_INIT;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int out = open("dom", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		int said = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(out, STDOUT_FILENO);
		dup2(said, STDERR_FILENO);
		execlp("timeout", "timeout", "60", "chromium", "--headless", "--no-sandbox",
		    "--disable-gpu",
		    "--disable-quic", "--no-first-run", "--disable-background-networking",
		    "--disable-component-update", "--disable-sync", "--user-data-dir=chromium",
		    "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom",
		    "page.html",
		    (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 127)
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	buf_truncate(dom, 0);
	assert_int_equal(fs_read("dom", dom, &err), 0);
	return true;
}

/* Nothing in the console: no error, nothing refused by the page's own policy. */
static void
assert_silent(void)
{
	struct buf said = BUF_INIT;
	struct err err = ERR_INIT;
	const char *line;

	assert_int_equal(fs_read("said", &said, &err), 0);
	line = strstr(said.data, "CONSOLE");
	if (line)
		fail_msg("the browser said: %.*s", (int)strcspn(line, "\n"), line);
	buf_release(&said);
}

/* A tap on the first bar of the second thread. */
static const char tap[] = "<script>{const c = document.querySelector('canvas'); if (c) {"
    "const r = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent('click',"
    "{clientX: r.left + 32, clientY: r.top + 24 + 24 + 12}));}}</script></body></html>";

static bool
show(struct buf *dom)
{
	struct buf page = BUF_INIT;
	struct err err = ERR_INIT;
	char path[300] = "";
	bool shown;

	for (const char *s = getenv("PATH"); s && *s; s += strcspn(s, ":"), s += *s == ':') {
		snprintf(path, sizeof(path), "%.*s/chromium", (int)strcspn(s, ":"), s);
		if (access(path, X_OK) == 0)
			break;
		*path = '\0';
	}
	if (!*path) {
		printf("chromium is not here: the page is not looked at\n");
		return false;
	}
	make(&page);
	buf_truncate(&page, page.len - strlen("</body>\n</html>\n"));
	buf_adds(&page, tap);
	assert_int_equal(fs_replace("page.html", page.data, page.len, 0600, &err), 0);
	shown = browse(dom);
	if (shown)
		assert_silent();
	buf_release(&page);
	return shown;
}

static void
test_a_browser_shows_hostile_texts_as_text(void **state)
{
	struct buf dom = BUF_INIT;
	struct world w;

	(void)state;
	hostile_run(&w);
	if (show(&dom)) {
		assert_null(strstr(dom.data, "<title>pwned"));
		assert_non_null(strstr(dom.data, "nodes failed</title>"));
		assert_int_equal(count_of(dom.data, "<img"), 0);
		assert_non_null(strstr(dom.data, "&lt;img src=x onerror="));
		assert_non_null(strstr(dom.data, "\\u202ereversed"));
		assert_non_null(strstr(dom.data, "line\nfeed\ttab\\u001b[31m"));
		assert_non_null(strstr(dom.data, "held back 1 node"));
	}
	buf_release(&dom);
	world_release(&w);
}

/* A run of which nothing but its beginning is known; and one that ended with all there is. */
static void
test_a_browser_shows_every_kind_of_run(void **state)
{
	struct buf dom = BUF_INIT;
	struct world w;

	(void)state;
	world_init(&w, 4);
	w.nodes[2].kind = KIND_TEST;
	w.nodes[3].kind = KIND_SOURCE;
	world_edge(&w, 0, 1);
	begin(&w, "run-1");
	if (show(&dom))
		assert_non_null(strstr(dom.data, "is running</title>"));
	end(&w, 2);
	for (int i = 0; i < 4; i++) {
		char id[16];

		snprintf(id, sizeof(id), "again-%d", i);
		rewind_tasks(&w);
		w.now += 86400000;
		begin(&w, id);
		start(&w, 0, 1);
		finish(&w, 0, TASK_BACKOFF, RESULT_ERROR, 300);
		start(&w, 0, 1);
		finish(&w, 0, TASK_DONE, RESULT_SUCCESS, i == 3 ? 9000 : 1000);
		run_task(&w, 1, RESULT_SUCCESS, 500);
		run_task(&w, 2, i == 2 ? RESULT_FAIL : RESULT_WARN, 20);
		run_task(&w, 3, RESULT_PASS, 20);
		end(&w, i == 2);
	}
	if (show(&dom)) {
		for (size_t i = 0; i < 8; i++) {
			const char *id = ((const char *const[]){ "morning", "timeline", "path",
			    "retries", "slow",
			    "tests", "trends", "sources" })[i];
			char tag[64];

			snprintf(tag, sizeof(tag), "<section id=\"%s\">", id);
			if (!strstr(dom.data, tag))
				fail_msg("the page has no %s", tag);
		}
		assert_non_null(strstr(dom.data, "error</span> in 0.30s"));
		assert_non_null(strstr(dom.data,
		    "from 0.00s on thread 2. Nothing kept it waiting."));
		assert_null(strstr(dom.data, "NaN"));
		assert_null(strstr(dom.data, "undefined</"));
		assert_non_null(strstr(dom.data, "9.0\xc3\x97"));       /* of its median */
		assert_non_null(strstr(dom.data, "75%"));               /* the test's pass rate */
	}
	buf_release(&dom);
	world_release(&w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_quoting_for_script),
		T(test_hostile_texts_stay_data),
		T(test_nothing_comes_from_outside),
		T(test_usual_times_leave_this_run_out),
		T(test_a_browser_shows_hostile_texts_as_text),
		T(test_a_browser_shows_every_kind_of_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

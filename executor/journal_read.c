/* journal_read.c -- the record of an earlier run, and which records there are. */
#include "executor/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "util/buf.h"
#include "util/fs.h"
#include "util/process.h"
#include "util/text.h"
#include "util/xalloc.h"

/* ---- one record ---- */

static const char *
text_of(struct journal_run *run, const cJSON *line, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, key));

	return s ? arena_strdup(&run->arena, s) : NULL;
}

static const char *
json_of(struct journal_run *run, const cJSON *line, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, key);
	char *s = cJSON_IsObject(v) ? cJSON_PrintUnformatted(v) : NULL;
	const char *kept = s ? arena_strdup(&run->arena, s) : NULL;

	cJSON_free(s);
	return kept;
}

struct reading {
	struct journal_run *run;
	size_t node_cap, hook_cap;
	struct journal_node **nodes;   /* grows; moved to the arena at the end */
	const char **hooks;
};

static struct journal_node *
node_of(struct reading *rd, const char *id)
{
	struct journal_run *run = rd->run;
	struct journal_node *n = map_get(&run->by_id, id);

	if (n)
		return n;
	n = arena_zalloc(&run->arena, 1, sizeof(*n));
	n->id = arena_strdup(&run->arena, id);
	map_put(&run->by_id, n->id, n);
	rd->nodes = xgrow(rd->nodes, run->nnodes, &rd->node_cap, sizeof(*rd->nodes));
	rd->nodes[run->nnodes++] = n;
	return n;
}

static void
take_step(struct reading *rd, const cJSON *line, const char *id, const char *to)
{
	struct journal_node *n = node_of(rd, id);
	const cJSON *attempt = cJSON_GetObjectItemCaseSensitive(line, "try");

	if (cJSON_IsNumber(attempt) && attempt->valuedouble >= 0 && attempt->valuedouble < 1e6)
		n->attempts = (unsigned)attempt->valuedouble;
	n->running = strcmp(to, "running") == 0;
	n->skipped = strcmp(to, "skipped") == 0;
	n->why = text_of(rd->run, line, "why");
	n->class = text_of(rd->run, line, "class");
	if (strcmp(to, "done") == 0) {
		n->status = text_of(rd->run, line, "status");
		n->entry = json_of(rd->run, line, "entry");
	}
}

static int
take_head(struct reading *rd, const cJSON *line, struct err *err)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(line, "journal");
	const cJSON *started = cJSON_GetObjectItemCaseSensitive(line, "started_ms");

	if (!cJSON_IsNumber(version))
		return err_set(err, "not a journal of heddle");
	if (version->valuedouble != 1)
		return err_set(err, "journal version %g; this heddle reads version 1",
		    version->valuedouble);
	rd->run->run_id = text_of(rd->run, line, "run");
	rd->run->since = text_of(rd->run, line, "since");
	rd->run->settings = json_of(rd->run, line, "settings");
	if (!cJSON_IsNumber(started) || !rd->run->settings)
		return err_set(err, "the first line lacks its settings");
	rd->run->started_ms = (int64_t)started->valuedouble;
	return 0;
}

static int
take_line(struct reading *rd, const cJSON *line, bool first, struct err *err)
{
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "id"));
	const char *to = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "to"));
	const char *at = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "at"));
	const cJSON *end = cJSON_GetObjectItemCaseSensitive(line, "end");
	const char *hook;

	if (first)
		return take_head(rd, line, err);
	if (id && to) {
		take_step(rd, line, id, to);
	} else if (at && strcmp(at, "start") == 0 && (hook = json_of(rd->run, line, "hook"))) {
		rd->hooks = xgrow(rd->hooks, rd->run->start_hooks.n, &rd->hook_cap,
		    sizeof(*rd->hooks));
		rd->hooks[rd->run->start_hooks.n++] = hook;
	} else if (cJSON_IsNumber(end)) {
		rd->run->ended = true;
		rd->run->exit_code = (int)end->valuedouble;
	}
	return 0;
}

static int
take_text(struct reading *rd, char *text, struct err *err)
{
	size_t number = 0;

	while (*text) {
		char *newline = strchr(text, '\n');
		cJSON *line;
		int rc;

		number++;
		if (!newline) {
			rd->run->torn = true;
			break;
		}
		*newline = '\0';
		line = cJSON_Parse(text);
		rc = cJSON_IsObject(line) ? take_line(rd, line, number == 1, err) :
		    err_set(err, "line %zu: not a JSON object", number);
		cJSON_Delete(line);
		if (rc < 0)
			return -1;
		text = newline + 1;
	}
	return rd->run->settings ? 0 : err_set(err, "the journal is empty");
}

static void *
keep(struct arena *a, const void *v, size_t n, size_t size)
{
	void *p = arena_zalloc(a, n + 1, size);

	if (v && n)
		memcpy(p, v, n * size);
	return p;
}

int
journal_read(struct journal_run *run, const char *path, struct err *err)
{
	struct reading rd = { .run = run };
	struct buf b = BUF_INIT;
	int rc;

	memset(run, 0, sizeof(*run));
	run->path = arena_strdup(&run->arena, path);
	rc = fs_read(path, &b, err);
	if (rc == 0) {
		rc = take_text(&rd, b.data, err);
		if (rc < 0)
			err_prefix(err, "%s", path);
	}
	run->nodes = keep(&run->arena, rd.nodes, run->nnodes, sizeof(*rd.nodes));
	run->start_hooks.v = keep(&run->arena, rd.hooks, run->start_hooks.n, sizeof(*rd.hooks));
	free(rd.nodes);
	free(rd.hooks);
	buf_release(&b);
	return rc;
}

void
journal_run_release(struct journal_run *run)
{
	map_release(&run->by_id);
	arena_release(&run->arena);
	memset(run, 0, sizeof(*run));
}

/* ---- which there are ---- */

static int
newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static size_t
list(const char *dir, const char *suffix, char ***paths)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0, cap = 0;

	*paths = NULL;
	while (d && (e = readdir(d))) {
		if (!text_ends(e->d_name, suffix))
			continue;
		*paths = xgrow(*paths, n, &cap, sizeof(**paths));
		(*paths)[n++] = fs_join(dir, e->d_name);
	}
	if (d)
		closedir(d);
	if (n)
		qsort(*paths, n, sizeof(**paths), newest_first);
	return n;
}

size_t
journal_list(const char *dir, char ***paths)
{
	return list(dir, JOURNAL_SUFFIX, paths);
}

void
journal_list_free(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

void
journal_prune(const char *dir, size_t keep_n)
{
	char **paths;
	size_t n = journal_list(dir, &paths);

	for (size_t i = keep_n; i < n; i++)
		if (!journal_is_open(paths[i]))
			unlink(paths[i]);
	journal_list_free(paths, n);
	n = list(dir, JOURNAL_SUFFIX JOURNAL_HIDDEN, &paths);
	for (size_t i = 0; i < n; i++)
		if (!journal_is_open(paths[i]))
			unlink(paths[i]);   /* its run was killed before it was published */
	journal_list_free(paths, n);
}

/* ---- what one look tells ---- */

#define HEAD_MAX (1 << 20)    /* of a first line */
#define TAIL_MAX 256          /* a last line that ends a run is shorter */

/* The first line as JSON, or NULL. */
static cJSON *
read_head(int fd)
{
	struct buf b = BUF_INIT;
	cJSON *head = NULL;
	char piece[4096], *end = NULL;
	ssize_t n;

	while (!end && b.len < HEAD_MAX &&
	    (n = pread(fd, piece, sizeof(piece), (off_t)b.len)) > 0) {
		buf_add(&b, piece, (size_t)n);
		end = strchr(b.data + b.len - (size_t)n, '\n');
	}
	if (end)
		head = cJSON_ParseWithLength(b.data, (size_t)(end - b.data));
	buf_release(&b);
	return head;
}

/* Whether the last line is that of a run that ended. */
static bool
has_end(int fd)
{
	char tail[TAIL_MAX + 1];
	struct stat st;
	ssize_t n;
	char *line;
	cJSON *last;
	bool ended;

	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return false;
	n = pread(fd, tail, TAIL_MAX, st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0);
	if (n < 2 || tail[n - 1] != '\n')
		return false;
	tail[n - 1] = '\0';
	line = strrchr(tail, '\n');
	last = line ? cJSON_Parse(line + 1) : NULL;
	ended = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(last, "end"));
	cJSON_Delete(last);
	return ended;
}

bool
journal_is_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_open = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return is_open;
}

char *
journal_run_id(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	cJSON *head = fd >= 0 ? read_head(fd) : NULL;
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(head, "run"));
	char *own = id ? xstrdup(id) : NULL;

	cJSON_Delete(head);
	if (fd >= 0)
		close(fd);
	return own;
}

/* Its id, new string; or NULL. */
static char *
killed_run(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *id, *mark;
	char *killed = NULL;
	cJSON *head;
	long pid;

	if (fd < 0)
		return NULL;
	head = has_end(fd) ? NULL : read_head(fd);
	id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(head, "run"));
	mark = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(head, "process"));
	if (id && mark && process_find(mark, &pid) == PROCESS_IS_DEAD)
		killed = xstrdup(id);
	cJSON_Delete(head);
	close(fd);
	return killed;
}

char **
journal_killed_runs(const char *dir, const char *also)
{
	char **paths, **ids, *id;
	size_t npaths = journal_list(dir, &paths), n = 0;

	ids = xcalloc(npaths + 2, sizeof(*ids));
	if (also)
		ids[n++] = xstrdup(also);
	for (size_t i = 0; i < npaths; i++)
		if ((id = killed_run(paths[i])))
			ids[n++] = id;
	journal_list_free(paths, npaths);
	return ids;
}

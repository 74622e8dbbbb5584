#include "executor/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/process.h"
#include "util/text.h"
#include "util/xalloc.h"

struct journal {
	char *dir, *path;
	char *hidden;                /* where it is until it is published; then NULL */
	int fd;
	struct buf line;             /* reused */
	off_t len;                   /* of the whole lines in the file */

	pthread_t syncer;
	pthread_mutex_t lock;        /* guards all below */
	pthread_cond_t wake;
	bool dirty, stopping;
	int sync_failed;             /* errno of a sync: what was written may be lost */
};

/* ---- the thread that syncs ---- */

/* Some file systems cannot; then the record is as safe as they are. */
static int
sync_now(int fd)
{
	int rc = fdatasync(fd);

	return rc < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? -1 : 0;
}

/* Waits until something was written, lets more gather for a moment, then syncs all of it at
 * once. */
static void *
sync_loop(void *self)
{
	struct journal *j = self;
	struct timespec until;
	int failed;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		while (!j->dirty && !j->stopping)
			pthread_cond_wait(&j->wake, &j->lock);
		if (j->stopping)
			break;
		/* Lines gather; dirty already, they signal nothing. The end of the run does. */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += JOURNAL_SYNC_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		while (!j->stopping && pthread_cond_timedwait(&j->wake, &j->lock, &until) == 0)
			;
		j->dirty = false;
		pthread_mutex_unlock(&j->lock);
		failed = sync_now(j->fd) < 0 ? errno : 0;
		pthread_mutex_lock(&j->lock);
		if (failed)
			j->sync_failed = failed;
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* ---- writing ---- */

static int
write_failed(const struct journal *j, struct err *err)
{
	err_sys(err, "%s: cannot write the journal", j->path);
	return err_hint(err, "nothing new is started; free some room, then run `heddle retry`");
}

/* Appends the line as one write, so that what a crash cuts is at most its tail. What a full disk
 * cuts is taken back: a later line may find room. */
static int
put_line(struct journal *j, struct err *err)
{
	size_t done = 0;
	int failed;

	buf_adds(&j->line, "}\n");
	while (done < j->line.len) {
		ssize_t n = write(j->fd, j->line.data + done, j->line.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			failed = errno;
			if (done > 0 && ftruncate(j->fd, j->len) < 0) {
				/* Its reader drops a last line that is cut. */
			}
			errno = failed;
			return write_failed(j, err);
		}
		done += (size_t)n;
	}
	j->len += (off_t)done;
	pthread_mutex_lock(&j->lock);
	failed = j->sync_failed;
	if (!j->dirty) {
		j->dirty = true;
		pthread_cond_signal(&j->wake);
	}
	pthread_mutex_unlock(&j->lock);
	errno = failed;
	return failed ? write_failed(j, err) : 0;
}

static void
add_text(struct journal *j, const char *key, const char *text)
{
	if (!text)
		return;
	buf_addf(&j->line, ", \"%s\": ", key);
	text_add_json(&j->line, text);
}

/* JSON from dbt: masked, and kept on one line (it holds no raw newline, being JSON in one
 * piece). */
static void
add_json(struct journal *j, const char *key, const char *json)
{
	size_t from;

	buf_addf(&j->line, ", \"%s\": ", key);
	from = j->line.len;
	buf_adds(&j->line, json);
	secrets_mask(&j->line, from);
}

static void
open_line(struct journal *j, int64_t at_ms)
{
	buf_truncate(&j->line, 0);
	buf_addf(&j->line, "{\"t\": %" PRId64, at_ms);
}

static int
on_event(void *self, const struct run_event *ev, struct err *err)
{
	struct journal *j = self;
	const struct run_task *t = ev->task;
	bool attempt_ended = ev->from == TASK_RUNNING;

	if (ev->kind != EVENT_TASK || ev->to == TASK_WAITING || ev->to == TASK_READY ||
	    (ev->from == TASK_WAITING && ev->to == TASK_DONE))   /* journal_keep() */
		return 0;
	open_line(j, ev->at_ms);
	add_text(j, "id", t->task->node->id);
	if (ev->to != TASK_SKIPPED)
		buf_addf(&j->line, ", \"try\": %u", t->attempts);
	add_text(j, "to", task_state_name(ev->to));
	if (ev->to == TASK_DONE)
		add_text(j, "status", result_status_name(t->status));
	if (attempt_ended)
		add_text(j, "class", error_class_name(t->class));
	add_text(j, "why", t->why);
	if (ev->to == TASK_DONE && t->entry)
		add_json(j, "entry", t->entry);
	return put_line(j, err);
}

int
journal_keep(struct journal *j, const struct journal_node *n, struct err *err)
{
	if (!n->running && !n->status)
		return 0;        /* it was skipped, or had not started */
	open_line(j, clock_wall_ms());
	add_text(j, "id", n->id);
	buf_addf(&j->line, ", \"try\": %u", n->attempts);
	add_text(j, "to", task_state_name(n->running ? TASK_RUNNING : TASK_DONE));
	buf_adds(&j->line, ", \"earlier\": true");
	if (!n->running) {
		add_text(j, "status", n->status);
		add_text(j, "class", n->class);
		add_text(j, "why", n->why);
		if (n->entry)
			add_json(j, "entry", n->entry);
	}
	return put_line(j, err);
}

/* The name lasts as well, where the file system can say so. */
static void
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fsync(fd) < 0) {
		/* Then it is as safe as that file system makes it. */
	}
	close(fd);
}

int
journal_publish(struct journal *j, struct err *err)
{
	if (sync_now(j->fd) < 0)
		return write_failed(j, err);
	if (rename(j->hidden, j->path) < 0)
		return err_sys(err, "%s: cannot make the journal", j->path);
	sync_dir(j->dir);
	free(j->hidden);
	j->hidden = NULL;
	journal_prune(j->dir, JOURNAL_KEEP);
	return 0;
}

struct observer
journal_observer(struct journal *j)
{
	return (struct observer){ .self = j, .event = on_event };
}

int
journal_hook(struct journal *j, const char *entry, bool at_start, struct err *err)
{
	open_line(j, clock_wall_ms());
	add_json(j, "hook", entry);
	add_text(j, "at", at_start ? "start" : "end");
	return put_line(j, err);
}

int
journal_end(struct journal *j, int exit_code, struct err *err)
{
	open_line(j, clock_wall_ms());
	buf_addf(&j->line, ", \"end\": %d", exit_code);
	if (put_line(j, err) < 0)
		return -1;
	return sync_now(j->fd) < 0 ? err_sys(err, "%s: cannot sync the journal", j->path) : 0;
}

/* ---- life ---- */

static void
add_mark(struct journal *j)
{
	char *mark = process_mark((long)getpid());

	add_text(j, "process", mark);
	free(mark);
}

/* Names sort by time, and the newest run is the one that is continued: a clock that was set back
 * must not hide what was done since. */
static int64_t
later_than_all(const char *dir, int64_t now_ms)
{
	char **paths, iso[CLOCK_ISO_SIZE];
	size_t n = journal_list(dir, &paths);
	int64_t newest = INT64_MIN;

	/* "20260131T093000.123-4711" */
	if (n > 0 && strlen(fs_base(paths[0])) > 19) {
		const char *s = fs_base(paths[0]);

		snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.2s:%.2s:%.6sZ", s, s + 4, s + 6, s + 9,
		    s + 11, s + 13);
		newest = clock_parse_iso_us(iso);
	}
	journal_list_free(paths, n);
	return newest != INT64_MIN && newest / 1000 >= now_ms ? newest / 1000 + 1 : now_ms;
}

static int
create(struct journal *j, const char *dir, int64_t now_ms, struct err *err)
{
	struct buf name = BUF_INIT;
	time_t s = (time_t)(now_ms / 1000);
	char stamp[32];
	struct tm tm;

	/* Names sort by time; the pid keeps two of one millisecond apart. */
	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	buf_addf(&name, "%s.%03d-%ld" JOURNAL_SUFFIX, stamp, (int)(now_ms % 1000), (long)getpid());
	j->dir = xstrdup(dir);
	j->path = fs_join(dir, name.data);
	buf_truncate(&name, 0);
	buf_addf(&name, "%s" JOURNAL_HIDDEN, j->path);
	j->hidden = buf_detach(&name);
	if (fs_mkdirs(dir, err) < 0)
		return -1;
	j->fd = open(j->hidden, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return err_sys(err, "%s: cannot make the journal", j->path);
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0) {
		/* A file system without locks: then a run on another machine is not noticed. */
	}
	return 0;
}

static void
release(struct journal *j)
{
	if (j->hidden)
		unlink(j->hidden);
	if (j->fd >= 0)
		close(j->fd);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->wake);
	buf_release(&j->line);
	free(j->hidden);
	free(j->path);
	free(j->dir);
	free(j);
}

struct journal *
journal_new(const char *dir, const struct journal_head *head, struct err *err)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	int64_t now_ms = later_than_all(dir, clock_wall_ms());
	pthread_condattr_t monotonic;

	j->fd = -1;
	pthread_mutex_init(&j->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (create(j, dir, now_ms, err) < 0)
		goto fail;
	buf_addf(&j->line, "{\"journal\": 1, \"started_ms\": %" PRId64 ", \"run\": ", now_ms);
	text_add_json(&j->line, head->run_id);
	add_text(j, "since", head->since);
	add_mark(j);
	add_json(j, "settings", head->settings);
	if (put_line(j, err) < 0)
		goto fail;
	if (pthread_create(&j->syncer, NULL, sync_loop, j) != 0) {
		err_set(err, "%s: cannot start the thread that syncs it", j->path);
		goto fail;
	}
	return j;
fail:
	release(j);
	return NULL;
}

void
journal_free(struct journal *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stopping = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->syncer, NULL);
	release(j);
}

const char *
journal_path(const struct journal *j)
{
	return j->path;
}

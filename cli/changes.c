#include "cli/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/diff_report.h"
#include "cli/record.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

enum { NAMED = 5, REASONS = 3 };    /* at most, in one line */

/* ---- keeping ---- */

static void
remove_folder(const char *dir, const char *name)
{
	char *folder = fs_join(dir, name), *file = fs_join(folder, "manifest.json");

	unlink(file);
	rmdir(folder);
	free(file);
	free(folder);
}

static void
remove_others(const char *dir, const char *keep)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (text_ends(e->d_name, JOURNAL_STATE_SUFFIX) && strcmp(e->d_name, keep) != 0)
			remove_folder(dir, e->d_name);
	if (d)
		closedir(d);
}

/* dbt may rewrite the manifest in place, so a link would not do. */
static bool
copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *piece = xmalloc(1 << 20);
	bool ok = in >= 0 && out >= 0;
	ssize_t n;

	while (ok && (n = read(in, piece, 1 << 20)) != 0)
		ok = n > 0 && write(out, piece, (size_t)n) == n;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (!ok)
		unlink(to);      /* half a manifest is worse than none */
	free(piece);
	return ok;
}

void
changes_keep_manifest(const char *manifest, const char *dir, const char *folder)
{
	char *to = fs_join(folder, "manifest.json");
	struct err ignored = ERR_INIT;

	remove_others(dir, fs_base(folder));
	if (fs_mkdirs(folder, &ignored) == 0 && !copy_file(manifest, to))
		rmdir(folder);
	err_release(&ignored);
	free(to);
}

unsigned
changes_fields(const char *folder)
{
	char *file = fs_join(folder, "manifest.json");
	unsigned fields = fs_exists(file) ? state_fields("modified") : 0;

	free(file);
	return fields;
}

/* ---- saying ---- */

static void
add_reasons(struct buf *b, const struct state_report *r)
{
	for (size_t i = 0; i < r->nchanges && i < REASONS; i++)
		buf_addf(b, "%s%s", i ? ", " : ": ", r->changes[i].what ? r->changes[i].what :
		    state_part_name(r->changes[i].part));
	if (r->nchanges > REASONS)
		buf_adds(b, ", ...");
}

static void
say_list(struct progress *progress, const char *what, const struct diff_list *l)
{
	struct buf b = BUF_INIT;

	if (l->n == 0)
		return;
	buf_addf(&b, "%zu node%s %s since that run", l->n, l->n == 1 ? "" : "s", what);
	for (size_t i = 0; i < l->n && i < NAMED; i++) {
		buf_addf(&b, "\n  %s", l->v[i].node->id);
		add_reasons(&b, &l->v[i].report);
	}
	if (l->n > NAMED)
		buf_addf(&b, "\n  and %zu more", l->n - NAMED);
	progress_log(progress, NULL, "warn", b.data);
	buf_release(&b);
}

/* What was done with the old code and is not done again: the user may not expect that. */
static void
say_kept(struct progress *progress, const struct diff_list *modified, const struct plan *plan,
    const struct schedule_known *known)
{
	struct buf b = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; known && i < modified->n; i++) {
		const struct task *t = plan_find(plan, modified->v[i].node);

		if (!t || !known[t->index].known || known[t->index].status == RESULT_ERROR)
			continue;
		if (n++ < NAMED)
			buf_addf(&b, "%s %s", n > 1 ? "," : "", t->node->id);
	}
	if (n > NAMED)
		buf_addf(&b, " and %zu more", n - NAMED);
	if (n) {
		struct buf line = BUF_INIT;

		buf_addf(&line, "done before, so not run with the new code:%s", b.data);
		progress_log(progress, NULL, "warn", line.data);
		buf_release(&line);
	}
	buf_release(&b);
}

void
changes_say(struct progress *progress, const char *folder, const struct graph *g,
    const struct set *selected, const struct plan *plan, const struct schedule_known *known)
{
	struct err ignored = ERR_INIT;
	struct diff d = { 0 };
	struct state *s;

	if (!changes_fields(folder))
		return;
	s = state_new(folder, ".", false);   /* both are of one target */
	if (diff_collect(&d, s, g, selected, true, &ignored) == 0) {
		say_list(progress, "new", &d.added);
		say_list(progress, "modified", &d.modified);
		say_list(progress, "removed", &d.removed);
		say_kept(progress, &d.modified, plan, known);
	}
	diff_release(&d);
	state_free(s);
	err_release(&ignored);
}

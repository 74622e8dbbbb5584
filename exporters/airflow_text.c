#include "exporters/airflow.h"

#include <string.h>

#define DEFAULT_TIMEOUT_MS (60 * 60 * 1000)

/* ---- texts ---- */

void
airflow_add_words(struct buf *out, const char *const *words, size_t n)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ' ');
		emit_shell_word(&b, words[i]);
	}
	emit_jinja_text(out, buf_str(&b));
	buf_release(&b);
}

void
airflow_add_flag(struct buf *out, const char *flag, const char *value)
{
	if (!value)
		return;
	buf_addf(out, " %s ", flag);
	airflow_add_words(out, &value, 1);
}

void
airflow_add_common_flags(struct buf *out, const struct task_options *o)
{
	airflow_add_flag(out, "--profile", o->profile);
	airflow_add_flag(out, "--target", o->target);
	if (o->vars) {    /* the user's own words: {{ ds }} in them is meant */
		buf_adds(out, " --vars ");
		emit_shell_word(out, o->vars);
	}
	airflow_add_flag(out, "--project-dir", o->project_dir);
	airflow_add_flag(out, "--profiles-dir", o->profiles_dir);
}

static void
add_timedelta(struct emit *e, int64_t ms)
{
	if (ms % (60 * 60 * 1000) == 0)
		emit_add(e, "timedelta(hours=%f)", (double)ms / (60 * 60 * 1000));
	else if (ms % (60 * 1000) == 0)
		emit_add(e, "timedelta(minutes=%f)", (double)ms / (60 * 1000));
	else
		emit_add(e, "timedelta(seconds=%f)", (double)ms / 1000);
}

/* ---- policies ---- */

struct task_policy
airflow_policy(const struct step *s)
{
	struct task_policy p = s->policy;

	if (p.timeout_ms == 0)
		p.timeout_ms = DEFAULT_TIMEOUT_MS;
	return p;
}

static bool
same_policy(const struct task_policy *a, const struct task_policy *b)
{
	return a->max_attempts == b->max_attempts && a->delay_ms == b->delay_ms &&
		(a->factor > 1) == (b->factor > 1) && a->max_delay_ms == b->max_delay_ms &&
		a->timeout_ms == b->timeout_ms;
}

struct task_policy
airflow_usual_policy(const struct steps *s)
{
	struct task_policy best = { .max_attempts = 3, .delay_ms = 60000, .factor = 2,
		.timeout_ms = DEFAULT_TIMEOUT_MS };
	size_t most = 0, nseen = 0;
	struct { struct task_policy p; size_t n; } seen[16];

	for (size_t i = 0; i < s->n; i++) {
		struct task_policy p = airflow_policy(&s->v[i]);
		size_t k = 0;

		while (k < nseen && !same_policy(&seen[k].p, &p))
			k++;
		if (k == nseen && nseen == sizeof(seen) / sizeof(*seen))
			continue;
		if (k == nseen) {
			seen[nseen].p = p;
			seen[nseen++].n = 0;
		}
		if (++seen[k].n > most) {
			most = seen[k].n;
			best = p;
		}
	}
	return best;
}

static const char *
growth(const struct task_policy *p)
{
	return p->factor > 1 ? "True" : "False";
}

static int64_t
delay_ms(const struct task_policy *p)
{
	return p->delay_ms ? p->delay_ms : 1000;
}

static size_t
nretries(const struct task_policy *p)
{
	return p->max_attempts ? p->max_attempts - 1 : 0;
}

void
airflow_write_default_args(struct airflow *a)
{
	struct emit *e = &a->e;
	const struct task_policy *p = &a->usual;

	emit_line(e, "\"retries\": %z,", nretries(p));
	emit_indent(e);
	emit_add(e, "\"retry_delay\": ");
	add_timedelta(e, delay_ms(p));
	emit_add(e, ",\n");
	emit_line(e, "\"retry_exponential_backoff\": %s,", growth(p));
	if (p->factor > 1 && p->max_delay_ms) {
		emit_indent(e);
		emit_add(e, "\"max_retry_delay\": ");
		add_timedelta(e, p->max_delay_ms);
		emit_add(e, ",\n");
	}
	emit_indent(e);
	emit_add(e, "\"execution_timeout\": ");
	add_timedelta(e, p->timeout_ms);
	emit_add(e, ",\n");
	emit_line(e, "\"weight_rule\": \"absolute\",");
}

void
airflow_add_policy(struct emit *e, const struct airflow *a, const struct task_policy *p,
    const char *open, const char *between)
{
	const struct task_policy *usual = &a->usual;

	if (nretries(p) != nretries(usual))
		emit_add(e, "%sretries%s%z", open, between, nretries(p));
	if (delay_ms(p) != delay_ms(usual)) {
		emit_add(e, "%sretry_delay%s", open, between);
		add_timedelta(e, delay_ms(p));
	}
	if (strcmp(growth(p), growth(usual)) != 0)
		emit_add(e, "%sretry_exponential_backoff%s%s", open, between, growth(p));
	if (p->factor > 1 && p->max_delay_ms && p->max_delay_ms != usual->max_delay_ms) {
		emit_add(e, "%smax_retry_delay%s", open, between);
		add_timedelta(e, p->max_delay_ms);
	}
	if (p->timeout_ms != usual->timeout_ms) {
		emit_add(e, "%sexecution_timeout%s", open, between);
		add_timedelta(e, p->timeout_ms);
	}
}

#include "exporters/airflow.h"

#include <string.h>

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

static const char *
growth(const struct task_policy *p)
{
	return p->factor > 1 ? "True" : "False";
}

/* The longest wait between tries, 0 = none: of waits that grow. */
static int64_t
longest_delay_ms(const struct task_policy *p)
{
	return p->factor > 1 ? p->max_delay_ms : 0;
}

void
airflow_write_default_args(struct airflow *a)
{
	struct emit *e = &a->e;
	const struct task_policy *p = &a->usual;

	emit_line(e, "\"retries\": %z,", (size_t)(p->max_attempts - 1));
	emit_indent(e);
	emit_add(e, "\"retry_delay\": ");
	add_timedelta(e, p->delay_ms);
	emit_add(e, ",\n");
	emit_line(e, "\"retry_exponential_backoff\": %s,", growth(p));
	if (longest_delay_ms(p)) {
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

	if (p->max_attempts != usual->max_attempts)
		emit_add(e, "%sretries%s%z", open, between, (size_t)(p->max_attempts - 1));
	if (p->delay_ms != usual->delay_ms) {
		emit_add(e, "%sretry_delay%s", open, between);
		add_timedelta(e, p->delay_ms);
	}
	if (strcmp(growth(p), growth(usual)) != 0)
		emit_add(e, "%sretry_exponential_backoff%s%s", open, between, growth(p));
	if (longest_delay_ms(p) && longest_delay_ms(p) != longest_delay_ms(usual)) {
		emit_add(e, "%smax_retry_delay%s", open, between);
		add_timedelta(e, p->max_delay_ms);
	}
	if (p->timeout_ms != usual->timeout_ms) {
		emit_add(e, "%sexecution_timeout%s", open, between);
		add_timedelta(e, p->timeout_ms);
	}
}

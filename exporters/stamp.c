#include "exporters/stamp.h"

#include <stdio.h>
#include <string.h>

#include "util/hash.h"
#include "util/text.h"

#define START "heddle export "
#define PLAN "plan="

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("_.,:;+@=/*()-", c));
}

void
stamp_word(struct buf *line, const char *word)
{
	if (line->len)
		buf_addc(line, ' ');
	for (const char *s = word; *s; s++) {
		if (is_plain(*s))
			buf_addc(line, *s);
		else
			buf_addf(line, "%%%02X", (unsigned char)*s);
	}
}

static uint64_t
hash_task(uint64_t h, const struct plan *plan, const struct task *t)
{
	const struct task_policy *p = &t->policy;

	h = hash_text(h, t->node->id);
	for (size_t i = 0; i < t->nparents; i++)
		h = hash_text(h, plan->tasks[t->parents[i]].node->id);
	h = hash_number(h, t->nparents);
	h = hash_number(h, p->max_attempts);
	h = hash_number(h, (uint64_t)p->delay_ms);
	h = hash_number(h, (uint64_t)p->timeout_ms);
	return hash_text(h, p->pool);
}

static uint64_t
hash_job(const struct export_job *job)
{
	const struct graph *g = job->graph;
	uint64_t h = hash_text(HASH_START, plan_command_name(job->plan->command));

	for (size_t i = set_next(job->nodes, 0); i < job->nodes->nbits; i = set_next(job->nodes,
	    i + 1)) {
		const struct node *n = &g->nodes[i];

		h = hash_text(h, n->id);
		for (size_t k = 0; k < n->nparents; k++)
			if (set_has(job->nodes, n->parents[k]))
				h = hash_text(h, g->nodes[n->parents[k]].id);
	}
	for (size_t i = 0; i < job->plan->ntasks; i++)
		h = hash_task(h, job->plan, &job->plan->tasks[i]);
	return h;
}

void
stamp_plan(struct buf *line, const struct export_job *job)
{
	buf_addf(line, " " PLAN "%016llx", (unsigned long long)hash_job(job));
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The word at *s, decoded, *s behind it; NULL at the end of the line. */
static const char *
take_word(struct arena *a, const char **s)
{
	const char *from = *s, *p = *s;
	char *word, *w;

	while (is_plain(*p) || (p[0] == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0))
		p += *p == '%' ? 3 : 1;
	if (p == from)
		return NULL;
	w = word = arena_strndup(a, from, (size_t)(p - from));
	for (const char *q = from; q < p; q++) {
		if (*q == '%') {
			*w++ = (char)(hex(q[1]) * 16 + hex(q[2]));
			q += 2;
		} else {
			*w++ = *q;
		}
	}
	*w = '\0';
	*s = *p == ' ' ? p + 1 : p;
	return word;
}

bool
stamp_find(struct stamp *s, struct arena *a, const char *text)
{
	const char *at = strstr(text, START), *p;
	const char *word;
	size_t n = 0;

	if (!at)
		return false;
	for (p = at; (word = take_word(a, &p)) && !text_starts(word, PLAN); )
		n++;
	if (!word)
		return false;
	s->plan = word + strlen(PLAN);
	s->nwords = n;
	s->words = arena_zalloc(a, n + 1, sizeof(*s->words));
	p = at;
	for (size_t i = 0; i < n; i++)
		s->words[i] = take_word(a, &p);
	return true;
}

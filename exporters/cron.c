#include "exporters/cron.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/text.h"
#include "util/xalloc.h"

#define EVERY "@every "    /* a time follows */
#define USUAL "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"

const char *const cron_words[] = { USUAL, NULL };
const char *const cron_words_go[] = { USUAL, EVERY, NULL };

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};
static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

static const struct field {
	const char *name;
	unsigned least, most;
	const char *const *names;    /* of the values; NULL = they have none */
	bool last;                   /* L and # mean something */
} fields[] = {
	{ "minute", 0, 59, NULL, false },
	{ "hour", 0, 23, NULL, false },
	{ "day of the month", 1, 31, NULL, true },
	{ "month", 1, 12, months, false },
	{ "day of the week", 0, 7, days, true },
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

bool
cron_is_given(const char *schedule)
{
	return schedule && strcmp(schedule, "none") != 0;
}

/* Past a number of at most `most` and at least `least`, or NULL. */
static const char *
number_end(const char *s, unsigned least, unsigned most)
{
	unsigned n = 0;
	const char *end = s;

	while (*end >= '0' && *end <= '9' && n <= most)
		n = n * 10 + (unsigned)(*end++ - '0');
	return end > s && n >= least && n <= most ? end : NULL;
}

/* Past one value of the field, a number or a name; NULL: there is none. */
static const char *
value_end(const struct field *f, const char *s)
{
	for (size_t i = 0; f->names && f->names[i]; i++)
		if (strncasecmp(s, f->names[i], 3) == 0)
			return s + 3;
	return number_end(s, f->least, f->most);
}

/* Past "*", "5", "mon-fri", "L", "fri#2", "5L"; NULL: it is none of them. */
static const char *
range_end(const struct field *f, const char *s)
{
	if (*s == '*' || (*s == '?' && f->last))
		return s + 1;
	if (f->last && (*s == 'L' || *s == 'l'))
		return value_end(f, s + 1) ? value_end(f, s + 1) : s + 1;
	s = value_end(f, s);
	if (s && *s == '-')
		return value_end(f, s + 1);
	if (s && f->last && *s == '#')
		return number_end(s + 1, 1, 5);
	return s && f->last && (*s == 'L' || *s == 'l') ? s + 1 : s;
}

static bool
is_field(const struct field *f, const char *s)
{
	for (;;) {
		s = range_end(f, s);
		if (s && *s == '/')
			s = number_end(s + 1, 1, f->most + 1);
		if (!s || *s != ',')
			return s && *s == '\0';
		s++;
	}
}

void
cron_add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++)
		buf_addf(out, ", %s%s", words[i], strcmp(words[i], EVERY) == 0 ? "1h" :
		    text_ends(words[i], ":") ? "..." : "");
}

/* What a user may write in place of a wrong one. */
static int
suggest(const char *const *words, struct err *err)
{
	struct buf all = BUF_INIT;

	cron_add_words(&all, words);
	err_hint(err, "minute, hour, day, month, weekday: '0 6 * * 1-5'; or none%s", buf_str(&all));
	buf_release(&all);
	return -1;
}

static bool
is_time(const char *s)
{
	return *s >= '0' && *s <= '9' && s[strspn(s, "0123456789.hms")] == '\0';
}

static bool
is_word(const char *schedule, const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++) {
		const char *rest = schedule + strlen(words[i]);

		if (text_starts(schedule, words[i]) &&
		    (strcmp(words[i], EVERY) == 0 ? is_time(rest) :
		    text_ends(words[i], ":") ? *rest != '\0' : *rest == '\0'))
			return true;
	}
	return false;
}

static int
check_line(const char *schedule, char *line, const char *const *words, struct err *err)
{
	const char *parts[NFIELDS] = { NULL };
	size_t n = 0;

	for (char *save = NULL, *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (n++ < NFIELDS)
			parts[n - 1] = w;
	if (n != NFIELDS) {
		err_set(err, "--schedule: '%s' is no cron line: it has %zu field%s, not five",
		    schedule, n, n == 1 ? "" : "s");
		return suggest(words, err);
	}
	for (size_t i = 0; i < NFIELDS; i++) {
		if (is_field(&fields[i], parts[i]))
			continue;
		err_set(err, "--schedule: '%s' is no %s (%u to %u)", parts[i], fields[i].name,
		    fields[i].least, fields[i].most);
		return suggest(words, err);
	}
	return 0;
}

int
cron_check(const char *schedule, const char *const *words, struct err *err)
{
	char *line;
	int rc;

	if (!cron_is_given(schedule) || is_word(schedule, words))
		return 0;
	if (*schedule == '@') {
		err_set(err, "--schedule: '%s' is no schedule of this target", schedule);
		return suggest(words, err);
	}
	line = xstrdup(schedule);
	rc = check_line(schedule, line, words, err);
	free(line);
	return rc;
}

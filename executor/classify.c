#include "executor/classify.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "executor/classify_rules.h"
#include "util/text.h"

static bool
applies(const struct classify_rule *r, const char *adapter)
{
	return !r->adapter || (adapter && (strcmp(adapter, CLASSIFY_ANY_ADAPTER) == 0 ||
	    strcmp(r->adapter, adapter) == 0));
}

static const struct classify_rule *
by_type(const struct failure *f)
{
	for (size_t t = f->ntypes; t-- > 0;)
		for (size_t i = 0; i < classify_types.n; i++) {
			const struct classify_rule *r = &classify_types.rows[i];

			if (applies(r, f->adapter) && text_ends(f->types[t], r->what))
				return r;
		}
	return NULL;
}

static const struct classify_rule *
by_code(const struct failure *f)
{
	for (size_t i = 0; f->code && i < classify_codes.n; i++) {
		const struct classify_rule *r = &classify_codes.rows[i];

		if (applies(r, f->adapter) && text_starts(f->code, r->what) &&
		    (strlen(f->code) == 3) == (strlen(r->what) == 3))
			return r;
	}
	return NULL;
}

/* Whether a line of the text is the word, blanks aside. */
static bool
has_line(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (;;) {
		size_t len;

		while (*text == ' ' || *text == '\t')
			text++;
		len = strcspn(text, "\n");
		if (strncasecmp(text, word, n) == 0 && n <= len) {
			while (n < len && isspace((unsigned char)text[len - 1]))
				len--;
			if (n == len)
				return true;
			len = strcspn(text, "\n");
		}
		if (!text[len])
			return false;
		text += len + 1;
	}
}

static bool
contains(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (*word == '^')
		return has_line(text, word + 1);
	for (; *text; text++)
		if (strncasecmp(text, word, n) == 0)
			return true;
	return false;
}

static const struct classify_rule *
by_word(const struct failure *f, bool one_databases)
{
	for (size_t i = 0; f->message && i < classify_words.n; i++) {
		const struct classify_rule *r = &classify_words.rows[i];

		if ((r->adapter != NULL) == one_databases && applies(r, f->adapter) &&
		    contains(f->message, r->what))
			return r;
	}
	return NULL;
}

static struct classified
verdict(const struct classify_rule *r, const char *by)
{
	return (struct classified){ .class = r->class, .by = by, .what = r->what,
		.adapter = r->adapter, .why = r->why, .source = r->source };
}

struct classified
classify_why(const struct failure *f)
{
	struct classified none = { .class = CLASS_DATABASE };
	const struct classify_rule *r;

	if (f->status == RESULT_FAIL)
		none.class = CLASS_TEST_FAILURE;
	else if (f->status != RESULT_ERROR && f->status != RESULT_PARTIAL &&
	    f->status != RESULT_RUNTIME_ERROR)
		none.class = CLASS_NONE;
	if (none.class != CLASS_DATABASE)
		return none;
	if ((r = by_code(f)))
		return verdict(r, "code");
	if ((r = by_word(f, true)))
		return verdict(r, "words");
	if (!f->code && (r = by_type(f)))
		return verdict(r, "exception");
	if (!f->code && (r = by_word(f, false)))
		return verdict(r, "words");
	return none;
}

enum error_class
classify(const struct failure *f)
{
	return classify_why(f).class;
}

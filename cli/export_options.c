#include "cli/export_options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/stamp.h"
#include "util/xalloc.h"

static void
spell(struct buf *line, const struct opt *opt, const char *value)
{
	char *word = xstrndup(opt->name, strcspn(opt->name, "|"));
	struct buf b = BUF_INIT;

	buf_addf(&b, "--%s%s%s", word, value ? "=" : "", value ? value : "");
	stamp_word(line, buf_str(&b));
	buf_release(&b);
	free(word);
}

void
export_options_add(struct buf *line, const struct opt *table)
{
	for (const struct opt *t = table; t->name; t++) {
		const struct words *w = t->value;
		char number[24];

		if (!opt_given(t))
			continue;
		switch (t->type) {
		case OPT_FLAG:
			spell(line, t, NULL);
			break;
		case OPT_TEXT:
			spell(line, t, *(const char **)t->value);
			break;
		case OPT_UINT:
		case OPT_COUNT:
			snprintf(number, sizeof(number), "%u", *(unsigned *)t->value);
			spell(line, t, number);
			break;
		case OPT_DURATION:
			snprintf(number, sizeof(number), "%lldms", (long long)*(int64_t *)t->value);
			spell(line, t, number);
			break;
		case OPT_CLOCK:      /* a moment is no part of a file that stays */
			break;
		case OPT_WORDS:
			for (size_t i = 0; i < w->n; i++)
				spell(line, t, w->v[i]);
			break;
		}
	}
}

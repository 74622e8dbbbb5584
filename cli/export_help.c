#include "cli/export_help.h"

#include <stdio.h>
#include <string.h>

#include "cli/task_opts.h"
#include "util/text.h"

void
export_help_list(const char *indent)
{
	size_t n;
	const struct exporter *const *all = exporter_all(&n);

	for (size_t i = 0; i < n; i++)
		printf("%s%-11s %s\n", indent, all[i]->name, all[i]->summary);
}

static void
print_name(const char *option)
{
	printf("  --%-14s ", option);
}

/* names: NULL-ended. usual: the one that is meant when the option is not given. */
static void
print_choice(const char *option, const char *const *names, size_t usual)
{
	if (!names)
		return;
	print_name(option);
	for (size_t i = 0; names[i]; i++)
		printf("%s%s%s", i ? ", " : "", names[i], i == usual ? " (default)" : "");
	putchar('\n');
}

static void
print_schedule(const char *const *words)
{
	print_name("schedule");
	printf("none (default), a cron line of five fields");
	for (size_t i = 0; words && words[i]; i++)
		printf(", %s%s", words[i], text_ends(words[i], ":") ? "..." :
		    text_ends(words[i], " ") ? "1h" : "");
	putchar('\n');
}

static void
print_values(const struct exporter *x)
{
	static const char *const tests[] = {
#define X(id, name) name,
		TEST_MODES(X) NULL
	}, *const granularities[] = {
		GRANULARITIES(X) NULL
	}, *const runners[] = {
		RUNNERS(X) NULL
#undef X
	};

	puts("\nOf this target:");
	print_choice("style", x->styles, 0);
	print_choice("operator", x->ops, 0);
	print_choice("tests", tests, TESTS_AFTER_EACH);
	print_choice("granularity", x->parts ? granularities : NULL, GRANULARITY_NODE);
	print_choice("runner", runners, x->runner);
	print_schedule(x->cron_words);
	if (x->image) {
		print_name("image");
		puts("needed: the tasks run in containers");
	}
}

void
export_help_target(const struct exporter *x, const struct opt_group *groups)
{
	printf("heddle export %s: %s\n\nusage: heddle export %s [options]%s\n", x->name, x->summary,
	    x->name, x->folder ? " -o FOLDER" : "");
	if (x->runs)
		print_values(x);
	for (; groups->title; groups++)
		if (x->runs || groups->table != task_opts)
			opts_print(groups->table, groups->title);
}

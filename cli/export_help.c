#include "cli/export_help.h"

#include <stdio.h>

#include "cli/task_opts.h"
#include "exporters/cron.h"

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
	struct buf b = BUF_INIT;

	cron_add_words(&b, words);
	print_name("schedule");
	printf("none (default), a cron line of five fields%s\n", buf_str(&b));
	buf_release(&b);
}

static void
print_values(const struct exporter *x)
{
	puts("\nOf this target:");
	print_choice("style", x->styles, 0);
	print_choice("operator", x->ops, 0);
	print_choice("tests", test_mode_names, TESTS_AFTER_EACH);
	print_choice("granularity", x->parts ? granularity_names : NULL, GRANULARITY_NODE);
	print_choice("runner", task_runner_names, x->runner);
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

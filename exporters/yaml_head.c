#include "exporters/yaml_head.h"

#include <string.h>

#include "exporters/steps.h"

void
yaml_write_head(struct emit *e, const struct export_job *job, const char *what, bool each)
{
	emit_line(e, "# %s of the dbt project %c: %s.", what, job->title,
	    each ? "one task per dbt node" : "the whole project at once");
	emit_line(e, "# Made by: %s", job->stamp);
	emit_line(e, "# Out of date?  heddle export --check FILE");
	if (each && steps_about_hooks(job->tasks))
		emit_line(e, "# %s", steps_about_hooks(job->tasks));
	if (!each && job->tasks->hooks && job->tasks->tests == TESTS_AFTER_ALL)
		emit_line(e, "# Built first and tested then: on-run-start and on-run-end hooks run "
		    "in both commands.");
	if (each && job->tasks->tests != TESTS_NONE)
		emit_line(e, "# A failed test holds back what reads its model; a test of "
		    "severity warn never does.");
}

const char *
yaml_timezone(const struct task_options *o)
{
	return o->timezone ? o->timezone : "Etc/UTC";
}

bool
yaml_is_variable(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return n && name[n] == '\0' && !(name[0] >= '0' && name[0] <= '9');
}

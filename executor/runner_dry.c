#include "executor/runner_dry.h"

#include "util/buf.h"

static void
run(void *self, const struct job *job, struct result *result)
{
	struct buf b = BUF_INIT;

	(void)self;
	buf_addf(&b, "dbt %s --select %s", job->verb, job->select);
	result->message = buf_detach(&b);
	switch (job->kind) {
	case KIND_TEST:
	case KIND_UNIT_TEST:
		result->status = RESULT_PASS;
		break;
	case KIND_EXPOSURE:
	case KIND_SAVED_QUERY:
		result->status = RESULT_NO_OP;
		break;
	default:
		result->status = RESULT_SUCCESS;
	}
}

static void
cancel(void *self, const struct job *job)
{
	(void)self;
	(void)job;
}

struct runner
runner_dry(void)
{
	return (struct runner){ .run = run, .cancel = cancel };
}

/* cli/policies.h -- heddle.yml, node meta and flags -> the policy of each task of a plan.
 *
 *   policies_load -> policies.fields goes into the manifest's load -> policies_apply
 *
 * Precedence: flag > node meta > rules > pools' own selects > defaults of the file > built in.
 * Owner: caller; policy strings live as long as the struct. Thread: main. */
#ifndef HEDDLE_CLI_POLICIES_H
#define HEDDLE_CLI_POLICIES_H

#include "executor/config.h"
#include "graph/plan.h"
#include "graph/selector.h"
#include "util/arena.h"
#include "util/err.h"

struct policies {
	struct config config;
	struct arena arena;
	const struct selector **rules;    /* by rule; checked when loaded */
	const struct selector **pools;    /* by pool; NULL: it assigns nobody */
	unsigned fields;                  /* enum graph_fields that rules and meta need */
};

extern const struct task_policy policy_built_in;

/* Reads PROJECT_DIR/heddle.yml and every selector in it. 0, or -1 with err. */
int policies_load(struct policies *p, const char *project_dir, struct err *err);
void policies_release(struct policies *p);

/* Where each setting of one task comes from ("heddle.yml:7", "--retries", "config.meta"), for
 * people; NULL: built in. */
struct policy_origins {
	const char *from[NPOLICY_SETTINGS];
};

/* Fills the policy of each task. flags: what was given on the command line. origins: NULL, or an
 * entry per task. 0, or -1 with err (a rule that cannot be answered, bad node meta). */
int policies_apply(struct policies *p, struct plan *plan, const struct policy_patch *flags,
    struct policy_origins *origins, struct err *err);

#endif

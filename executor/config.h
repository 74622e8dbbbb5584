/* executor/config.h -- heddle.yml, and config.meta.heddle of a node: who is retried, how long, how
 * many at once. docs/config.md describes the file.
 *
 *   config_load -> (per rule: select, policy_patch()) -> config_node_patch() -> config_release
 *
 * Precedence: flag > node meta > rules > defaults of the file > built in; rules merge key by key,
 * the later rule wins.
 * Errors: -1 with err "FILE:LINE: what", and "did you mean" for unknown keys. The file is checked
 * whole.
 * Owner: the config's arena; strings live as long as it. Thread: main.
 */
#ifndef HEDDLE_EXECUTOR_CONFIG_H
#define HEDDLE_EXECUTOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "executor/notify.h"
#include "graph/plan.h"
#include "util/arena.h"
#include "util/err.h"

/* What may be set, with its name for people. */
#define POLICY_SETTINGS(X) \
	X(ATTEMPTS, "retries.attempts") \
	X(DELAY, "retries.delay") \
	X(FACTOR, "retries.factor") \
	X(MAX_DELAY, "retries.max_delay") \
	X(JITTER, "retries.jitter") \
	X(ON, "retries.on") \
	X(TIMEOUT, "timeout") \
	X(POOL, "pool") \
	X(PRIORITY, "priority")

enum policy_setting {
#define X(id, name) POLICY_##id,
	POLICY_SETTINGS(X)
#undef X
	NPOLICY_SETTINGS
};

const char *policy_setting_name(enum policy_setting s);

/* Some settings of a policy. */
struct policy_patch {
	unsigned has;                 /* 1u << enum policy_setting */
	struct task_policy value;
};

/* Copies what the patch has; from[s] (NULL: not wanted) is set to `origin` for each setting
 * taken. */
void policy_patch(struct task_policy *to, const struct policy_patch *patch, const char *origin,
    const char *from[NPOLICY_SETTINGS]);

struct config_rule {
	const char *select;           /* dbt's selection language */
	const char *origin;           /* "heddle.yml:7" */
	struct policy_patch patch;
};

struct config_pool {
	const char *name;
	unsigned slots;
	const char *select;           /* also assigns these nodes; or NULL */
	const char *origin;
};

struct config {
	struct arena arena;
	const char *path;             /* as given */
	unsigned threads;             /* 0 = not set */
	const char *runner;           /* "worker", "cli", "shell", or NULL */
	const char *command;          /* the shell runner's, or NULL */
	struct policy_patch defaults;
	struct config_rule *rules;
	size_t nrules;
	struct config_pool *pools;
	size_t npools;
	struct notify_hook *hooks;    /* who is told how a run ended (executor/notify.h) */
	size_t nhooks;
	const char **transient;       /* extended regular expressions, checked */
	size_t ntransient;
};

/* A file that does not exist gives an empty config. */
int config_load(struct config *c, const char *path, struct err *err);
void config_release(struct config *c);

/* json: JSON text of a node's meta, or NULL; with `inside`, of its config, which has a key `meta`.
 * Reads the key `heddle` of meta. */
int config_node_patch(struct config *c, const char *json, bool inside, struct policy_patch *out,
    struct err *err);

/* NULL: unknown */
const struct config_pool *config_pool(const struct config *c, const char *name);

#endif

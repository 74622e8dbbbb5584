/* exporters/policy.h -- retries and time limits of steps, as orchestrators want them: each has one.
 * Pure. */
#ifndef HEDDLE_EXPORTERS_POLICY_H
#define HEDDLE_EXPORTERS_POLICY_H

#include "exporters/steps.h"

/* A step's policy; without a timeout it gets an hour, the delay is a second at least. */
struct task_policy policy_of(const struct step *s);
/* What a task can tell an orchestrator is the same; pools are not looked at. */
bool policy_same(const struct task_policy *a, const struct task_policy *b);
/* The policy most steps have; of equals the one that comes first. */
struct task_policy policy_usual(const struct steps *s);

/* As Python and YAML have them: 60, 0.5. */
double policy_seconds(int64_t ms);

#endif

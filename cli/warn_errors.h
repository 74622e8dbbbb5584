/* cli/warn_errors.h -- dbt's --warn-error-options for commands that each select one node: what the
 * project has, and that a selection which finds nothing is an error.
 */
#ifndef HEDDLE_CLI_WARN_ERRORS_H
#define HEDDLE_CLI_WARN_ERRORS_H

struct project;

/* JSON. dbt_version: of the manifest, or NULL. New string, caller frees. */
char *warn_errors_merge(const struct project *p, const char *dbt_version);

#endif

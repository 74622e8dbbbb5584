/* cli/connection.h -- where a project's tables are, as OpenLineage names such places:
 * "postgres://db.example:5432", "snowflake://account", "bigquery", "duckdb://shop.duckdb".
 *
 * Host and port are taken from the profile the run used, as dbt finds it (the run's own arguments,
 * the environment, the project, ~/.dbt). A value that needs more than env_var(), and a profile that
 * is not there, leave the adapter's name alone. Nothing else of a profile is read.
 */
#ifndef HEDDLE_CLI_CONNECTION_H
#define HEDDLE_CLI_CONNECTION_H

struct project;

/* args: what the run was told, as run_results.json has it: JSON, or NULL. New string, caller
 * frees. */
char *connection_namespace(const struct project *p, const char *adapter, const char *args);

#endif

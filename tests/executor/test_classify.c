#include "tests/check.h"

#include "executor/classify.h"
#include "executor/classify_rules.h"

static const char *
class_of(const char *adapter, const char *code, const char *type, const char *message)
{
	const char *types[] = { "dbt_common.exceptions.base.DbtRuntimeError", type };
	const struct failure f = { .adapter = adapter, .status = RESULT_ERROR, .code = code,
		.types = types, .ntypes = type ? 2 : 1, .message = message };

	return error_class_name(classify(&f));
}

static void
test_sqlstates_of_postgres(void **state)
{
	static const struct {
		const char *code, *class;
	} rows[] = {
		{ "40P01", "transient" },         /* deadlock detected */
		{ "40001", "transient" },         /* serialization failure */
		{ "55P03", "transient" },         /* lock not available */
		{ "57014", "transient" },         /* statement timeout */
		{ "57P01", "connection lost" },   /* admin shutdown: pg_terminate_backend */
		{ "57P03", "transient" },         /* starting up */
		{ "08006", "connection lost" },
		{ "53300", "transient" },         /* too many connections */
		{ "42601", "database" },          /* syntax error */
		{ "42P01", "database" },          /* undefined table */
		{ "42501", "database" },          /* insufficient privilege */
		{ "23505", "database" },          /* unique violation */
		{ "22012", "database" },          /* division by zero */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(class_of("postgres", rows[i].code,
		    "psycopg2.errors.Any", "x"), rows[i].class);
}

static void
test_a_known_code_beats_the_words_of_the_user(void **state)
{
	(void)state;
	assert_string_equal(class_of("postgres", "42703", NULL,
	    "column \"connection refused\" does not exist"), "database");
}

static void
test_a_dropped_connection_has_no_code(void **state)
{
	(void)state;
	assert_string_equal(class_of("postgres", NULL, "psycopg2.OperationalError",
	    "server closed the connection unexpectedly\n\tThis probably means"), "connection lost");
	assert_string_equal(class_of("postgres", NULL, "psycopg2.InterfaceError",
	    "connection already closed"), "connection lost");
}

static void
test_duckdb_by_exception_class(void **state)
{
	(void)state;
	assert_string_equal(class_of("duckdb", NULL, "_duckdb.TransactionException",
	    "TransactionContext Error: Conflict on tuple"), "transient");
	assert_string_equal(class_of("duckdb", NULL, "_duckdb.ParserException",
	    "Parser Error: syntax error at or near \"selekt\""), "database");
	assert_string_equal(class_of("duckdb", NULL, "_duckdb.CatalogException",
	    "Catalog Error: Table with name x does not exist!"), "database");
	assert_string_equal(class_of("postgres", NULL, "x.TransactionException", "x"), "database");
}

static void
test_compilation_is_not_the_database(void **state)
{
	(void)state;
	assert_string_equal(class_of("duckdb", NULL, "dbt_common.exceptions.base.CompilationError",
	    "Compilation Error in model a\n  'x' is undefined"), "compile");
	assert_string_equal(class_of("duckdb", NULL,
	    "dbt_common.exceptions.base.DbtInternalError", "oops"), "internal");
}

static void
test_only_failures_have_a_class(void **state)
{
	static const char *const types[] = { "x.TransactionException" };
	struct failure f = { .adapter = "duckdb", .types = types, .ntypes = 1 };

	(void)state;
	f.status = RESULT_SUCCESS;
	assert_int_equal(classify(&f), CLASS_NONE);
	f.status = RESULT_WARN;
	assert_int_equal(classify(&f), CLASS_NONE);
	f.status = RESULT_FAIL;
	assert_int_equal(classify(&f), CLASS_TEST_FAILURE);
	f.status = RESULT_PARTIAL;
	assert_int_equal(classify(&f), CLASS_TRANSIENT);
}

/* Messages as they stand in dbt's results: from the drivers' sources, the manuals and issues named
 * in the tables. */
static void
test_real_messages_of_other_databases(void **state)
{
	static const struct {
		const char *adapter, *code, *class, *message;
	} rows[] = {
		{ "snowflake", NULL, "transient",
		  "000625 (57014): Statement '018c3a53-00a8-9df1-0000-0cc5001ac9ee' "
		  "has locked table 'DATA_QUALITY_REPORT' in transaction 1558031235691 and this "
		  "lock has not yet been "
		  "released.\nYour statement was aborted because the number of waiters for this "
		  "lock exceeds the 20 "
		  "statements limit." },
		{ "snowflake", "57014", "transient",
		  "000630 (57014): Statement reached its statement or warehouse "
		  "timeout of 3,600 second(s) and was canceled." },
		{ "snowflake", "XX000", "transient",
		  "000603 (XX000): SQL execution internal error:\nProcessing aborted "
		  "by error 300002:2523989150; incident 8392846." },
		{ "snowflake", "08001", "transient",
		  "250001 (08001): Failed to connect to DB: x.snowflakecomputing.com" },
		{ "snowflake", NULL, "transient",
		  "390114 (08001): Authentication token has expired.  The user must "
		  "authenticate again." },
		{ "snowflake", "42S02", "database",
		  "002003 (42S02): SQL compilation error:\nObject 'A.B.C' does not "
		  "exist or not authorized." },
		{ "snowflake", "42000", "database",
		  "001003 (42000): SQL compilation error:\nsyntax error line 3" },
		{ "bigquery", "403", "transient",
		  "Exceeded rate limits: too many table update operations for this "
		  "table. For more information, see "
		  "https://cloud.google.com/bigquery/docs/troubleshoot-quotas" },
		{ "bigquery", "400", "transient",
		  "Could not serialize access to table a:b.c due to concurrent update" },
		{ "bigquery", "400", "transient",
		  "The job encountered an error during execution. Retrying the job may "
		  "solve the problem." },
		{ "bigquery", "503", "transient",
		  "Error encountered during execution. Retrying may solve the problem." },
		{ "bigquery", "500", "transient",
		  "An internal error occurred and the request could not be completed." },
		{ "bigquery", "403", "database",
		  "Quota exceeded: Your project exceeded quota for free query bytes "
		  "scanned." },
		{ "bigquery", "403", "database",
		  "Access Denied: Table a:b.c: User does not have permission" },
		{ "bigquery", "400", "database", "Unrecognized name: connection refused at [3:8]" },
		{ "redshift", NULL, "transient",
		  "Database Error in model a (models/a.sql)\n  1023\n  compiled code at "
		  "target/run/a.sql" },
		{ "redshift", NULL, "transient",
		  "1023\nDETAIL:  Serializable isolation violation on table - 100167, "
		  "transactions forming the cycle are: 55705701, 55705754 (pid:16606)" },
		{ "redshift", NULL, "transient",
		  "could not complete because of conflict with concurrent transaction" },
		{ "redshift", NULL, "transient",
		  "table 1256109 dropped by concurrent transaction" },
		{ "redshift", NULL, "connection lost",
		  "BrokenPipe: server socket closed. Please check that client side "
		  "networking configurations" },
		{ "redshift", NULL, "database",
		  "Database Error in model a\n  column \"x\" does not exist in 10230" },
		{ "databricks", NULL, "transient",
		  "[DELTA_CONCURRENT_APPEND.WITH_PARTITION_HINT] ConcurrentAppend"
		  "Exception: Files were added to partition [d=1] by a concurrent update. "
		  "SQLSTATE: 2D521" },
		{ "databricks", NULL, "transient",
		  "[INTERNAL_ERROR] Query could not be scheduled: HTTP Response code: "
		  "503. Please try again later. SQLSTATE: XX000" },
		{ "databricks", NULL, "transient",
		  "TEMPORARILY_UNAVAILABLE: Cluster 5711-083124-7nybcy05 is temporarily "
		  "unavailable." },
		{ "databricks", NULL, "connection lost",
		  "Error during request to server. Retry request would exceed "
		  "Retry policy max retry duration of 900.0 seconds" },
		{ "databricks", NULL, "connection lost",
		  "('Connection aborted.', RemoteDisconnected('Remote end closed "
		  "connection without response'))" },
		{ "databricks", NULL, "database",
		  "[TABLE_OR_VIEW_NOT_FOUND] The table or view `a` cannot be found. "
		  "SQLSTATE: 42P01" },
		{ "trino", NULL, "transient",
		  "TrinoQueryError(type=INTERNAL_ERROR, name=NO_NODES_AVAILABLE, "
		  "message=\"No nodes available to run query\", "
		  "query_id=20230516_090255_15910_3thya)" },
		{ "trino", NULL, "transient",
		  "TrinoExternalError(type=EXTERNAL, name=ICEBERG_COMMIT_ERROR, "
		  "message=\"Failed to commit during insert\", query_id=x)" },
		{ "trino", NULL, "transient",
		  "TrinoQueryError(type=INTERNAL_ERROR, name=GENERIC_INTERNAL_ERROR, "
		  "message=\"Unexpected response status (Bad Gateway) performing operation: "
		  "entity renamed\", query_id=x)" },
		{ "trino", NULL, "transient",
		  "failed to execute: HTTPConnectionPool(host='trino', port=1234): Max "
		  "retries exceeded with url: /v1/statement (Caused by "
		  "NewConnectionError('Failed to establish a new "
		  "connection: [Errno -3] Temporary failure in name resolution'))" },
		{ "trino", NULL, "database",
		  "TrinoUserError(type=USER_ERROR, name=TABLE_NOT_FOUND, message=\"line 2:6: "
		  "Table 'a.b.c' does not exist\", query_id=x)" },
		{ "trino", NULL, "database", "TrinoQueryError(type=INSUFFICIENT_RESOURCES, "
		  "name=EXCEEDED_GLOBAL_MEMORY_LIMIT, message=\"Query exceeded\", query_id=x)" },
		{ "athena", NULL, "transient",
		  "429 Client Error: Too Many Requests for url: https://x" },
		{ NULL, NULL, "transient", "HTTP Error 502: Bad Gateway" },
		{ "postgres", NULL, "database", "000625 (57014): words of another database" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *class = class_of(rows[i].adapter, rows[i].code, NULL, rows[i].message);

		if (strcmp(class, rows[i].class) != 0)
			fail_msg("%s, not %s: %s", class, rows[i].class, rows[i].message);
	}
}

static void
test_exceptions_of_other_drivers(void **state)
{
	static const struct {
		const char *adapter, *type, *class;
	} rows[] = {
		{ "snowflake", "snowflake.connector.errors.ServiceUnavailableError", "transient" },
		{ "snowflake", "snowflake.connector.errors.ProgrammingError", "database" },
		{ "bigquery", "google.api_core.exceptions.InternalServerError", "transient" },
		{ "bigquery", "requests.exceptions.ConnectionError", "connection lost" },
		{ "redshift", "redshift_connector.error.InterfaceError", "connection lost" },
		{ "redshift", "redshift_connector.error.ProgrammingError", "database" },
		{ "databricks", "databricks.sql.exc.UnsafeToRetryError", "connection lost" },
		{ "databricks", "databricks.sql.exc.ServerOperationError", "database" },
		{ "trino", "trino.exceptions.Http503Error", "transient" },
		{ "trino", "trino.exceptions.TrinoConnectionError", "connection lost" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(class_of(rows[i].adapter, NULL, rows[i].type, "x"),
		    rows[i].class);
}

static void
test_every_row_has_a_reason_and_a_source_and_can_be_reached(void **state)
{
	const struct classify_table *const tables[] = { &classify_codes, &classify_types,
	    &classify_words };

	(void)state;
	for (size_t t = 0; t < 3; t++)
		for (size_t i = 0; i < tables[t]->n; i++) {
			const struct classify_rule *r = &tables[t]->rows[i];
			const char *what = r->what + (*r->what == '^');
			struct failure f = { .adapter = r->adapter, .status = RESULT_ERROR };
			struct classified c;

			f.code = t == 0 ? what : NULL;
			f.types = &what;
			f.ntypes = t == 1;
			f.message = t == 2 ? what : NULL;
			c = classify_why(&f);
			if (!c.why || !*r->why || !*r->source || c.class != r->class)
				fail_msg("%s: not reached, or without a reason", r->what);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlstates_of_postgres),
		cmocka_unit_test(test_a_known_code_beats_the_words_of_the_user),
		cmocka_unit_test(test_a_dropped_connection_has_no_code),
		cmocka_unit_test(test_duckdb_by_exception_class),
		cmocka_unit_test(test_compilation_is_not_the_database),
		cmocka_unit_test(test_only_failures_have_a_class),
		cmocka_unit_test(test_real_messages_of_other_databases),
		cmocka_unit_test(test_exceptions_of_other_drivers),
		cmocka_unit_test(test_every_row_has_a_reason_and_a_source_and_can_be_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

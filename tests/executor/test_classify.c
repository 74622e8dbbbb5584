#include "tests/check.h"

#include "executor/classify.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

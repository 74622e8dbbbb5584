"""What elementary's on-run-end writes after `heddle build` is what it writes after `dbt build`.

    ELEMENTARY=DIR .venv/bin/python tests/long/elementary.py [CASE...]

DIR holds the dbt packages `elementary` (elementary-data/dbt-data-reliability) and `dbt_utils`
(dbt-labs/dbt-utils), unpacked: they are used as local packages, from copies.
"""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from harness import DBT, HEDDLE, SHOP, Postgres, Run, cases, clean_env, copy_project, edit, write  # noqa: E402

PACKAGES = os.environ.get("ELEMENTARY", "")
TABLES = ("dbt_run_results", "dbt_models", "dbt_invocations", "dbt_tests", "dbt_seeds", "dbt_snapshots", "dbt_sources",
          "dbt_exposures", "elementary_test_results", "dbt_columns", "dbt_groups", "dbt_metrics")
# Differ from run to run, whoever runs them: clocks, ids made from the invocation's, threads, what a
# command line looked like, how long things took.
VOLATILE = ("invocation_id", "execution_time", "elapsed", "thread_id", "model_execution_id", "test_execution_id", "id",
            "job_run_id", "yaml_selector", "pid", "run_started_at", "run_completed_at", "generated_at", "created_at",
            "detected_at", "compile_started_at", "compile_completed_at", "execute_started_at",
            "execute_completed_at", "updated_at", "data_issue_id", "test_unique_id_hash", "max_loaded_at", "command_id")


def project(folder):
    for name in ("elementary", "dbt_utils"):
        shutil.copytree(os.path.join(PACKAGES, name), os.path.join(folder, name))
    for unwanted in ("elementary/integration_tests", "dbt_utils/integration_tests"):
        shutil.rmtree(os.path.join(folder, unwanted), ignore_errors=True)
    write(folder, "elementary/packages.yml", "packages: [{local: ../dbt_utils}]\n")
    d = copy_project(SHOP, os.path.join(folder, "shop"))
    write(d, "packages.yml", "packages: [{local: ../dbt_utils}, {local: ../elementary}]\n")
    edit(d, "dbt_project.yml", "\nsnapshots:", "\n  elementary:\n    +schema: elementary\n\nsnapshots:")
    # One model and one test that fail.
    edit(d, "models/staging/stg_payments.sql", "select", "select no_such_column,")
    write(d, "tests/never.sql", "select 1 as id from {{ ref('stg_orders') }}\n")
    Run([DBT, "deps"], d, timeout=600).check(0)
    return d


def rows_of(ask, table):
    """Sorted rows, as JSON, without what differs anyway; None when there is no such table."""
    columns = [name for name, in ask("select column_name from information_schema.columns where table_name = '%s' and "
                                     "table_schema like '%%elementary' order by ordinal_position" % table)]
    if not columns:
        return None
    schema = ask("select table_schema from information_schema.tables where table_name = '%s' and table_schema like "
                 "'%%elementary'" % table)[0][0]
    kept = [c for c in columns if c not in VOLATILE]
    found = ask("select %s from %s.%s" % (
        ", ".join("replace(replace(cast(%s as text), chr(10), ' '), chr(9), ' ')" % c for c in kept), schema, table))
    rows = [dict(zip(kept, row)) for row in found]
    for row in rows:
        if row.get("status") == "skipped":
            row["message"] = None          # heddle names the cause, dbt does not
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def duck(path):
    def ask(sql):
        import duckdb
        with duckdb.connect(path, read_only=True) as db:
            return db.execute(sql).fetchall()
    return ask


def compare(ours, theirs):
    for table in TABLES:
        a, b = rows_of(ours, table), rows_of(theirs, table)
        print("  %-26s%s rows" % (table, "no" if a is None else len(a)))
        if a != b:
            only = [sorted(set(x or ()) - set(y or ()))[:3] for x, y in ((a, b), (b, a))]
            raise AssertionError("%s: %s rows, dbt %s\nonly ours: %s\nonly dbt's: %s" % (
                table, a and len(a), b and len(b), "\n ".join(only[0]), "\n ".join(only[1])))
    assert rows_of(ours, "dbt_run_results") and rows_of(ours, "dbt_invocations") and rows_of(ours, "dbt_models")


def case_duckdb():
    with tempfile.TemporaryDirectory(prefix="elementary-") as folder:
        d = project(folder)
        asks = []
        for program in (DBT, HEDDLE):      # its database has the same name, for it is in the SQL
            path = os.path.join(folder, os.path.basename(program), "yarn.duckdb")
            os.makedirs(os.path.dirname(path))
            for _ in range(2):             # the second has tables to add to
                Run([program, "build"], d, clean_env(SHOP_DB=path), timeout=600).check(1)
            asks.append(duck(path))
        compare(asks[1], asks[0])


def case_postgres():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    with tempfile.TemporaryDirectory(prefix="elementary-") as folder, Postgres() as server:
        d = project(folder)
        asks = []
        for program in (DBT, HEDDLE):
            server.sql("create database yarn")
            for _ in range(2):
                Run([program, "build"], d, server.env("yarn"), timeout=600).check(1)
            kept = "by_" + os.path.basename(program)
            server.sql("alter database yarn rename to " + kept)
            asks.append(lambda sql, kept=kept: [tuple(row) for row in server.sql(sql, kept)])
        compare(asks[1], asks[0])


if __name__ == "__main__":
    if not os.path.isdir(os.path.join(PACKAGES, "elementary")):
        print("$ELEMENTARY names no folder with the packages")
        raise SystemExit(77)
    cases(globals())

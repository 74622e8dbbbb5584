"""dbt and heddle do the same work on copies of one project; every entry of run_results.json, the
exit code and the tables must be the same.

    HEDDLE_TEST_PYTHON=.venv/bin/python .venv/bin/python tests/cli/parity.py [CASE...]

With TEST_PROGRAM=.venv/bin/dbt every case must pass, and case_harness_notices shows that a
difference would be seen.
"""
import copy
import glob
import os
import re
import shutil
import tempfile
import threading

from harness import (DBT, PROGRAM, SHOP, Postgres, Run, cases, clean_env, copy_project, duck, edit, parsed,
                     read_results)

# What may differ between two runs of the same command in two folders.
ARGS_OF_A_PLACE = {"log_path", "project_dir", "profiles_dir", "target_path", "invocation_command", "state",
                   "defer_state"}
COLUMNS_OF_A_RUN = {"invocation", "invocation_id", "built_at", "logged_at"}  # and dbt_*


def plain(text, places):
    """A text without the folder, the database and the invocation it came from."""
    for place in places:
        text = text.replace(place, "HERE")
    text = re.sub(r"(LINE \d+: \.\.\.)\w*[01]\"", r"\1\"", text)    # the end of a database's name, cut by PostgreSQL
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f.]*", "INVOCATION", text)  # also one cut short by "..."
    return re.sub(r"\d+\.\d+ ?s(econds)?\b", "TIME", text)


def entry(r, places):
    """The comparable part of one result."""
    message = r["message"] and plain(r["message"], places)
    return {
        "status": r["status"],
        "failures": r["failures"],
        # dbt gives no reason for most skips, heddle does: only that there is a text is compared.
        "message": bool(message) and "(a reason)" if r["status"] == "skipped" else message,
        "relation_name": r["relation_name"] and plain(r["relation_name"], places),
        "compiled": r["compiled"],
        "compiled_code": r["compiled_code"] and plain(r["compiled_code"], places),
        "adapter_response": {k: v for k, v in r["adapter_response"].items() if k != "query_id"},
        "batch_results": r.get("batch_results"),  # dbt 1.8 has none; "keys" tells
        "timing": sorted(t["name"] for t in r["timing"]),
        "keys": sorted(r),
    }


def compare(reference, candidate, places=()):
    """Lines that say what differs; none when both tell the same story."""
    found = []
    a, b = ({r["unique_id"]: entry(r, places) for r in x["results"]} for x in (reference, candidate))
    if len(b) != len(candidate["results"]):
        found.append("an id stands twice in the results")
    for key in sorted(a.keys() | b.keys()):
        if key not in b or key not in a:
            found.append("%s: only in %s" % (key, "dbt's" if key in a else "ours"))
            continue
        for what in a[key]:
            x, y = a[key][what], b[key][what]
            if x != y and not (what == "message" and a[key]["status"] == "skipped" and not x):
                found.append("%s: %s: dbt %r, we %r" % (key, what, x, y))
    for what in sorted(reference["args"].keys() | candidate["args"].keys()):
        if what not in ARGS_OF_A_PLACE and reference["args"].get(what) != candidate["args"].get(what):
            found.append("args: %s: dbt %r, we %r" % (what, reference["args"].get(what), candidate["args"].get(what)))
    for what in ("dbt_schema_version", "dbt_version"):
        if reference["metadata"].get(what) != candidate["metadata"].get(what):
            found.append("metadata: %s differs" % what)
    if sorted(reference) != sorted(candidate):
        found.append("top level: dbt %s, we %s" % (sorted(reference), sorted(candidate)))
    return found


def kept(columns):
    """Those whose values are the same in two runs, as SQL."""
    return ", ".join('"%s"' % c for c in columns if not c.startswith("dbt_") and c not in COLUMNS_OF_A_RUN)


class Side:
    def __init__(self, name, program, folder, project, server, wild):
        self.name, self.program, self.server, self.wild = name, program, server, wild
        self.dir = copy_project(project, os.path.join(folder, name))
        self.env = clean_env()
        self.database = None
        if server:
            self.database = "parity_%s_%d" % (os.path.basename(folder).lower(), len(name) % 2)  # of one length: PostgreSQL cuts quotations
            server.sql('create database "%s"' % self.database)
            self.env = server.env(self.database)

    def run(self, words):
        self.last = Run([self.program, *words], self.dir, self.env, timeout=600)

    def ask(self, sql):
        """Rows; none where there is no database yet."""
        if self.server:
            return self.server.sql(sql, self.database)
        files = glob.glob(os.path.join(self.dir, "*.duckdb"))
        return duck(files[0], sql) if files else []

    def tables(self):
        """What each table and view holds."""
        found = []
        for schema, table in self.ask("select table_schema, table_name from information_schema.tables where table_schema "
                                      "not in ('pg_catalog', 'information_schema') order by 1, 2"):
            columns = [c for c, in self.ask(
                "select column_name from information_schema.columns where table_schema = '%s' and table_name = '%s' "
                "order by ordinal_position" % (schema, table))]
            try:
                rows = sorted(map(str, self.ask('select %s from "%s"."%s"' % (kept(columns), schema, table))))
            except Exception as e:
                if not self.wild:
                    raise
                rows = plain(str(e), (self.dir, self.database or self.dir))
            found.append("%s %s %s %s" % (schema, table, columns, rows))
        return found


def both(commands, fault=None, server=None, project=SHOP, code=None, cold=False, wild=False):
    """Runs the commands on both sides and raises when anything differs. code: dbt's exit code of
    the last command, so that a fault that was not felt is noticed. cold: in folders dbt was never run in.
    wild: a project of random parts: both sides may refuse it, and its views may fail, in the same words."""
    folder = tempfile.mkdtemp(prefix="p")
    try:
        sides = [Side("dbt", DBT, folder, project, server, wild), Side("heddle", PROGRAM, folder, project, server, wild)]
        places = [s for side in sides for s in (os.path.realpath(side.dir), side.dir, side.database) if s]
        for side in sides:
            if project == SHOP and not server and not cold:
                parsed(side.dir)
            if fault:
                fault(side.dir)
        for words in commands:
            # Side by side, the reference in a thread: two cores, half the time.
            other = threading.Thread(target=sides[0].run, args=(words,))
            other.start()
            sides[1].run(words)
            other.join()
            a, b = sides
            found = [] if a.last.code == b.last.code else ["exit code: dbt %s, we %s" % (a.last.code, b.last.code)]
            try:
                written = any(os.path.exists(os.path.join(side.dir, "target/run_results.json")) for side in sides)
                if written or a.last.code != 2 or not (wild or code == 2):   # a refusal leaves none
                    found += compare(read_results(a.dir), read_results(b.dir), places)
            except (OSError, ValueError, KeyError, TypeError) as e:
                found.append("run_results.json: %s %s" % (type(e).__name__, e))
            if found:
                raise AssertionError("\n".join(["%s: %d differences" % (" ".join(words), len(found)), *found[:40],
                                                "-- dbt --", a.last.out[-3000:], "-- heddle --", b.last.out[-3000:]]))
        if code is not None and a.last.code != code:
            raise AssertionError("dbt ended with %s, not %s: the fault was not felt\n%s" % (a.last.code, code,
                                                                                             a.last.out))
        found = [line for line in set(a.tables()) ^ set(b.tables())]
        if found:
            raise AssertionError("tables differ:\n" + "\n".join(found))
    finally:
        shutil.rmtree(folder)
        if server:
            for side in sides:
                server.sql('drop database "%s" with (force)' % side.database)


def model_broken(d):
    edit(d, "models/staging/stg_payments.sql", "select", "select no_such_column,")


def leaf_broken(d):
    edit(d, "models/marts/visitors.sql", "select", "selct")


def compile_error(d):
    edit(d, "models/intermediate/int_paid_by_order.sql", "select",
         "{% if execute %}{{ exceptions.raise_compiler_error('not today') }}{% endif %} select")


def test_failing(d):
    edit(d, "models/staging/_staging.yml", "values: [placed, shipped, delivered, returned]", "values: [placed]")


def test_warning(d):
    edit(d, "models/staging/_staging.yml", "values: [card, transfer, voucher]", "values: [card]")


def unit_test_failing(d):
    edit(d, "models/marts/_marts.yml", "orders: 1, spent: 10.5", "orders: 2, spent: 10.5")


def source_missing(d):
    edit(d, "dbt_project.yml", '  - "{{ land_web_visits() }}"\n', "")


def start_hook_failing(d):
    edit(d, "dbt_project.yml", "on-run-start:\n", 'on-run-start:\n  - "select * from not_there"\n')


def end_hook_failing(d):
    edit(d, "dbt_project.yml", "on-run-end:\n", 'on-run-end:\n  - "select * from not_there"\n')


def hook_stops_nodes(d):
    start_hook_failing(d)
    edit(d, "dbt_project.yml", "flags:\n", "flags:\n  skip_nodes_if_on_run_start_fails: true\n")


def two_ways_to_fail(d):
    """Faults in parts that do not touch each other, so one run sees them all."""
    leaf_broken(d)
    test_warning(d)
    unit_test_failing(d)
    edit(d, "snapshots/product_prices.yml", "unique_key: product_id", "unique_key: no_such_key")


def case_harness_notices():
    """The comparison itself: each planted difference must be named, an equal pair must not."""
    result = {"unique_id": "model.shop.a", "status": "success", "failures": None, "message": "OK in 0.3 s",
              "relation_name": "a.b", "compiled": True, "compiled_code": "select 1", "adapter_response": {"code": "OK"},
              "batch_results": None, "timing": [{"name": "compile"}, {"name": "execute"}]}
    hook = dict(result, unique_id="operation.shop.a")
    skip = dict(result, unique_id="model.shop.z", status="skipped", message=None)
    good = {"metadata": {"dbt_schema_version": "v6", "dbt_version": "1.11"}, "args": {"which": "build", "log_path": "a"},
            "elapsed_time": 1.0, "results": [result, hook, skip]}

    def planted(change):
        other = copy.deepcopy(good)
        change(other)
        return compare(good, other)

    assert planted(lambda o: None) == []
    assert planted(lambda o: o["results"][0].update(message="OK in 12.7 s")) == []
    assert planted(lambda o: o["results"][2].update(message="upstream a failed")) == []
    assert planted(lambda o: o["args"].update(log_path="b")) == []
    for what, value in (("status", "error"), ("failures", 2), ("message", "OK"), ("relation_name", None),
                        ("compiled", False), ("compiled_code", "select 2"), ("adapter_response", {}),
                        ("batch_results", {}), ("timing", []), ("more", 1)):
        assert len(planted(lambda o: o["results"][0].update({what: value}))) == 1, what
    assert len(planted(lambda o: o["results"].pop(1))) == 1
    assert len(planted(lambda o: o["results"].append(dict(result, unique_id="x")))) == 1
    assert len(planted(lambda o: o["results"].append(result))) == 1
    assert len(planted(lambda o: o["args"].update(which="run"))) == 1
    assert len(planted(lambda o: o["args"].update(more=1))) == 1
    assert len(planted(lambda o: o["metadata"].update(dbt_version="1"))) == 1


def case_each_command():
    both([["seed"], ["run"], ["snapshot"], ["run", "--full-refresh"], ["test"], ["build"]], code=0, cold=True)


def case_selection_and_options():
    both([["seed"], ["--quiet", "build", "--select", "+daily_revenue", "customers", "--exclude", "test_type:singular",
                     "--threads", "2", "--vars", "{first_day: 2025-01-05}"],
          ["run", "-s", "stg_visits", "--vars", '{"first_day": "2025-01-05"}', "--empty"],
          ["test", "--select", "test_type:unit"], ["build", "--select", "nobody_has_this_name"]], code=0)


def case_model_broken():
    both([["build"], ["run"], ["test"]], model_broken, code=1)


def case_compile_error():
    both([["build"]], compile_error, code=1)


def case_test_failing():
    both([["build"]], test_failing, code=1)


def case_test_warning():
    both([["build"]], test_warning, code=0)


def case_unit_test_failing():
    both([["build"]], unit_test_failing, code=1)


def case_source_missing():
    both([["build"]], source_missing, code=1)


def case_start_hook_failing():
    both([["build"]], start_hook_failing, code=1)


def case_end_hook_failing():
    both([["run", "--select", "days"]], end_hook_failing, code=1)


def case_hook_stops_nodes():
    # Not `build`: there dbt 1.11 itself stops with a traceback at the first exposure.
    both([["run"]], hook_stops_nodes, code=1)


def case_warnings_that_are_errors():
    nobody = "--select", "nobody_has_this_name"
    both([["--warn-error", "run", *nobody]], code=2)
    both([["run", *nobody, "--warn-error-options", '{"error": "all", "warn": ["NoNodesForSelectionCriteria"]}']], code=2)
    both([["run", *nobody, "--warn-error-options", '{"silence": ["NoNodesForSelectionCriteria"]}']], code=0)


def case_postgres():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    with Postgres() as server:
        both([["build"], ["build"], ["test"]], server=server, code=0)
        both([["build"]], two_ways_to_fail, server=server, code=1)
        both([["seed"], ["snapshot"], ["run"]], source_missing, server=server, code=1)


if __name__ == "__main__":
    cases(globals())

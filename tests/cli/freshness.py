"""Source freshness beside dbt's own: sources.json entry by entry, exit codes, hooks, what
source_status: selects from it; retries and timeouts; builds that check what they read and skip what
hangs on stale sources.

    HEDDLE_TEST_PYTHON=.venv/bin/python .venv/bin/python tests/cli/freshness.py [CASE...]
"""
import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

from harness import (DBT, HEDDLE, PROGRAM, Postgres, Run, cases, clean_env, duck, edit, node_statuses, wait_until,
                     write)

# What each source's data is: a table made some days ago, and how dbt is told to look at it.
DAY = "{warn_after: {count: 1, period: day}, error_after: {count: 30, period: day}%s}"
SOURCES = {
    "fresh": (0, "loaded_at_field: loaded_at, freshness: " + DAY % ""),
    "aging": (3, "loaded_at_field: loaded_at, freshness: " + DAY % ""),
    "stale": (90, "loaded_at_field: loaded_at, freshness: " + DAY % ""),
    "narrow": (0, "loaded_at_field: loaded_at, freshness: " + DAY % ", filter: \"kind = 'old'\""),
    "cast": (3, "loaded_at_field: \"loaded_text::timestamp\", freshness: {warn_after: {count: 12, period: hour}}"),
    "no_table": (None, "loaded_at_field: loaded_at, freshness: " + DAY % ""),
    "no_column": (0, "loaded_at_field: arrived_at, freshness: " + DAY % ""),
    "by_metadata": (0, "freshness: " + DAY % ""),
    "no_rows": (None, "loaded_at_field: loaded_at, freshness: " + DAY % ""),
    "switched_off": (0, "loaded_at_field: loaded_at, freshness: null"),
    "half_a_limit": (0, "loaded_at_field: loaded_at, freshness: {warn_after: {}, error_after: {}}"),
    "not_asked": (0, "description: no freshness"),
}
QUERIED = (40, "loaded_at_query: \"select max(loaded_at) from {{ this }}\", freshness: " + DAY % "")
PROJECT = """
name: ages
version: '1.0'
profile: ages
on-run-start: "create table if not exists %s.seen (what varchar(200))"
on-run-end: "{%% for r in results %%}insert into %s.seen values ('{{ r.node.name }} {{ r.status }}'); {%% endfor %%}"
"""
DUCK = "ages: {target: dev, outputs: {dev: {type: duckdb, path: ages.duckdb, threads: 3}}}"
PG = """
ages:
  target: dev
  outputs:
    dev: {type: postgres, host: 127.0.0.1, port: %d, user: postgres, password: x, dbname: %s, schema: raw, threads: 3}
"""
MODELS = {
    "on_fresh": "select * from {{ source('raw', 'fresh') }}",
    "on_stale": "select * from {{ source('raw', 'stale') }}",
    "below_stale": "select * from {{ ref('on_stale') }}",
    "on_aging": "select * from {{ source('raw', 'aging') }}",
    "on_both": "select a.kind from {{ ref('on_fresh') }} a, {{ ref('on_stale') }} b",
    "on_unchecked": "select * from {{ source('raw', 'not_asked') }}",
}
NOISE = {"timing", "thread_id", "execution_time", "snapshotted_at", "max_loaded_at_time_ago_in_s"}


@functools.lru_cache
def dbt_knows_queries():
    out = subprocess.run([DBT, "--version"], stdout=subprocess.PIPE, text=True, env=clean_env()).stdout
    return not any("installed: 1.%d." % minor in out for minor in (8, 9))


class Ages:
    """The project in a folder of its own, on PostgreSQL when there is a server; or a copy of it."""

    def __init__(self, folder, name, server=None, models=(), like=None):
        self.dir, self.server, self.database = os.path.join(folder, name), server, "ages_" + name
        schema = "raw" if server else "main"
        sources = dict(SOURCES, queried=QUERIED) if dbt_knows_queries() else SOURCES
        write(self.dir, "dbt_project.yml", PROJECT % (schema, schema))
        write(self.dir, "models/sources.yml", "sources:\n  - {name: raw, schema: %s, tables: [\n%s]}\n" % (
            schema, ",\n".join("      {name: %s, %s}" % (n, how) for n, (_, how) in sources.items())))
        for model in models:
            write(self.dir, "models/%s.sql" % model, MODELS[model])
        write(self.dir, "profiles.yml", PG % (server.port, self.database) if server else DUCK)
        if server:
            server.sql('create database "%s"%s' % (self.database, ' template "%s"' % like.database if like else ""))
        elif like:
            shutil.copy(os.path.join(like.dir, "ages.duckdb"), self.dir)
        if not like:
            self.sql("create schema if not exists %s;create table %s.seen (what varchar(200));" % (schema, schema) + "".join(
                "create table %s.%s (kind varchar(9), loaded_at timestamp, loaded_text varchar(40));" % (schema, name)
                + ("" if days is None else self.rows(name, days))
                for name, (days, _) in sources.items() if name != "no_table"))

    def rows(self, name, days):
        """SQL that loads the source anew: one row so many days old, one much older."""
        table, text = "%s.%s" % ("raw" if self.server else "main", name), ""
        for kind, more in (("new", 0), ("old", 60)):
            when = "(now() at time zone 'utc' - interval '%d days')::timestamp" % (days + more)
            text += "insert into %s values ('%s', %s, (%s)::varchar);" % (table, kind, when, when)
        return "delete from %s;%s" % (table, text)

    def load(self, name, days):
        self.sql(self.rows(name, days))

    def sql(self, text):
        if self.server:
            return self.server.sql(text, self.database)
        return duck(os.path.join(self.dir, "ages.duckdb"), text)

    def run(self, program, *words, code=None):
        self.last = Run([program, *words], self.dir)
        return self.last.check(code) if code is not None else self.last

    def seen(self):
        return sorted(row[0] for row in self.sql("select what from %s.seen" % ("raw" if self.server else "main")))

    def sources(self, path="target/sources.json"):
        with open(os.path.join(self.dir, path)) as f:
            return json.load(f)

    def verdicts(self):
        return {r["unique_id"].split(".")[-1]: r["status"] for r in self.sources()["results"]}


@contextlib.contextmanager
def folder():
    made = tempfile.mkdtemp(prefix="ages")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def differences(ours, theirs):
    """Lines that say what differs between two sources.json of one moment."""
    found = []
    a, b = ({r["unique_id"]: r for r in x["results"]} for x in (theirs, ours))
    if len(b) != len(ours["results"]):
        found.append("a source stands twice in the results")
    for key in sorted(a.keys() | b.keys()):
        if key not in a or key not in b:
            found.append("%s: only in %s" % (key, "dbt's" if key in a else "ours"))
            continue
        x, y = a[key], b[key]
        if list(x) != list(y):
            found.append("%s: keys: dbt %s, we %s" % (key, list(x), list(y)))
        for what in x.keys() & y.keys() - NOISE:
            if x[what] != y[what]:
                found.append("%s: %s: dbt %r, we %r" % (key, what, x[what], y[what]))
        for what in NOISE & x.keys() & y.keys():
            if type(x[what]) is not type(y[what]):
                found.append("%s: %s: dbt %r, we %r" % (key, what, x[what], y[what]))
        if [t["name"] for t in x.get("timing", ())] != [t["name"] for t in y.get("timing", ())]:
            found.append("%s: timing" % key)
    for what in theirs["metadata"].keys() ^ ours["metadata"].keys():
        found.append("metadata: %s is in one only" % what)
    for what in ("dbt_schema_version", "dbt_version", "env"):
        if theirs["metadata"][what] != ours["metadata"][what]:
            found.append("metadata: %s: dbt %r, we %r" % (what, theirs["metadata"][what], ours["metadata"][what]))
    if sorted(theirs) != sorted(ours):
        found.append("top level: dbt %s, we %s" % (sorted(theirs), sorted(ours)))
    return found


def together(sides, *words):
    """dbt and heddle at the same time, in their own folders."""
    other = threading.Thread(target=sides[0].run, args=(DBT, *words))
    other.start()
    sides[1].run(PROGRAM, *words)
    other.join()
    a, b = (side.last for side in sides)
    assert a.code == b.code, "exit code: dbt %s, we %s\n%s\n%s" % (a.code, b.code, a.out[-3000:], b.out[-3000:])
    return a.code


def compare(sides, *words, path="target/sources.json", code=None):
    found = together(sides, *words)
    assert code is None or found == code, "%s ended with %s\n%s" % (words, found, sides[0].last.out)
    lines = differences(sides[1].sources(path), sides[0].sources(path))
    assert not lines, "\n".join(lines + [sides[0].last.out[-3000:], sides[1].last.out[-3000:]])
    assert sides[0].seen() == sides[1].seen(), (sides[0].seen(), sides[1].seen())


def check_words(text):
    """The words of dbt, and the age that dbt does not say: `08:03:14  2/10  WARN  source raw.aging ... [0.23s]`."""
    words = {}
    for line in text.splitlines():
        parts = line.split()
        if "source" in parts[3:5] and "/" in parts[1]:
            at = parts.index("source")
            words[parts[at + 1]] = " ".join(parts[2:at])
    for name, word in (("fresh", "PASS"), ("aging", "WARN"), ("stale", "ERROR STALE"), ("no_table", "ERROR")):
        assert words.get("raw." + name) == word, (name, words, text)
    assert "last loaded 90 days ago" in text and "error after 30 days" in text, text


def compare_all(d, server=None):
    first = Ages(d, "dbt", server)
    sides = [first, Ages(d, "ours", server, like=first)]
    compare(sides, "source", "freshness", code=1)
    verdicts = sides[1].verdicts()
    assert verdicts["fresh"] == "pass" and verdicts["aging"] == "warn" and verdicts["stale"] == "error", verdicts
    assert not {"switched_off", "half_a_limit", "not_asked"} & verdicts.keys(), verdicts
    if PROGRAM == HEDDLE:
        check_words(sides[1].last.out)
    return sides


def case_harness_notices():
    entry = {"unique_id": "source.a.b.c", "status": "pass", "max_loaded_at": "2026-01-01T00:00:00+00:00",
             "max_loaded_at_time_ago_in_s": 1.5, "criteria": {}, "timing": [{"name": "compile"}], "thread_id": "T"}
    good = {"metadata": {"dbt_schema_version": "v3", "dbt_version": "1", "env": {}}, "results": [entry], "elapsed_time": 1}

    def planted(**change):
        return differences(dict(good, results=[dict(entry, **change)]), good)

    assert planted() == [] and planted(thread_id="U", max_loaded_at_time_ago_in_s=2.5) == []
    for change in ({"status": "warn"}, {"criteria": {"filter": None}}, {"timing": []}, {"more": 1},
                   {"max_loaded_at": "2025-01-01T00:00:00+00:00", "max_loaded_at_time_ago_in_s": 8.0},
                   {"max_loaded_at_time_ago_in_s": "1.5"}):
        assert len(planted(**change)) == 1, change
    assert differences(dict(good, results=[]), good) and differences(dict(good, results=[entry, entry]), good)
    assert differences(dict(good, metadata=dict(good["metadata"], dbt_schema_version="v2")), good)


def case_duckdb():
    with folder() as d:
        sides = compare_all(d)
        verdicts = sides[1].verdicts()
        # Without the project's hooks, of some sources, in parallel, to another file.
        for side in sides:
            edit(side.dir, "dbt_project.yml", "version:",
                 "flags: {source_freshness_run_project_hooks: false}\nversion:")
        before = sides[1].seen()
        compare(sides, "source", "freshness", "--select", "source:raw.fresh", "source:raw.aging", "--threads", "1",
                "--output", "elsewhere.json", path="elsewhere.json", code=0)
        assert sides[1].seen() == before and sides[1].verdicts() == verdicts
        compare(sides, "source", "--quiet", "freshness", "-s", "source:raw.not_asked", code=0)
        assert sides[1].verdicts() == {}


def case_postgres():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    with Postgres() as server, folder() as d:
        compare_all(d, server)


def case_what_is_transient_is_tried_again():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    with Postgres("-c lock_timeout=600ms") as server, folder() as d:
        ages = Ages(d, "locks", server)
        lock = subprocess.Popen([os.path.join(server.bin, "psql"), "-qh", "127.0.0.1", "-p", str(server.port), "-U",
                                 "postgres", "-d", ages.database, "-c", "begin; lock table raw.fresh; select pg_sleep(300)"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        held = "select pid from pg_locks where mode = 'AccessExclusiveLock' and relation = 'raw.fresh'::regclass"
        try:
            wait_until("the lock is held", lambda: ages.sql(held))
            ages.run(HEDDLE, "freshness", "-s", "source:raw.fresh", "source:raw.stale", "--retries", "1",
                     "--retry-delay", "100ms", code=1)
            assert "after 2 tries" in ages.last.out and "lock timeout" in ages.last.out, ages.last.out
            assert ages.last.out.count("RETRY") == 1, ages.last.out           # the stale one is not tried again
            assert ages.verdicts() == {"stale": "error"}, ages.verdicts()
            ages.sql("alter database %s set lock_timeout = 0" % ages.database)
            ages.run(HEDDLE, "freshness", "-s", "source:raw.fresh", "--retries", "0", "--timeout", "1s", code=1)
            assert "timed out after 1 s" in ages.last.out, ages.last.out
            assert not ages.sql("select pid from pg_stat_activity where application_name = 'dbt'")
            server.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; lock%'")
            ages.run(HEDDLE, "retry", code=0)                                 # of that run: the one source
            assert ages.verdicts() == {"fresh": "pass"}, ages.verdicts()
        finally:
            lock.kill()
            lock.wait()


def case_builds_that_check_first():
    with folder() as d:
        ages = Ages(d, "build", models=MODELS)
        write(ages.dir, "models/tests.yml", "models: [{name: on_stale, columns: [{name: kind, data_tests: [not_null]}]}]")
        selected = "--exclude", "source:raw.no_table"

        def skipped():
            return {k.split(".")[2] for k, v in node_statuses(ages.dir).items() if v == "skipped"}

        ages.run(HEDDLE, "build", "--freshness", "--skip-stale", "any", *selected, code=0)
        stale = {"on_stale", "below_stale", "on_both", "on_aging"}
        assert skipped() == stale | {"not_null_on_stale_kind"}, skipped()
        assert {k.split(".")[2] for k in node_statuses(ages.dir)} == {*MODELS, "not_null_on_stale_kind"}
        assert "'source.ages.raw.stale' is stale: last loaded 90 days ago" in ages.last.out, ages.last.out
        assert ages.verdicts() == {"fresh": "pass", "aging": "warn", "stale": "error"}, ages.verdicts()
        assert [w for w in ages.seen() if w.startswith("on_fresh")] == ["on_fresh success"], ages.seen()
        assert not [w for w in ages.seen() if w.startswith("stale ")], ages.seen()   # dbt's build knows no sources
        # Once the data has come, only what was skipped runs.
        ages.load("stale", 0)
        ages.run(HEDDLE, "retry", code=0)
        assert skipped() == {"on_aging"}, skipped()
        assert ages.verdicts() == {"fresh": "pass", "aging": "warn", "stale": "pass"}, ages.verdicts()
        assert [w for w in ages.seen() if w.startswith("on_fresh")] == ["on_fresh success"] * 2, ages.seen()
        # Of the sources the selection comes from, through a model that is not selected.
        ages.load("stale", 90)
        ages.run(HEDDLE, "build", "--skip-stale", "all", "-s", "on_both", "below_stale", code=0)
        assert skipped() == {"below_stale"}, skipped()
        assert "all it comes from is stale" in ages.last.out, ages.last.out
        assert ages.verdicts() == {"fresh": "pass", "stale": "error"}, ages.verdicts()
        # Without --skip-stale a source past its error limit is a failure, and everything runs.
        ages.run(HEDDLE, "run", "--freshness", "-s", "on_stale", code=1)
        assert node_statuses(ages.dir) == {"model.ages.on_stale": "success"}, ages.last.out


def case_source_status():
    """dbt selects by the files heddle wrote, and heddle does."""
    with folder() as d:
        ages = Ages(d, "status", models=MODELS)
        sources = "source:raw.fresh", "source:raw.aging", "source:raw.stale"
        ages.run(PROGRAM, "source", "freshness", "-s", *sources, code=1)
        shutil.copytree(os.path.join(ages.dir, "target"), os.path.join(ages.dir, "before"))
        ages.load("stale", 0)
        ages.run(PROGRAM, "source", "freshness", "-s", *sources, code=0)
        words = "ls", "--select", "source_status:fresher+", "--state", "before", "--output", "name", "--quiet"
        theirs, ours = (sorted(ages.run(p, *words, code=0).out.split()) for p in (DBT, HEDDLE))
        assert ours == theirs, (ours, theirs)
        assert {"on_stale", "below_stale", "on_both"} <= set(ours) and "on_fresh" not in ours, ours


def case_one_command_a_source():
    """--runner cli: the same verdicts and entries as one dbt for all; an age in words; what reads it is skipped."""
    os.environ["PATH"] = os.path.dirname(DBT) + ":" + os.environ["PATH"]
    with folder() as d:
        ages = Ages(d, "cli", models=MODELS)
        chosen = "-s", "source:raw.stale", "source:raw.no_table"
        ages.run(DBT, "source", "freshness", "--output", "theirs.json", *chosen, code=1)
        ages.run(HEDDLE, "freshness", "--runner", "cli", "--output", "ours.json", "--retries", "0", *chosen, code=1)
        lines = differences(ages.sources("ours.json"), ages.sources("theirs.json"))
        assert not [line for line in lines if "metadata" not in line], lines
        assert re.search(r"ERROR STALE +source raw.stale", ages.last.out), ages.last.out
        assert re.search(r"last loaded 90 days ago, at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; warn after 1 day, "
                         r"error after 30 days", ages.last.out), ages.last.out
        assert "no_table" in ages.last.out and "does not exist" in ages.last.out, ages.last.out
        ages.run(HEDDLE, "build", "--runner", "cli", "--skip-stale", "any", "--full-refresh", "-s", "on_stale", code=0)
        assert node_statuses(ages.dir) == {"model.ages.on_stale": "skipped"}
        assert ages.verdicts() == {"stale": "error"}, ages.verdicts()


def case_a_command_of_ones_own_is_refused():
    with folder() as d:
        write(d, "dbt_project.yml", "name: ages")
        for words in (["freshness"], ["build", "--freshness"]):
            done = Run([HEDDLE, *words, "--command", "true"], d).check(2)
            assert "a command's exit code does not tell how old a source is" in done.out, done.out


def case_other_words_of_source_are_dbts():
    with folder() as d:
        write(d, "bin/dbt", "#!/bin/sh\necho dbt was given: $*\n")
        os.chmod(os.path.join(d, "bin/dbt"), 0o755)
        env = clean_env(PATH=os.path.join(d, "bin") + ":" + os.environ["PATH"])
        for words in (["source", "--help"], ["source", "ages"], ["source"], ["--quiet", "source", "ages", "--select", "a"]):
            done = Run([HEDDLE, *words], d, env).check(0)
            assert "dbt was given: " + " ".join(words) in done.out, done.out
        for words in (["freshness"], ["source", "freshness"], ["--quiet", "source", "-t", "dev", "freshness"],
                      ["source", "snapshot-freshness"]):
            done = Run([HEDDLE, *words, "--help"], d, env).check(0)
            assert "usage: heddle freshness" in done.out, done.out


if __name__ == "__main__":
    cases(globals())

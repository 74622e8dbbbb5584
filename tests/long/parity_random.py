"""Random small projects, run by dbt and by heddle: every entry of run_results.json, the exit code and the tables
must be the same (tests/cli/parity.py), whatever fails in them. By hand:

    .venv/bin/python tests/long/parity_random.py [FIRST [LAST]] [--postgres]

A seed is a project of a few seeds, models of every materialization, snapshots, tests of all kinds, unit tests,
exposures, hooks, of which some do not compile, do not run or do not hold; and two or three commands on it. What a
seed found is one line and the differences; the seed alone makes it again. What dbt does not parse counts too: both
refuse it.
"""
import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from harness import Postgres, write  # noqa: E402
from parity import both  # noqa: E402

PROJECT = """
name: rand
version: '1.0'
profile: rand
flags: {send_anonymous_usage_stats: false, require_generic_test_arguments_property: true}
seeds: {+schema: raw}
"""
DUCK = "rand: {target: dev, outputs: {dev: {type: duckdb, path: rand.duckdb, threads: 3}}}"
PG = """
rand:
  target: dev
  outputs:
    dev: {type: postgres, host: 127.0.0.1, port: "{{ env_var('SHOP_PG_PORT') | as_number }}", user: postgres,
          password: x, dbname: "{{ env_var('SHOP_PG_DATABASE') }}", schema: rand, threads: 3}
"""
ROW = "select 1 as id, 2 as n, 'a' as word"
GENERIC = """
{% test small(model, column_name, most) %}select * from {{ model }} where {{ column_name }} > {{ most }}{% endtest %}
{% test not_compiling(model) %}
{% if execute %}{{ exceptions.raise_compiler_error('no test today') }}{% endif %}select 1
{% endtest %}
"""


class Project:
    """One project as files; every relation has the columns id (integer), n (integer) and word (text)."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.files, self.yml = {"dbt_project.yml": PROJECT, "profiles.yml": DUCK, "macros/tests.sql": GENERIC}, {}
        self.relations, self.models, self.ephemeral, self.landed = [], [], set(), None
        self.trouble = self.r.choice((0, .05, .15, .3))
        for i in range(self.r.randint(1, 2)):
            self.add_seed("s%d" % i)
        for i in range(self.r.choice((0, 0, 1))):
            self.add_source("raw%d" % i)
        for i in range(self.r.randint(3, 12)):
            self.add_model("m%d" % i)
        for i in range(self.r.choice((0, 0, 1, 2))):
            self.add_snapshot("snap%d" % i)
        for i in range(self.r.choice((0, 2, 8))):
            self.add_generic_test(i)
        for i in range(self.r.choice((0, 1, 3))):
            self.add_singular_test("t%d" % i)
        for i in range(self.r.choice((0, 1, 2))):
            self.add_unit_test("u%d" % i)
        for i in range(self.r.choice((0, 0, 2))):
            self.add_exposure("e%d" % i)
        self.add_hooks()
        for kind, entries in self.yml.items():
            self.files["models/_%s.yml" % kind] = json.dumps({kind: entries})

    def bad(self):
        return self.r.random() < self.trouble

    def rows(self):
        return [(i, self.r.choice((i, i, 0, None)), self.r.choice(("a", "b", "it's")))
                for i in range(self.r.randint(0, 4))]

    def entry(self, kind, name, **more):
        """The one of that name in the properties of that kind; made when there is none."""
        found = next((e for e in self.yml.setdefault(kind, []) if e["name"] == name), None)
        if not found:
            found = {"name": name}
            self.yml[kind].append(found)
        found.update(more)
        return found

    def add_seed(self, name):
        rows = self.rows() or [(1, 1, "a")]
        text = "\n".join("%s,%s,%s" % (a, "" if b is None else b, c) for a, b, c in rows)
        types = {"id": "no_such_type" if self.bad() else "integer", "n": "integer", "word": "varchar"}
        if self.bad():
            text += "\nx,1,b"
        self.files["seeds/%s.csv" % name] = "id,n,word\n%s\n" % text
        self.entry("seeds", name, config={"column_types": types})
        self.relations.append("ref('%s')" % name)

    def add_source(self, name):
        """A table that on-run-start makes, or nobody."""
        self.entry("sources", "web", schema="web", tables=[{"name": name, "columns": [
            {"name": "id", "data_tests": self.r.choice(([], ["not_null"], ["unique"]))}]}])
        self.landed = None if self.bad() else name
        self.relations.append("source('web', '%s')" % name)

    def select(self, parents):
        text = " union all ".join("select id, n, word from {{ %s }}" % p for p in parents) or ROW
        if not self.bad():
            return text
        return self.r.choice((
            text.replace("select", "selct", 1), text.replace("select id", "select no_such as id", 1),
            "{% if execute %}{{ exceptions.raise_compiler_error('not today') }}{% endif %}" + text,
            "select id, n, word from (%s) x where cast(word as integer) > 0" % text,
            "select * from nobody_made_this", text + " {{ undefined_macro() }}", text + "\nlimit 'x'",
            "{% do run_query('select 1/0 from nothing') %}" + text))

    def add_model(self, name):
        parents = self.r.sample(self.relations, min(self.r.choice((0, 1, 1, 2, 3)), len(self.relations)))
        config = {"materialized": self.r.choice(("view", "table", "incremental") * 2 + ("ephemeral",))}
        if config["materialized"] == "incremental":
            config.update(self.r.choice(({}, {"unique_key": "id"}, {"incremental_strategy": "append"},
                                         {"unique_key": "id", "on_schema_change": "append_new_columns"})))
        if self.r.random() < .1:
            config["tags"] = ["night"]
        if self.r.random() < .1:
            config[self.r.choice(("pre_hook", "post_hook"))] = "select * from nothing" if self.bad() else "select 1"
        if self.r.random() < .06:
            config["enabled"] = False
        if self.r.random() < .1:
            config["schema"] = "other"
        text = "{{ config(%s) }}\n%s" % (", ".join("%s=%r" % x for x in config.items()), self.select(parents))
        if config["materialized"] == "incremental" and self.r.random() < .5:
            text = text.replace("}}\n", "}}\nselect * from (", 1) + (
                ") i {% if is_incremental() %}where id > 0{% endif %}")
        self.files["models/%s%s.sql" % (self.r.choice(("", "", "marts/")), name)] = text
        if self.r.random() < .1 and config["materialized"] != "ephemeral":
            self.entry("models", name, config={"contract": {"enforced": True}}, columns=[
                {"name": "id", "data_type": "integer"}, {"name": "n", "data_type": "integer"},
                {"name": "word", "data_type": "integer" if self.bad() else self.r.choice(("varchar", "text"))}])
        if config.get("enabled", True):
            self.models.append(name)
            self.relations.append("ref('%s')" % name)
            if config["materialized"] == "ephemeral":
                self.ephemeral.add(name)

    def add_snapshot(self, name):
        relation = self.r.choice(self.relations)
        if relation[5:-2] in self.ephemeral:
            return
        self.entry("snapshots", name, relation=relation, config={
            "unique_key": "no_such_key" if self.bad() else "id", "strategy": "check",
            "check_cols": self.r.choice(("all", ["n"]))})
        if self.r.random() < .5:
            self.relations.append("ref('%s')" % name)

        if "snapshots:" not in self.files["dbt_project.yml"]:
            self.files["dbt_project.yml"] += "snapshots: {+schema: history}\n"

    def severity(self):
        return self.r.choice(({}, {}, {}, {"severity": "warn"}, {"warn_if": ">0", "error_if": ">2"}, {"limit": 1},
                              {"store_failures": True}, {"where": "id > 1"}, {"fail_calc": "sum(1)"} if self.bad() else {}))

    def add_generic_test(self, i):
        name = self.r.choice(self.models)
        test = self.r.choice((
            "not_null", "unique", {"accepted_values": {"arguments": {"values": ["a", "b", "it's"]}}},
            {"small": {"arguments": {"most": self.r.choice((0, 100))}}},
            {"relationships": {"arguments": {"to": self.r.choice(self.relations), "field": "id"}}}))
        column = "word" if "accepted_values" in test else "no_such" if self.bad() else "id"
        kind, more = (test, {}) if isinstance(test, str) else next(iter(test.items()))
        more = dict(more, name="g%d" % i, config=self.severity())
        entry = self.entry("models", name)
        columns = entry.setdefault("columns", [])
        found = next((c for c in columns if c["name"] == column), None)
        if not found:
            if entry.get("config"):              # a contract names all columns there are
                return
            found = {"name": column}
            columns.append(found)
        found.setdefault("data_tests", []).append({kind: more})
        if self.bad():
            entry.setdefault("data_tests", []).append({"not_compiling": {"name": "c%d" % i}})

    def add_singular_test(self, name):
        parents = self.r.sample(self.relations, min(self.r.choice((1, 2, 2)), len(self.relations)))
        config = "".join("{{ config(%s=%r) }}" % x for x in self.severity().items() if x[0] != "where")
        self.files["tests/%s.sql" % name] = config + "select * from (%s) x where id > %d" % (
            self.select(parents), self.r.choice((0, 1000, 1000)))

    def add_unit_test(self, name):
        plain = [m for m in self.models if any(m + ".sql" in f and "}}\nselect id" in t and t.count("{{ ref") == 1 and
                                               "union" not in t for f, t in self.files.items())]
        # One for each: of several dbt skips those after the first that fails, heddle runs them all.
        plain = [m for m in plain if m not in [u["model"] for u in self.yml.get("unit_tests", ())]]
        if not plain:
            return
        model = self.r.choice(plain)
        text = next(t for f, t in self.files.items() if f.endswith("/%s.sql" % model))
        parent = text[text.index("{{ ref") + 3:].split(" }}")[0]
        row = {"id": 1, "n": 2, "word": "a"}
        self.entry("unit_tests", name, model=model, given=[{"input": parent, "rows": [row]}],
                   expect={"rows": [dict(row, n=3) if self.bad() else row]})

    def add_exposure(self, name):
        self.entry("exposures", name, type="dashboard", owner={"name": "x"},
                   depends_on=self.r.sample(self.relations, min(2, len(self.relations))))

    def add_hooks(self):
        start, end = [], []
        if self.landed:
            start += ["create schema if not exists web", "create table if not exists web.%s as %s" % (self.landed, ROW)]
        if self.r.random() < .3:
            end.append("select {{ results | length }}")
        for hooks in start, end:
            if self.r.random() < .3 and self.bad():
                hooks.append("select * from no_such_table")
        self.files["dbt_project.yml"] += "on-run-start: %s\non-run-end: %s\n" % (json.dumps(start), json.dumps(end))

    def commands(self):
        found = []
        for _ in range(self.r.choice((1, 2, 2))):
            words = [self.r.choice(("build", "build", "build", "run", "test", "seed", "snapshot"))]
            if self.r.random() < .3:
                words += ["--select", self.r.choice((
                    "m1+", "+m2", "tag:night", "m0 m1 m2+", "fqn:*", "config.materialized:table", "1+m3+1", "@m1",
                    "test_type:generic"))]
            if self.r.random() < .2:
                words += ["--exclude", self.r.choice(("m1", "tag:night", "test_type:singular", "s0"))]
            if self.r.random() < .15:
                words += ["--indirect-selection", self.r.choice(("cautious", "buildable", "empty"))]
            if words[0] in ("build", "run") and self.r.random() < .25:
                words.append(self.r.choice(("--full-refresh", "--empty")))
            if words[0] in ("build", "test") and self.r.random() < .15:
                words.append("--store-failures")
            if self.r.random() < .1:
                words.insert(0, self.r.choice(("--warn-error", "--quiet")))
            found.append(words)
        return found if self.r.random() < .5 else [["build"], *found]


def play(seed, server):
    project = Project(seed)
    if server:
        project.files["profiles.yml"] = PG
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "rand")
        for path, text in project.files.items():
            write(made, path, text)
        commands = project.commands()
        both(commands, server=server, project=made, wild=True)
    return commands


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("first", nargs="?", type=int, default=1)
    p.add_argument("last", nargs="?", type=int)
    p.add_argument("--postgres", action="store_true")
    o = p.parse_args()
    bad = 0
    with Postgres() if o.postgres else contextlib.nullcontext() as server:
        for seed in range(o.first, (o.last or o.first) + 1):
            try:
                commands = play(seed, server)
                print("[       OK ] seed %d: %s" % (seed, ", ".join(map(" ".join, commands))), flush=True)
            except Exception as e:
                bad += 1
                why = e if isinstance(e, AssertionError) else traceback.format_exc()
                print("[  FAILED  ] seed %d\n%s" % (seed, why), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

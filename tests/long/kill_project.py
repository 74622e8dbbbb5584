"""The project that tests/long/kill.py kills runs of: layers of models of every kind that ends
differently when it is run twice, on a database that is built from outside.

Every model, seed and snapshot leaves a row (node, invocation) in outside.witness, by a post-hook in
its own transaction: the row is there exactly when the node was committed. Hooks leave theirs in
outside.hooks. Values follow from outside.day and from how often an appending model ran, so that a
second run of what appends shows in its own table and in all that follow.
"""
import os
import random
import shutil
import subprocess

from harness import write

NSEEDS = 4
DATABASE = "kill"
SETTINGS = """
name: mill
version: '1.0'
profile: mill
vars: {shift: 0}
on-run-start: "insert into outside.hooks values ('start', '{{ invocation_id }}', 0)"
on-run-end:
  - "insert into outside.hooks values ('end', '{{ invocation_id }}', {{ results | length }})"
  - "%s"
models: &witness
  +post-hook: "insert into outside.witness values ('{{ model.unique_id }}', '{{ invocation_id }}')"
seeds: *witness
snapshots: *witness
"""
# What a hook takes its time with.
SLOW = {
    "duckdb": "select sum(hash(a.i * b.i)) from range(6000) a(i), range(8000) b(i)",
    "postgres": "select pg_sleep(0.4)",
}
OUTSIDE = (
    "create schema outside",
    "create table outside.day as select 1 as day",
    "create table outside.witness (node text, invocation text)",
    "create table outside.hooks (hook text, invocation text, nresults int)",
)
NEXT_DAY = ("update outside.day set day = day + 1", "delete from outside.witness", "delete from outside.hooks")
# What models are made of, as often as they stand here.
KINDS = ("view",) * 6 + ("table",) * 7 + ("append", "append by default", "delete+insert", "merge", "delete+insert")
CONFIGS = {
    "append": "materialized='incremental', incremental_strategy='append'",
    "append by default": "materialized='incremental'",
    "delete+insert": "materialized='incremental', incremental_strategy='delete+insert', unique_key='id'",
    "merge": "materialized='incremental', incremental_strategy='merge', unique_key='id'",
}
SNAPSHOT = """{%% snapshot %s %%}
{{ config(unique_key='id', strategy='timestamp', updated_at='seen') }}
select id, grp, val, cast('2024-01-01' as timestamp) + day * interval '1 day' as seen
from {{ ref('%s') }} cross join {{ source('outside', 'day') }}
{%% endsnapshot %%}
"""
UNIT_TEST = """
unit_tests:
  - name: shifted
    model: m000
    overrides: {vars: {shift: 100}}
    given:
      - {input: "ref('seed_0')", rows: [{id: 1, val: 3}, {id: 9, val: 4}]}
      - {input: "source('outside', 'day')", rows: [{day: 2}]}
    expect:
      rows: [{id: 1, grp: 1, val: 106}, {id: 9, grp: 2, val: 108}]
"""


def ref(name):
    return "{{ ref('%s') }}" % name


def first_layer(seed):
    return ("select s.id, s.id %% 7 as grp, cast(s.val * d.day + {{ var('shift') }} as bigint) as val\n"
            "from %s s cross join {{ source('outside', 'day') }} d" % ref(seed))


def upon(parents):
    """One row an id, also where a parent holds an id as often as it ran."""
    lines = ["select a.id, a.grp, cast((a.val * 3%s) %% 1000003 as bigint) as val from" % "".join(
        " + coalesce(p%d.val, 0)" % i for i in range(1, len(parents)))]
    for i, (name, current) in enumerate(parents):
        lines.append("%s(select id, min(grp) as grp, sum(val) as val from %s%s group by id) %s" % (
            "left join " if i else "", ref(name), current, "p%d on p%d.id = a.id" % (i, i) if i else "a"))
    return "\n".join(lines)


def generate(folder, adapter, port=0, nmodels=100, layers=6, seed=1):
    """Writes the project; a tenth of the models is read by a snapshot, which others read."""
    rng = random.Random(seed)
    write(folder, "dbt_project.yml", SETTINGS % SLOW[adapter])
    write(folder, "profiles.yml", "mill: {target: dev, outputs: {dev: %s}}\n" % (
        "{type: duckdb, path: kill.duckdb, schema: mill, threads: 4, settings: {threads: 1}}" if adapter == "duckdb" else
        "{type: postgres, host: 127.0.0.1, port: %d, user: postgres, password: x, dbname: %s, schema: mill, "
        "threads: 4}" % (port, DATABASE)))
    for i in range(NSEEDS):
        write(folder, "seeds/seed_%d.csv" % i, "id,val\n" + "".join(
            "%d,%d\n" % (n, rng.randrange(1000)) for n in range(1, 21)))
    yml = ["sources:", "  - {name: outside, schema: outside, tables: [{name: day}]}", "models:"]
    earlier, current, made = [], [], 0
    for layer in range(layers):
        for _ in range(nmodels // layers + (layer < nmodels % layers)):
            name, kind = "m%03d" % made, KINDS[made * 7 % len(KINDS)] if layer else ("view", "table")[made % 2]
            made += 1
            if layer and made % 25 == 0:
                kind = "ephemeral"
            body = upon(rng.sample(earlier, min(len(earlier), rng.randint(1, 3)))) if layer else \
                first_layer("seed_%d" % (made % NSEEDS if made > 1 else 0))
            write(folder, "models/%s.sql" % name, "{{ config(%s) }}\n%s\n" % (
                CONFIGS.get(kind, "materialized='%s'" % kind), body))
            current.append((name, ""))
            if made % 20 == 10:
                write(folder, "snapshots/snap_%s.sql" % name, SNAPSHOT % ("snap_" + name, name))
                current.append(("snap_" + name, " where dbt_valid_to is null"))
            if made % 3 == 0 and kind != "ephemeral":
                yml.append("  - {name: %s, columns: [{name: id, data_tests: [%s]}]}" % (
                    name, "not_null" if "append" in kind or made % 2 else "unique"))
        earlier = (earlier[-10:] if layer else []) + current
        current = []
    write(folder, "models/schema.yml", "\n".join(yml) + UNIT_TEST)
    return folder


class DuckStore:
    """The database is a file in the project; nobody may read it while a run has it open."""
    adapter = "duckdb"

    def __init__(self, folder):
        self.folder = folder

    def make(self, project, base):
        self.path = os.path.join(project, "kill.duckdb")
        if base is None:
            self.run(*OUTSIDE)
        else:
            shutil.copyfile(os.path.join(self.folder, base), self.path)

    def keep(self, base):
        shutil.copyfile(self.path, os.path.join(self.folder, base))

    def run(self, *statements):
        import duckdb
        with duckdb.connect(self.path) as db:
            for statement in statements:
                rows = db.execute(statement).fetchall()
        return rows

    def backends(self):
        return []

    def rescue(self, _):
        pass                               # the file is in the project


class PgStore:
    """A database of the server, made anew from a template for every round."""
    adapter = "postgres"

    def __init__(self, server):
        self.pg = server

    def make(self, _, base):
        self.pg.sql("drop database if exists %s with (force)" % DATABASE)
        self.pg.sql("create database %s%s" % (DATABASE, "" if base is None else " template " + base))
        if base is None:
            self.run(*OUTSIDE)

    def keep(self, base):
        self.pg.sql("drop database if exists %s with (force)" % base)
        self.pg.sql("create database %s template %s" % (base, DATABASE))

    def run(self, *statements):
        for statement in statements:
            rows = self.pg.sql(statement, DATABASE)
        return [tuple(row) for row in rows]

    def backends(self):
        return [row[0] for row in self.pg.sql(
            "select pid from pg_stat_activity where datname = '%s' and pid <> pg_backend_pid()" % DATABASE)]

    def rescue(self, folder):
        with open(os.path.join(folder, "kill.sql"), "w") as f:
            subprocess.run([os.path.join(self.pg.bin, "pg_dump"), "-h", "127.0.0.1", "-p", str(self.pg.port), "-U",
                            "postgres", DATABASE], stdout=f, stderr=subprocess.STDOUT)


def fingerprints(store):
    """{relation: digest of its rows}, of all that dbt has made."""
    names = [name for name, in store.run(
        "select table_name from information_schema.tables where table_schema = 'mill' order by 1")]
    parts = ["select '%s', count(*), md5(coalesce(string_agg(cast(t as text), '|' order by cast(t as text)), '')) "
             "from mill.%s t" % (name, name) for name in names]
    return {row[0]: tuple(map(str, row[1:])) for row in store.run(" union all ".join(parts))} if parts else {}

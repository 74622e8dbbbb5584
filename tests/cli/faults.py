"""Faults of a real database, from outside: held locks, killed backends. What is transient is tried
again, from a clean start, while other nodes go on; what is not, or may have been committed, is not."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

from harness import DBT, HEDDLE, Postgres, Run, cases, node_statuses, read_results, start, wait_until, write

HOLDER = "select pid from pg_locks where mode = 'AccessExclusiveLock' and relation = 'public.ledger'::regclass"
PROFILE = """
mill:
  target: dev
  outputs:
    dev: &dev {type: postgres, host: 127.0.0.1, port: %d, user: postgres, password: x, dbname: postgres,
               schema: mill, threads: 3}
    prod: {<<: *dev, schema: mill_prod}
"""


class Mill:
    """A server, and a project of the given models on it."""

    def __init__(self, **models):
        self.models = models

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.pg = self.stack.enter_context(Postgres("-c lock_timeout=600ms"))
        self.pg.sql("create table public.ledger as select 1 as id")
        self.dir = tempfile.mkdtemp(prefix="mill")
        self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        write(self.dir, "dbt_project.yml", "name: mill\nversion: '1.0'\nprofile: mill\n")
        write(self.dir, "profiles.yml", PROFILE % self.pg.port)
        for name, sql in self.models.items():
            write(self.dir, "models/%s.%s" % (name, "yml" if name == "schema" else "sql"), sql)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def lock_ledger(self):
        """Nobody else reads the ledger until free_ledger()."""
        self.holder = subprocess.Popen(
            [os.path.join(self.pg.bin, "psql"), "-qh", "127.0.0.1", "-p", str(self.pg.port), "-U", "postgres", "-c",
             "begin; lock table public.ledger; select pg_sleep(300)"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.stack.callback(self.holder.kill)
        wait_until("the lock is held", lambda: self.pg.sql(HOLDER))

    def free_ledger(self):
        self.pg.sql("select pg_terminate_backend(pid) from (%s) h" % HOLDER)
        self.holder.wait()

    def kill_backends(self, word, times, found):
        """Terminates whoever runs a query with that word in it, so many times."""
        query = ("select pid from pg_stat_activity where query like '%%%s%%' and state = 'active' "
                 "and pid <> pg_backend_pid()" % word)
        end = time.monotonic() + 60
        while len(found) < times and time.monotonic() < end:
            for (pid,) in self.pg.sql(query):
                if pid not in found:
                    time.sleep(0.2)
                    self.pg.sql("select pg_terminate_backend(%s)" % pid)
                    found.append(pid)
            time.sleep(0.05)

    def run(self, *words, code=0, free_after=None):
        """free_after: the ledger is freed once that many tries have failed for its sake."""
        if free_after:
            self.lock_ledger()
        p = start([HEDDLE, "build", "--log-format", "json", "--retry-delay", "1s", *words], self.dir)
        lines, failed = [], 0
        for line in p.stdout:
            lines.append(line)
            failed += '"code": "55P03"' in line
            if free_after and failed >= free_after:
                self.free_ledger()
                free_after = None
        same("exit code", p.wait(), code, "".join(lines))
        return Story("".join(lines))


class Story:
    """Events of a run: of each node its tries as (class, code), when it first ran, its last status."""

    def __init__(self, text):
        self.text = text
        self.tries, self.first, self.status, self.reason, self.message = {}, {}, {}, {}, {}
        began = None
        for line in text.splitlines():
            if not line.startswith("{"):
                continue
            e = json.loads(line)
            began = began or when(e["at"])
            if e["event"] != "task":
                continue
            name = e["unique_id"].split(".")[2]
            if e["to"] == "running":
                self.first.setdefault(name, when(e["at"]) - began)
            if e["from"] == "running":
                self.tries.setdefault(name, []).append((e.get("class"), e.get("code")))
                self.message[name] = e.get("message")
            if "status" in e:
                self.status[name] = e["status"]
            if "reason" in e:
                self.reason[name] = e["reason"]


def when(text):
    hours, minutes, seconds = text[11:].rstrip("Z").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def same(what, found, expected, more=""):
    assert found == expected, "%s: %r, not %r\n%s" % (what, found, expected, more)


TABLE = "{{ config(materialized='table') }} "
LOCKED = TABLE + "select * from public.ledger"
CLEAN = (None, None)
LOCK_TIMEOUT = ("transient", "55P03")


def case_held_lock():
    """A lock held for a while: tried again until it is free; what does not depend on it does not wait."""
    with Mill(locked=LOCKED, child="select * from {{ ref('locked') }}", a="select 1 as id",
              b="select * from {{ ref('a') }}", c="select * from {{ ref('b') }}") as mill:
        mill.run()
        story = mill.run("--retries", "4", free_after=2)
        same("tries", story.tries["locked"], [LOCK_TIMEOUT, LOCK_TIMEOUT, CLEAN])
        same("statuses", set(story.status.values()), {"success"})
        assert story.first["c"] < story.first["child"] - 0.5, (story.first, story.tries)


def case_killed_backend():
    """The connection goes away twice in mid-query; a table is made anew, so it may be tried again. Nodes beside
    it start when they start without the fault: a chain that is as long as the tries and their delays."""
    def link(parent):
        return TABLE + "select id from %s, pg_sleep(0.6)" % (parent and "{{ ref('%s') }}" % parent or "(select 1 id) x")
    with Mill(slow=TABLE + "select 1 as id from pg_sleep(2) /* mark */", a=link(None), b=link("a"), c=link("b"),
              d=link("c"), e=link("d"), after="select * from {{ ref('slow') }}") as mill:
        calm = mill.run()
        found = []
        killer = threading.Thread(target=mill.kill_backends, args=("mark", 2, found))
        killer.start()
        story = mill.run("--retries", "3")
        killer.join()
        same("backends killed", len(found), 2)
        same("tries", story.tries["slow"], [("connection lost", None)] * 2 + [CLEAN])
        same("statuses", set(story.status.values()), {"success"})
        shifts = {name: story.first[name] - calm.first[name] for name in calm.first}
        assert story.first["e"] < story.first["after"], story.first   # the chain ran beside the tries
        assert all(abs(shifts[name]) < 1.5 for name in "abcde") and shifts["after"] > 2, shifts
        print("starts beside two lost connections, later by: %s" % ", ".join(
            "%s %.2f s" % (name, shifts[name]) for name in sorted(shifts)))


def case_outcome_unknown():
    """An incremental that appends may have been committed when its connection was lost: once only."""
    with Mill(log_of="{{ config(materialized='incremental') }} select 1 as id from pg_sleep(2) /* mark */",
              child="select * from {{ ref('log_of') }}") as mill:
        mill.run()
        found = []
        killer = threading.Thread(target=mill.kill_backends, args=("mark", 1, found))
        killer.start()
        story = mill.run("--retries", "3", code=1)
        killer.join()
        same("backends killed", len(found), 1)
        same("tries", [c for c, _ in story.tries["log_of"]], ["connection lost"])
        assert "appends" in story.reason["log_of"], story.reason
        same("child", story.status["child"], "skipped")


def case_not_transient():
    """Syntax, an unknown table, a compilation error, a failing test: one try each."""
    with Mill(syntax="selekt 1", nothing="select * from nowhere.to_be_found",
              jinja="select {% if execute %}{{ exceptions.raise_compiler_error('no') }}{% endif %}") as mill:
        write(mill.dir, "tests/never.sql", "select 1 as id")
        story = mill.run("--retries", "3", code=1)
        same("tries", story.tries, {"syntax": [("database", "42601")], "nothing": [("database", "42P01")],
                                    "jinja": [("compile", None)], "never": [("test failure", None)]})


def case_a_try_that_was_rolled_back():
    """The table had been renamed in the transaction that failed: dbt's cache must not believe it."""
    hook = "insert into public.ledger values (2)"
    with Mill(hooked="{{ config(materialized='table', post_hook=\"%s\") }} select 1 as id" % hook,
              view="{{ config(post_hook=\"%s\") }} select 1 as id" % hook) as mill:
        mill.run()
        story = mill.run("--retries", "4", free_after=2)
        for name in mill.models:
            same("tries of " + name, story.tries[name], [LOCK_TIMEOUT, CLEAN])
        same("statuses", set(story.status.values()), {"success"})
        same("ledger", mill.pg.sql("select count(*) from public.ledger"), [["5"]])
        same("left behind", mill.pg.sql("select relname from pg_class where relname like '%__dbt%'"), [])


def case_a_try_that_changed_the_node():
    """dbt rewrites a node while it compiles it: ephemeral parents, constraints. A second try starts over."""
    schema = """
models:
  - name: parent
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: int, constraints: [{type: primary_key}]}]
  - name: child
    config: {contract: {enforced: true}}
    columns:
      - {name: id, data_type: int, constraints: [{type: foreign_key, to: ref('parent'), to_columns: [id]}]}
"""
    with Mill(parent=TABLE + "select 1 as id", base="{{ config(materialized='ephemeral') }} select 1 as id",
              child=TABLE + "select l.id from public.ledger l join {{ ref('base') }} using (id) "
              "join {{ ref('parent') }} using (id)", schema=schema) as mill:
        story = mill.run("--retries", "4", free_after=2)
        same("tries", story.tries["child"], [LOCK_TIMEOUT, LOCK_TIMEOUT, CLEAN])
        same("child", story.status["child"], "success")
        same("rows", mill.pg.sql("select id from mill.child"), [["1"]])


def case_one_batch_of_many():
    """Only the batch that failed is run again."""
    with Mill(events="{{ config(materialized='table', event_time='day') }} select generate_series("
              "timestamp '2024-01-01', '2024-01-04', '1 day') as day, random() as mark",
              daily="{{ config(materialized='incremental', incremental_strategy='microbatch', unique_key='day', "
              "event_time='day', begin='2024-01-01', batch_size='day') }} select day, mark from {{ ref('events') }} "
              "{% if model.batch and model.batch.id == '20240102' %} join public.ledger on true {% endif %}") as mill:
        bounds = ("--event-time-start", "2024-01-01", "--event-time-end", "2024-01-05")
        story = mill.run("--retries", "4", *bounds, free_after=1)
        same("tries", story.tries["daily"], [LOCK_TIMEOUT, CLEAN])
        same("daily", story.status["daily"], "success")
        same("batches that ran", re.findall(r"creat\w+ batch 2024-01-(\d\d) of", story.text), ["01", "02", "03", "04", "02"])
        result = next(r for r in read_results(mill.dir)["results"] if r["unique_id"] == "model.mill.daily")
        same("batches", {k: len(v) for k, v in result["batch_results"].items()}, {"successful": 4, "failed": 0})
        same("rows", mill.pg.sql("select count(*), count(distinct day) from mill.daily"), [["4", "4"]])
        same("of this run's events", mill.pg.sql("select count(*) from mill.daily join mill.events using (day, mark)"),
             [["4"]])


def case_defer():
    """What --defer and --favor-state resolve is what dbt resolves."""
    with Mill(a=TABLE + "select 1 as id", b=TABLE + "select * from {{ ref('a') }}",
              c=TABLE + "select id from {{ ref('a') }} union all select id from {{ ref('b') }}") as mill:
        Run([DBT, "build", "--target", "prod", "--target-path", "prod"], mill.dir).check(0)
        write(mill.dir, "models/c.sql", mill.models["c"] + " -- changed")
        Run([DBT, "run", "--select", "a"], mill.dir).check(0)
        for options in (["--defer"], ["--defer", "--favor-state"], ["--defer", "--favor-state", "--empty"]):
            words = ["run", "--select", "state:modified", "--state", "prod", *options]
            compiled = []
            for program in (DBT, HEDDLE):
                mill.pg.sql("drop table if exists mill.b, mill.c cascade")
                Run([program, *words], mill.dir).check(0)
                same("statuses", node_statuses(mill.dir), {"model.mill.c": "success"})
                compiled.append(read_results(mill.dir)["results"][-1]["compiled_code"])
            same(" ".join(options), compiled[1], compiled[0])
            assert "mill_prod" in compiled[0]


def case_no_connection():
    """The server is not there at all: dbt's message, no node is tried."""
    with Mill(a="select 1 as id") as mill:
        mill.pg.quietly("pg_ctl", "-D", os.path.join(mill.pg.dir, "data"), "-m", "immediate", "-w", "stop")
        run = Run([HEDDLE, "build"], mill.dir)
        assert run.code != 0 and "Connection refused" in run.out, run.out


if __name__ == "__main__":
    if not Postgres.binaries():
        print("no PostgreSQL here")
        raise SystemExit(77)
    cases(globals())

"""Faults around a whole project, by hand: the server restarts, connections die at random, disks are
full, the worker hangs, messages and names are huge. What can be continued is, and then everything
must be as tests/long/kill.py wants it.

    .venv/bin/python tests/long/faults.py [CASE...]

Full disks are small tmpfs mounts, for root only.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import kill  # noqa: E402
from harness import DBT, HEDDLE, Postgres, Run, alive, cases, clean_env, statuses, wait_until, write  # noqa: E402
from kill_project import DuckStore, PgStore  # noqa: E402

MODELS = int(os.environ.get("MODELS", "50"))
FILLER = "filler"


class Stage(contextlib.ExitStack):
    """A generated project on a database of its own, and one run of it that something happens to."""

    def __init__(self, adapter):
        super().__init__()
        self.adapter = adapter

    def __enter__(self):
        super().__enter__()
        self.folder = tempfile.mkdtemp(prefix="heddle-faults-")
        self.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.pg = self.enter_context(Postgres()) if self.adapter == "postgres" else None
        store = PgStore(self.pg) if self.pg else DuckStore(self.folder)
        self.bench = kill.Bench(self.folder, store, argparse.Namespace(short=True, models=MODELS))
        self.work = kill.Work(self.bench, os.path.join(self.folder, "work"), "base_first")
        return self

    def start(self, *words):
        blow = kill.Blow(self.work, ("build", *kill.VARS, *words), ("fault", None, None))
        blow.phase = kill.NODES
        return blow

    def sleep_until_ended(self, blow, n):
        wait_until("%d nodes have ended" % n, lambda: blow.p.poll() is not None or (
            blow.look() == kill.NODES and len(blow.record.final) >= n), 120)

    def goes_on(self, blow, *words):
        """`heddle retry` until all is done; how often. Then everything is judged."""
        tries = 0
        while not self.work.is_done(blow):
            tries += 1
            assert tries < 5, blow.text()
            blow = kill.Blow(self.work, ("retry", *words))
            blow.wait()
        self.work.judge()
        return tries

    def mount(self, path, size):
        """A small file system of its own."""
        path = os.path.join(self.work.dir, path)
        kept = path + ".kept"
        os.makedirs(path, exist_ok=True)
        shutil.copytree(path, kept)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "none", path], check=True)
        self.callback(subprocess.run, ["umount", "-l", path])
        shutil.copytree(kept, path, dirs_exist_ok=True)
        shutil.rmtree(kept)
        return path


def fill(path):
    with contextlib.suppress(OSError), open(os.path.join(path, FILLER), "wb", buffering=0) as f:
        for size in (65536, 4096, 512):
            with contextlib.suppress(OSError):
                while f.write(b"x" * size) == size:
                    pass


def free(path):
    os.unlink(os.path.join(path, FILLER))


def said(blow, *parts):
    text = blow.text()
    for part in parts:
        assert part in text, "does not say %r:\n%s" % (part, text[-3000:])


# -- the database ---------------------------------------------------------------------------------


def case_server_restarts():
    """Twice in mid-run, with all its connections."""
    with Stage("postgres") as stage:
        blow = stage.start("--retries", "8", "--retry-delay", "1s")
        for nended in (15, 40):
            stage.sleep_until_ended(blow, nended)
            assert blow.p.poll() is None, blow.text()
            stage.pg.quietly("pg_ctl", "-D", os.path.join(stage.pg.dir, "data"), "-m", "immediate", "-w", "-l",
                             os.path.join(stage.pg.dir, "log"), "restart")
        blow.wait()
        print("  exit code", blow.p.returncode, "retries:", stage.goes_on(blow),
              "unknown:", stage.work.nunknown, "lost tries:", blow.text().count("connection lost"))
        if blow.p.returncode == 0:
            said(blow, "retried")


def case_connections_die_at_random():
    """Many times a second one backend that works on a node."""
    with Stage("postgres") as stage:
        blow = stage.start("--retries", "30", "--retry-delay", "1s")
        rng, killed = random.Random(3), 0
        while blow.p.poll() is None and killed < 40:
            blow.look()
            pids = stage.pg.sql("select pid from pg_stat_activity where query like '%\"node_id\": \"%' "
                                "and datname = 'kill' and pid <> pg_backend_pid()")
            if pids:
                stage.pg.sql("select pg_terminate_backend(%s)" % rng.choice(pids)[0])
                killed += 1
            time.sleep(0.1 * rng.random())
        blow.wait()
        print("  killed %d, exit code %d, retries %d, unknown %d" % (
            killed, blow.p.returncode, stage.goes_on(blow), stage.work.nunknown))
        assert killed >= 10, killed


def case_locks_held():
    """Somebody else locks what nodes write to, again and again, for as long as the server bears it."""
    with Stage("postgres") as stage:
        stage.pg.sql("alter database kill set lock_timeout = '300ms'")
        stop, held = threading.Event(), []

        def lock():
            while not stop.is_set():
                stage.pg.sql("begin; lock table outside.witness in access exclusive mode; select pg_sleep(0.7); commit",
                             "kill")
                held.append(1)
                stop.wait(1)

        blow = stage.start("--retries", "30", "--retry-delay", "1s")
        locker = threading.Thread(target=lock)
        locker.start()
        blow.wait()
        stop.set()
        locker.join()
        assert blow.p.returncode == 0, blow.text()
        stage.goes_on(blow)
        print("  held %d times, lock timeouts: %d" % (len(held), blow.text().count("lock timeout")))


# -- full disks -----------------------------------------------------------------------------------


def case_target_full():
    """The whole target folder: dbt's files, the journal and the results."""
    with Stage("duckdb") as stage:
        target = stage.mount("target", "40m")
        blow = stage.start()
        stage.sleep_until_ended(blow, 15)
        fill(target)
        code = blow.wait(60)
        assert code in (1, 2), (code, blow.text())
        said(blow, "No space left on device")
        free(target)
        blow.phase = kill.END          # dbt has no room to compile the hook either
        assert stage.goes_on(blow) >= 1


def case_journal_full():
    """Only the journal: nothing new starts, what runs ends and is in the results."""
    with Stage("duckdb") as stage:
        runs = stage.mount("target/heddle", "%dk" % (MODELS * 4 // 5))
        blow = stage.start()
        assert blow.wait(60) == 2, blow.text()
        said(blow, "cannot write the journal", "No space left on device", "heddle retry")
        found = stage.work.results()
        assert set(found) == stage.bench.tasks, stage.bench.tasks ^ set(found)
        ran = {k for k, v in found.items() if v["status"] in kill.GOOD}
        assert 3 < len(ran) < len(found), len(ran)
        subprocess.run(["mount", "-o", "remount,size=10m", runs], check=True)
        assert stage.goes_on(blow) == 1


def case_results_full():
    """run_results.json cannot be written: an error, the old file is whole, a retry writes it."""
    with Stage("duckdb") as stage:
        target = stage.mount("target", "40m")
        stage.mount("target/heddle", "10m")
        old = {"metadata": {}, "results": []}
        with open(os.path.join(target, "run_results.json"), "w") as f:
            json.dump(old, f)
        blow = stage.start()
        stage.sleep_until_ended(blow, len(stage.bench.tasks) - 5)
        fill(target)
        code = blow.wait(60)
        with open(os.path.join(target, "run_results.json")) as f:
            assert json.load(f) == old
        assert code != 0, blow.text()
        said(blow, "run_results.json", "No space left on device")
        free(target)
        blow.phase = kill.END
        assert stage.goes_on(blow) == 1


def case_history_full():
    """A run does not depend on its history."""
    with Stage("duckdb") as stage:
        stage.mount("state", "12k")
        blow = stage.start()
        assert blow.wait() == 0, blow.text()
        said(blow, "history")
        shutil.rmtree(os.path.join(stage.work.dir, "state/heddle"))   # the judge looks for a whole one
        subprocess.run(["mount", "-o", "remount,size=10m", os.path.join(stage.work.dir, "state")], check=True)
        Run([HEDDLE, "ls"], stage.work.dir, stage.work.env).check(0)
        assert stage.work.unknown(stage.work.results()) == set()
        assert set(statuses(stage.work.dir).values()) <= {"success", "pass"}


# -- the worker -----------------------------------------------------------------------------------


def case_worker_stopped():
    """It answers nothing any more: its nodes run into their timeout, it is killed, another goes on."""
    with Stage("duckdb") as stage:
        blow = stage.start("--timeout", "4s", "--grace", "2s", "--retries", "3", "--retry-delay", "1s")
        stage.sleep_until_ended(blow, 15)
        workers = blow.workers()
        os.kill(workers[0], signal.SIGSTOP)
        blow.wait(120)
        wait_until("the workers are gone", lambda: not any(map(alive, blow.family)), 5)
        said(blow, "timeout")
        print("  exit code %d, retries %d, unknown %d, %.0f s" % (
            blow.p.returncode, stage.goes_on(blow), stage.work.nunknown, blow.seconds()))


def case_worker_stopped_while_it_parses():
    """There is no timeout for that, but a signal ends the run and the worker."""
    with Stage("duckdb") as stage:
        blow = stage.start()
        workers = wait_until("the worker is there", blow.workers)
        time.sleep(0.5)
        os.kill(workers[0], signal.SIGSTOP)
        time.sleep(0.5)
        since = time.monotonic()
        blow.p.send_signal(signal.SIGTERM)
        assert blow.wait(30) == 143, blow.text()
        print("  %.1f s after the signal" % (time.monotonic() - since))
        wait_until("the worker is gone", lambda: not any(map(alive, blow.family)), 5)


# -- huge texts -----------------------------------------------------------------------------------

PROFILE = "odd: {target: dev, outputs: {dev: {type: duckdb, path: odd.duckdb, threads: 4, settings: {threads: 1}}}}\n"


@contextlib.contextmanager
def odd_project(**files):
    folder = tempfile.mkdtemp(prefix="heddle-odd-")
    write(folder, "dbt_project.yml", "name: odd\nversion: '1.0'\nprofile: odd\nflags: {use_colors: false}\n")
    write(folder, "profiles.yml", PROFILE)
    for path, text in files.items():
        write(folder, path, text)
    try:
        yield folder, clean_env(XDG_STATE_HOME=os.path.join(folder, "state"))
    finally:
        shutil.rmtree(folder)


def case_messages_of_a_megabyte():
    """From the database, from Jinja and from a log line; with what must not reach a terminal."""
    nasty = "\\x1b[2J::error::"
    models = {
        "models/db.sql": "{{ config(materialized='table') }}select error(repeat('0123456789abcdef', 65536) || chr(10) || '::error::x' || chr(27) || '[2J')",
        "models/jinja.sql": "{%% if execute %%}{{ exceptions.raise_compiler_error('%s' ~ 'y' * 1048576) }}{%% endif %%}"
                            "select 1" % nasty,
        "models/spoken.sql": "{%% do log('%s' ~ 'z' * 1048576, info=True) %%}select 1 as id" % nasty,
        "models/fine.sql": "select * from {{ ref('spoken') }}",
        "models/late.sql": "select * from {{ ref('db') }}",
    }
    with odd_project(**models) as (folder, env):
        for words in (("build",), ("retry",), ("build", "--log-format", "json")):
            run = Run([HEDDLE, *words], folder, env).check(1)
            found = statuses(folder)
            assert found["model.odd.db"] == found["model.odd.jinja"] == "error", found
            assert found["model.odd.fine"] == "success" and found["model.odd.late"] == "skipped", found
            assert "\x1b[2J" not in run.out, "an escape sequence came through"
            assert not any(line.startswith("::") for line in run.out.splitlines()), "a line starts with ::"
            with open(os.path.join(folder, "target/run_results.json")) as f:
                sizes = {r["unique_id"]: len(r["message"] or "") for r in json.load(f)["results"]}
            assert sizes["model.odd.db"] > 1 << 20 and sizes["model.odd.jinja"] > 1 << 20, sizes
            print("  %s: %.1f s, %d bytes on the terminal" % (" ".join(words), run.seconds, len(run.out)))
        for words in (("history",), ("history", "--node", "db"), ("report", "-o", "r.html")):
            out = Run([HEDDLE, *words], folder, env).check(0).out
            assert "\x1b[2J" not in out and len(out) < 100000, len(out)


def case_names():
    """As long and as odd as files and dbt allow."""
    names = ["quote'single", 'quote"double', "dollar$HOME", "$(touch${IFS}pwned)", "semi;reboot", "back\\slash", "ünïcødé",
             "模型" * 40, "emoji🙂", "<tag>&amp;", "::error", "-dash", "a:b", "hash#tag", "per%cent%s", "x" * 240,
             "new\nline", "esc\x1b[2Jape", "tab\there", "{curly}", "[0m", "`tick`"]
    files = {"models/%s.sql" % n: "{{ config(alias='n%d') }} select %d as id" % (i, i) for i, n in enumerate(names)}
    with odd_project(**files) as (folder, env):
        theirs = Run([DBT, "build"], folder, env).check(0)
        shutil.rmtree(os.path.join(folder, "target"))
        ours = Run([HEDDLE, "build"], folder, env)
        assert ours.code == theirs.code, ours.out
        found = statuses(folder)
        assert len(found) == len(names) and set(found.values()) == {"success"}, found
        for words in (("build", "--log-format", "json"), ("ls",), ("plan",), ("history",), ("lint",),
                      ("history", "--slowest"), ("report", "-o", "r.html"), ("diff", "--state", "target"),
                      ("build", "--dry-run")):
            out = Run([HEDDLE, *words], folder, env).out
            assert "\x1b" not in out, (words, "an escape character came through")
            assert not any(line.startswith("::") for line in out.splitlines()), (words, out)
        assert not os.path.exists(os.path.join(folder, "pwned"))


def case_names_of_500_bytes():
    """dbt allows them where no file is called so: exposures, sources, and unit tests, which then fail. Blanks it
    allows in those alone; other tests may have any other character."""
    def of_bytes(n, text):
        return (text * n).encode()[:n].decode(errors="ignore")

    def shown(unique_id):
        return repr(unique_id)[:40]

    nasty = "it's \"q\"\n\x1b[2J\n::error ünï 模型🙂 $(touch pwned) `tick` <b>&amp; a.b,c+d*e@f:g %s "
    day = {"count": 1, "period": "day"}
    table = {"name": of_bytes(500, nasty), "identifier": "m", "loaded_at_field": "current_timestamp",
             "freshness": {"warn_after": day, "error_after": day}}
    unit = {"name": of_bytes(500, "\x1b[2J::" + nasty), "model": "n", "given": [], "expect": {"rows": [{"id": 1}]}}
    test = {"not_null": {"name": of_bytes(200, nasty.replace(" ", "_").replace("/", "")), "alias": "t"}}
    schema = {"sources": [{"name": "raw", "schema": "main", "tables": [table]}], "unit_tests": [unit],
              "exposures": [{"name": of_bytes(500, nasty), "type": "dashboard", "owner": {"name": "o"},
                             "depends_on": ["ref('m')"]}],
              "models": [{"name": "m", "columns": [{"name": "id", "data_tests": [test]}]}]}
    text = json.dumps(schema, ensure_ascii=False).replace("\\u001b", "\\e")   # as YAML has it
    with odd_project(**{"models/m.sql": "select 1 as id", "models/n.sql": "select 1 as id",
                        "models/s.yml": text}) as (folder, env):
        theirs = Run([DBT, "build"], folder, env, timeout=600)
        expected = statuses(folder)
        shutil.rmtree(os.path.join(folder, "target"))
        ours = Run([HEDDLE, "build", "--retries", "0"], folder, env, timeout=600)
        found = statuses(folder)
        assert (ours.code, found) == (theirs.code, expected), (ours.out, expected)
        long = {k for k in found if len(k.encode()) > 450}
        assert len(long) == 2 and len(found) == 5, list(map(shown, found))
        assert set(found.values()) == {"success", "pass", "no-op", "error", "skipped"}, found
        fresh = Run([HEDDLE, "freshness"], folder, env, timeout=600).check(0)
        with open(os.path.join(folder, "target/sources.json")) as f:
            sources = json.load(f)["results"]
        assert [r["status"] for r in sources] == ["pass"] and sources[0]["unique_id"].endswith(table["name"].strip()), \
            sources
        outs = {"build": ours.out, "freshness": fresh.out}
        one = next(iter(long))
        for words in (("ls",), ("ls", "--output", "json"), ("plan",), ("history",), ("history", "--node", one), ("lint",),
                      ("history", "--slowest"), ("report", "-o", "r.html"), ("diff", "--state", "target"),
                      ("export", "dot"), ("export", "mermaid"), ("explain-error", one)):
            outs[" ".join(words[:2])] = Run([HEDDLE, *words], folder, env).out
        for words, out in outs.items():
            assert "\x1b" not in out, (words, "an escape character came through")
            assert not any(line.startswith("::") for line in out.splitlines()), (words, out)
        assert not os.path.exists(os.path.join(folder, "pwned"))
        print("  ids of %s bytes" % sorted(len(k.encode()) for k in found))


if __name__ == "__main__":
    cases(globals())

"""A run that cannot be lost: killed at any moment, then continued until it is done.

    .venv/bin/python tests/long/kill.py [--rounds 300] [--seed 1] [--adapter duckdb|postgres] [--models 100]
                                        [--signals] [--only ROUND] [--keep DIR]

A round starts `heddle build` on the project of kill_project.py, on an empty database or on one of a
day before, and kills heddle, its worker or both by SIGKILL (with --signals: stops heddle by SIGTERM
or SIGINT, once or twice) at a moment uniform over the whole run; every eighth is aimed between a
commit and its line in the journal: heddle is stopped, the worker goes on, then both are killed.
`heddle retry` or `heddle build --resume` goes on, now and then killed as well. In the end
  - every node succeeded, or appends, was running when something was killed, and is said to be of
    unknown outcome, or hangs on such a node;
  - no node whose good end was journaled ran again, no appending node was committed twice;
  - every table is that of a clean `dbt build`;
  - no process, no backend, no half-written artifact is left.
Whether a node ran is told by the database, not by heddle (kill_project.py).

One line a round; a failed one leaves its folder and says how to play it again. The last lines say
how the kills spread over the phases of a run.
"""
import argparse
import collections
import contextlib
import json
import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from harness import DBT, HEDDLE, Postgres, Run, alive, clean_env, wait_until  # noqa: E402
from kill_project import NEXT_DAY, DuckStore, PgStore, fingerprints, generate  # noqa: E402

VARS = ("--vars", "{shift: 7}")
GOOD = ("success", "pass", "warn", "no-op")
PHASES = ("start-up", "parse", "on-run-start", "running", "commit not journaled", "on-run-end", "artifacts", "ended")
MOST_TRIES = 8
PATIENCE = 240                             # seconds until a run counts as hung


class Wrong(Exception):
    """What must not be."""


def expect(condition, *text):
    if not condition:
        raise Wrong(" ".join(map(str, text)))


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def is_guard(pid):
    """heddle's own child, which ends the worker when heddle is gone (executor/proc_posix.c)."""
    try:
        return os.path.samefile("/proc/%d/exe" % pid, HEDDLE)
    except OSError:
        return False


def read_json(path):
    """None when there is none; a file that is there must be whole."""
    try:
        with open(path) as f:
            return json.load(f)
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise Wrong("%s is not JSON: %s" % (path, exc))


class Journal:
    """A journal as it is now: of each node its lines, the hooks at the end, whether it ended."""

    def __init__(self, path):
        self.path, self.lines, self.ends, self.ended = path, {}, 0, False
        with open(path) as f:
            text = f.read()
        whole = [json.loads(line) for line in text.split("\n")[:-1]]
        self.invocation = whole[0]["run"] if whole else None
        for line in whole[1:]:
            if "id" in line:
                self.lines.setdefault(line["id"], []).append(line)
            self.ends += line.get("at") == "end"
            self.ended |= "end" in line

    def good(self):
        return {node for node, lines in self.lines.items()
                if lines[-1]["to"] == "done" and lines[-1].get("status") in GOOD}

    def ran(self):
        return {node for node, lines in self.lines.items()
                if any(line["to"] == "running" and not line.get("earlier") for line in lines)}

    def final(self):
        return {node for node, lines in self.lines.items() if lines[-1]["to"] in ("done", "skipped")}

    def cut(self):
        """Nodes whose attempt has no end, or ended because something was killed or cancelled."""
        return {node for node, lines in self.lines.items() if lines[-1]["to"] == "running" or any(
            line.get("class") in ("worker lost", "connection lost", "cancelled", "timeout") for line in lines)}


class Bench:
    """What all rounds of one adapter share: the project as it was parsed, the database before and
    what a clean `dbt build` makes of it, how long a run takes."""

    def __init__(self, folder, store, args):
        self.store, self.project, self.clean = store, os.path.join(folder, "project"), {}
        generate(self.project, store.adapter, getattr(getattr(store, "pg", None), "port", 0), args.models)
        store.make(self.project, None)
        store.keep("base_first")
        seconds = self.build_clean("base_first") * 0.6     # it parsed anew
        if not args.short:
            store.run(*NEXT_DAY)
            store.keep("base_second")
            self.build_clean("base_second")
            store.make(self.project, "base_second")
            seconds = Run([HEDDLE, "build", *VARS], self.project, timeout=3000).check(0).seconds
            expect(fingerprints(store) == self.clean["base_second"], "a run in peace differs from dbt's")
        self.seconds = {"base_first": seconds, "base_second": seconds, "retry": seconds / 2}
        self.learn_nodes()
        self.strip()

    def build_clean(self, base):
        done = Run([DBT, "build", *VARS], self.project, timeout=3000).check(0)
        self.clean[base] = fingerprints(self.store)
        return done.seconds

    def learn_nodes(self):
        manifest = read_json(os.path.join(self.project, "target/manifest.json"))
        self.children = manifest["child_map"]
        nodes = dict(manifest["nodes"], **manifest["unit_tests"])
        self.config = {k: v["config"] for k, v in nodes.items()}
        self.tasks = {k for k, v in nodes.items() if self.config[k].get("materialized") != "ephemeral"
                      and not k.startswith("operation.")}
        self.relations = {k: nodes[k]["alias"] for k in self.tasks if k.split(".")[0] in ("model", "seed", "snapshot")}
        self.appends = {k for k in self.relations if self.config[k].get("materialized") == "incremental"
                        and not self.config[k].get("unique_key")}

    def strip(self):
        """What a round starts from: the sources, and what dbt has parsed."""
        for name in os.listdir(os.path.join(self.project, "target")):
            if name not in ("partial_parse.msgpack", "manifest.json"):
                path = os.path.join(self.project, "target", name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        shutil.rmtree(os.path.join(self.project, "logs"))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.project, "kill.duckdb"))

    def learn(self, what, seconds):
        self.seconds[what] += 0.6 * (seconds - self.seconds[what])

    def after(self, nodes):
        found, todo = set(), list(nodes)
        while todo:
            for child in self.children.get(todo.pop(), ()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found


class Blow:
    """One run of heddle and what was done to it."""

    def __init__(self, work, words, how=None):
        self.work, self.words, self.how, self.phase = work, words, how, None
        self.before = set(work.journals())
        self.log_from = work.size("logs/dbt.log")
        self.out = os.path.join(work.dir, "out.%d" % len(work.blows))
        self.family, self.tty, self.path, self.over = [], None, None, False
        work.blows.append(self)
        if how and how.startswith("tty"):
            self.tty, slave = pty.openpty()
        stdin = slave if self.tty else subprocess.DEVNULL
        self.started = time.monotonic()
        with open(self.out, "w") as out:
            self.p = subprocess.Popen([HEDDLE, *words], cwd=work.dir, env=work.env, stdin=stdin, stdout=out,
                                      stderr=slave if self.tty else out, start_new_session=True)
        if self.tty:
            os.close(slave)

    def seconds(self):
        return time.monotonic() - self.started

    def look(self):
        """The living workers. They come and go; whoever was seen once must be gone in the end."""
        for pid in children(self.p.pid):
            if pid not in self.family:
                self.family.append(pid)
        return [pid for pid in self.family if alive(pid) and not is_guard(pid)]

    def wait(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while self.p.poll() is None:
            self.look()
            if self.tty:
                self.drain()
            if time.monotonic() > end:
                self.look()
                for pid in [self.p.pid, *self.family]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.p.wait()
                raise Wrong("no end after %d s" % seconds)
            time.sleep(0.02)
        if self.tty:
            os.close(self.tty)
            self.tty = None
        self.journal()                     # before the next run makes one
        self.over = True
        return self.p.returncode

    def drain(self):
        os.set_blocking(self.tty, False)
        with contextlib.suppress(OSError):
            os.read(self.tty, 65536)

    def text(self):
        with open(self.out, errors="replace") as f:
            return f.read()

    def journal(self):
        """This run's as it is now, or None while there is none."""
        new = sorted(set(self.work.journals()) - self.before)
        if not self.path and new and not self.over:
            expect(len(new) == 1, "two journals of one run:", new)
            self.path = new[0]
        return Journal(self.path) if self.path else None

    def sleep_until(self, seconds):
        while self.seconds() < seconds and self.p.poll() is None:
            self.look()
            time.sleep(0.005)

    def sleep_until_ended(self, nnodes):
        """Until so many nodes have ended, or all there are to run."""
        while self.p.poll() is None and self.seconds() < PATIENCE:
            self.look()
            new = set(self.work.journals()) - self.before
            if new:
                with open(new.pop()) as f:
                    text = f.read()
                if text.count('"class"') >= nnodes or '"at": "end"' in text:
                    return
            time.sleep(0.005)

    def kill(self, *pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def strike(self):
        """What `how` says, now. The journal as it was then."""
        workers = self.look()
        if self.p.poll() is not None:
            self.phase = "ended"
            return
        if self.how == "aimed":
            self.p.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            self.kill(*workers, self.p.pid)
        elif self.how == "heddle":
            self.kill(self.p.pid)
        elif self.how == "worker":
            self.kill(*workers)
        elif self.how == "worker, heddle":
            self.kill(*workers, self.p.pid)
        elif self.how == "heddle, worker":
            self.kill(self.p.pid, *workers)
        else:
            self.signal_by_hand()
        if self.how != "worker" and not self.by_signal():
            self.p.wait()
        self.phase = self.phase_now()

    def by_signal(self):
        return "SIG" in self.how

    def signal_by_hand(self):
        signo = signal.SIGTERM if "SIGTERM" in self.how else signal.SIGINT
        self.p.send_signal(signo)
        if "twice" in self.how:
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                self.p.send_signal(signo)

    def phase_now(self):
        """By what is on disk; that nodes were committed unheard of is found out in the end."""
        j = self.snapshot = self.journal()
        if j is None:
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.work.dir, "logs/dbt.log")) as f:
                f.seek(self.log_from)
                if "Running with dbt" in f.read():
                    return "parse"
            return "start-up"
        if j.ends or j.ended:
            return "artifacts"
        if not j.ran():
            return "on-run-start"
        return "on-run-end" if len(j.final()) == len(self.work.bench.tasks) else "running"


class Work:
    """A round: its folder, database and runs."""

    def __init__(self, bench, folder, plan):
        self.bench, self.plan, self.dir, self.blows = bench, plan, folder, []
        shutil.copytree(bench.project, folder)
        self.env = clean_env(XDG_STATE_HOME=os.path.join(folder, "state"))
        bench.store.make(folder, plan.base)

    def journals(self):
        runs = os.path.join(self.dir, "target/heddle/runs")
        names = os.listdir(runs) if os.path.isdir(runs) else []
        return [os.path.join(runs, name) for name in names if name.endswith(".journal")]

    def size(self, path):
        path = os.path.join(self.dir, path)
        return os.path.getsize(path) if os.path.exists(path) else 0

    def play(self):
        words = ("build", *VARS)
        blow = self.run_and_strike(words, self.plan.how, self.bench.seconds[self.plan.base], self.plan.moment)
        self.judge_artifacts(blow)
        tries = 0
        while not self.is_done(blow):
            tries += 1
            expect(tries <= MOST_TRIES, "not done after", MOST_TRIES, "more runs; the last says\n", blow.text()[-1500:])
            words = ("retry",) if self.plan.retry else ("build", *VARS, "--resume")
            if not self.journals():
                words = ("build", *VARS)
            again = tries == 1 and self.plan.again
            blow = self.run_and_strike(words, again, self.bench.seconds["retry"], self.plan.second_moment)
            self.judge_artifacts(blow)
        self.tries = tries
        self.judge()

    def run_and_strike(self, words, how, seconds, moment):
        blow = Blow(self, words, how or None)
        if how == "aimed":
            blow.sleep_until_ended(int(moment * 0.9 * len(self.bench.tasks)))
            blow.strike()
        elif how:
            blow.sleep_until(moment * seconds * 1.02)
            blow.strike()
        since = time.monotonic()
        code = blow.wait()
        blow.ending = time.monotonic() - since
        if code == 0 and (not how or blow.phase == "ended"):
            self.bench.learn("retry" if len(self.blows) > 1 else self.plan.base, blow.seconds())
        if how and blow.by_signal() and blow.phase != "ended":
            self.judge_signal(blow, code)
        return blow

    def is_done(self, blow):
        """Good, or nothing left to run but what nobody can decide."""
        code = blow.p.returncode
        if code == 0:
            return True
        killed = blow.how and blow.phase != "ended"
        expect(code in (1, 2) or killed, "exit code", code, blow.text()[-1500:])
        if code == 1:
            results = self.results()
            bad = {k for k, v in results.items() if v["status"] not in GOOD}
            unknown = self.unknown(results)
            if unknown and bad <= unknown | self.bench.after(unknown):
                return True
        expect(killed, "`heddle %s` did not end well:" % " ".join(blow.words), code, blow.text()[-1500:])
        return False

    def results(self):
        doc = read_json(os.path.join(self.dir, "target/run_results.json"))
        expect(doc, "no run_results.json")
        return {r["unique_id"]: r for r in doc["results"] if not r["unique_id"].startswith("operation.")}

    def unknown(self, results):
        return {k for k, v in results.items() if v["status"] == "error" and "outcome unknown" in (v["message"] or "")}

    # -- what must be ----------------------------------------------------------------------------

    def judge_artifacts(self, blow):
        """Whole or not there, at any moment."""
        for name in ("manifest.json", "run_results.json"):
            read_json(os.path.join(self.dir, "target", name))
        if blow.how and blow.by_signal() and blow.phase not in ("start-up", "parse", "ended"):
            j = blow.journal()
            if j and j.ran():
                missing = self.bench.tasks - set(self.results())
                expect(not missing, "run_results.json lacks", missing)

    def judge_signal(self, blow, code):
        expected = 128 + (signal.SIGTERM if "SIGTERM" in blow.how else signal.SIGINT)
        late = blow.phase in ("artifacts", "on-run-end")
        expect(code == expected or (late and code in (0, 1)), "exit code", code, "not", expected, "after", blow.how,
               "while", blow.phase, blow.text()[-1500:])
        expect(blow.ending < 12, "took %.1f s to end" % blow.ending)
        self.nobody_left(5)

    def nobody_left(self, seconds):
        pids = [pid for blow in self.blows for pid in blow.family]
        wait_until("the processes end: %s" % pids, lambda: not any(map(alive, pids)), seconds)
        wait_until("the backends end", lambda: not self.bench.store.backends(), seconds)

    def judge(self):
        self.nobody_left(10)
        bench, results = self.bench, self.results()
        unknown = self.unknown(results)
        excused = unknown | bench.after(unknown)
        self.nunknown = len(unknown)
        statuses = {k: v["status"] for k, v in results.items()}
        expect(set(statuses) == bench.tasks, "other nodes:", set(statuses) ^ bench.tasks)
        bad = {k: v for k, v in statuses.items() if v not in GOOD and k not in excused}
        expect(not bad, "not well:", bad)
        expect(unknown <= bench.appends, "of unknown outcome, but harmless:", unknown - bench.appends)
        journals = [Journal(path) for path in sorted(self.journals())]
        cut = set().union(*(j.cut() for j in journals)) if journals else set()
        expect(unknown <= cut, "of unknown outcome, but not running at any kill:", unknown - cut)
        rows = collections.Counter(bench.store.run("select node, invocation from outside.witness"))
        self.judge_witness(rows, journals, excused, unknown)
        self.judge_hooks(journals)
        tables = fingerprints(bench.store)
        clean = bench.clean[self.plan.base]
        hidden = {bench.relations[k] for k in excused if k in bench.relations}
        odd = {k for k in set(tables) | set(clean) if k not in hidden and tables.get(k) != clean.get(k)}
        expect(not odd, "not as a clean build leaves them:", {k: (tables.get(k), clean.get(k)) for k in sorted(odd)[:5]})
        with contextlib.closing(sqlite3.connect(os.path.join(self.dir, "state/heddle/mill.db"))) as db:
            expect(db.execute("pragma integrity_check").fetchone() == ("ok",), "the history is damaged")

    def judge_witness(self, rows, journals, excused, unknown):
        times = collections.Counter()
        for (node, _), n in rows.items():
            times[node] += n
        again = {k: n for k, n in times.items() if k in self.bench.appends and n > 1}
        expect(not again, "appended more than once:", again)
        never = {k for k in self.bench.relations if k not in times and k not in excused}
        expect(not never, "called done, never committed:", never)
        done = set()
        for j in journals:
            twice = {node for node in done if (node, j.invocation) in rows} | (done & j.ran())
            expect(not twice, "journaled, yet run again by", j.path, twice)
            done |= j.good()
        for blow in self.blows:
            j = blow.journal() if blow.phase == "running" else None
            heard = {node for node in j.good() & j.ran()} if j else ()
            blow.unheard = [node for node in j.ran() if rows[node, j.invocation] > (node in heard)] if j else []
            if blow.unheard:
                blow.phase = "commit not journaled"

    def judge_hooks(self, journals):
        """Once an invocation; what was killed in a hook may have run it again or not at all."""
        rows = self.bench.store.run("select hook, invocation, nresults from outside.hooks")
        count = collections.Counter((hook, invocation) for hook, invocation, _ in rows)
        for blow in self.blows:
            j = blow.journal()
            if j is None or not j.ended or blow.phase in ("on-run-end", "artifacts", "on-run-start"):
                continue
            if not j.ran() or (blow.how and blow.by_signal() and blow.phase != "ended"):
                continue
            seen = (count["start", j.invocation], count["end", j.invocation])
            expect(seen == (1, 1), "hooks ran", seen, "times in", j.path, "killed while", blow.phase)
        short = [(i, n) for hook, i, n in rows if hook == "end" and int(n) != len(self.bench.tasks)]
        expect(not short, "on-run-end did not see every result:", short)


class Plan:
    """What a round does; follows from seed and number alone."""
    KILLS = ("heddle", "worker", "worker, heddle", "heddle, worker")
    SIGNALS = ("SIGTERM", "SIGINT", "SIGINT twice", "tty SIGINT", "tty SIGINT twice", "SIGTERM twice")

    def __init__(self, seed, number, signals, short):
        rng = random.Random("%d %d" % (seed, number))
        hows = self.SIGNALS if signals else self.KILLS
        self.how = hows[number // 2 % len(hows)]
        self.moment, self.second_moment = rng.random(), rng.random()
        self.again = rng.choice(self.KILLS) if rng.random() < 0.25 else None
        self.base = "base_first" if short or rng.random() < 0.5 else "base_second"
        self.retry = rng.random() < 0.7
        if not signals and number % 8 in (3, 6):
            self.how = "aimed" if number % 16 in (3, 14) else self.how


def play_round(bench, args, number, folder):
    """True when it went well."""
    plan = Plan(args.seed, number, args.signals, args.short)
    started = time.monotonic()
    work = Work(bench, os.path.join(folder, "round-%d" % number), plan)
    wrong = None
    try:
        work.play()
    except (Wrong, AssertionError, OSError, ValueError, RuntimeError) as exc:
        wrong = "%s: %s" % (type(exc).__name__, exc)
    struck = [blow for blow in work.blows if blow.how]
    print("%-4s round %d %s %s, %s%s%s, %.0f s" % (
        "FAIL" if wrong else "ok", number, bench.store.adapter, plan.base[5:],
        "; then ".join("%s at %.0f%%: %s%s" % (
            blow.how, 100 * (plan.moment if blow is work.blows[0] else plan.second_moment), blow.phase,
            " (%d)" % len(blow.unheard) if getattr(blow, "unheard", None) else "") for blow in struck),
        ", %d more by %s" % (work.tries, "retry" if plan.retry else "--resume") if not wrong else "",
        ", %d unknown" % work.nunknown if not wrong and work.nunknown else "", time.monotonic() - started), flush=True)
    if wrong:
        bench.store.rescue(work.dir)
        print("     %s\n     kept: %s\n     again: %s --seed %d --adapter %s --models %d%s --only %d" % (
            wrong.replace("\n", "\n     "), work.dir, sys.argv[0], args.seed, bench.store.adapter, args.models,
            (" --signals" if args.signals else "") + (" --short" if args.short else ""), number), flush=True)
        for blow in work.blows:
            blow.kill(*[pid for pid in [blow.p.pid, *blow.family] if alive(pid)])
    else:
        shutil.rmtree(work.dir, ignore_errors=True)
    return not wrong, [blow.phase for blow in struck if blow.phase]


def histogram(phases):
    count = collections.Counter(phases)
    print("%d struck, by phase:" % len(phases))
    for phase in PHASES:
        print("  %-22s%4d  %s" % (phase, count[phase], "#" * count[phase]))


def play(args):
    """Number of failed rounds."""
    folder = tempfile.mkdtemp(prefix="heddle-kill-", dir=args.keep)
    failed, phases = 0, []
    with contextlib.ExitStack() as stack:
        stores = {}
        if args.adapter != "postgres":
            stores["duckdb"] = DuckStore(os.path.join(folder, "duckdb"))
        if args.adapter != "duckdb" and Postgres.binaries():
            stores["postgres"] = PgStore(stack.enter_context(Postgres()))
        benches = []
        for name, store in stores.items():
            os.makedirs(os.path.join(folder, name))
            benches.append(Bench(os.path.join(folder, name), store, args))
            print("%s: %d nodes, a run takes %.0f s" % (name, len(benches[-1].tasks),
                                                            benches[-1].seconds["base_first"]), flush=True)
        numbers = [args.only] if args.only is not None else range(args.rounds)
        for number in numbers:
            well, struck = play_round(benches[number % len(benches)], args, number, folder)
            failed += not well
            phases += struck
    histogram(phases)
    print("%d rounds, %d failed" % (len(numbers), failed))
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return failed


def options(argv=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rounds", type=int, default=300)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--adapter", choices=("duckdb", "postgres"), help="only this one; else they take turns")
    p.add_argument("--models", type=int, default=100)
    p.add_argument("--signals", action="store_true", help="SIGTERM and SIGINT in place of SIGKILL")
    p.add_argument("--short", action="store_true", help="only on an empty database, for a quick answer")
    p.add_argument("--only", type=int, metavar="ROUND", help="this round alone")
    p.add_argument("--keep", metavar="DIR", help="where folders of failed rounds go")
    return p.parse_args(argv)


if __name__ == "__main__":
    # A test that hangs is ended by SIGTERM: leave by an exception, so that servers stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(1 if play(options()) else 0)

"""A run that cannot be lost: killed at any moment, then continued until it is done.

    .venv/bin/python tests/long/kill.py [--rounds 300] [--first N] [--seed 1] [--adapter duckdb|postgres]
                         [--models 100] [--signals] [--only ROUND] [--keep DIR] [--log FILE] [--tally FILE...]

A round starts `heddle build` on the project of kill_project.py, on an empty database or on one of a
day before, and kills heddle, its worker or both by SIGKILL (with --signals: stops heddle by SIGTERM
or SIGINT, once or twice) at a moment uniform over the whole run, as runs go here and now: the pace
is learned from those that nobody disturbs. Every fifth is aimed between a commit and its line in the
journal: heddle is stopped, the worker goes on, then both are killed. Every tenth is aimed at
on-run-end, and as many at the writing of what a run leaves. `heddle retry` or
`heddle build --resume` goes on, now and then killed as well. In the end
  - every node succeeded, or appends, was running when something was killed, and is said to be of
    unknown outcome, or hangs on such a node;
  - no node whose good end was journaled ran again, no appending node was committed twice;
  - every table is that of a clean `dbt build`;
  - no process, no backend, no half-written artifact is left.
Whether a node ran is told by the database, not by heddle (kill_project.py).

One line a round; a failed one leaves its folder and says how to play it again. The last lines say
how the blows spread over the phases of a run; --log keeps the rounds of several calls, --tally adds
them up.
"""
import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import kill_tally  # noqa: E402
from harness import DBT, Postgres, Run, alive, clean_env, wait_until  # noqa: E402
from kill_project import NEXT_DAY, DuckStore, PgStore, fingerprints, generate  # noqa: E402
from kill_watch import BEGIN, END, FILES, GOOD, NODES, OVER, PARSE, START, UNHEARD  # noqa: E402
from kill_watch import Blow, Journal, Pace, Wrong, expect  # noqa: E402

VARS = ("--vars", "{shift: 7}")
PG_OPTIONS = "-c jit=off -c max_parallel_workers_per_gather=0"   # what fingerprints() asks is long, not slow
MOST_TRIES = 8


def read_json(path):
    """None when there is none; a file that is there must be whole."""
    try:
        with open(path) as f:
            return json.load(f)
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise Wrong("%s is not JSON: %s" % (path, exc))


class Bench:
    """What all rounds of one adapter share: the project as it was parsed, the database before and
    what a clean `dbt build` makes of it, how long a run takes."""

    def __init__(self, folder, store, args):
        self.store, self.project, self.clean = store, os.path.join(folder, "project"), {}
        generate(self.project, store.adapter, getattr(getattr(store, "pg", None), "port", 0), args.models)
        store.make(self.project, None)
        store.keep("base_first")
        self.build_clean("base_first")
        if not args.short:
            store.run(*NEXT_DAY)
            store.keep("base_second")
            self.build_clean("base_second")
        self.learn_nodes()
        self.strip()
        self.pace = {}
        for base in self.clean:
            self.watch(folder, base)

    def build_clean(self, base):
        Run([DBT, "build", *VARS], self.project, timeout=3000).check(0)
        self.clean[base] = fingerprints(self.store)

    def watch(self, folder, base):
        """A run that nobody disturbs: it leaves what dbt's leaves, and tells the pace."""
        self.pace[base] = Pace()
        work = Work(self, os.path.join(folder, "watched"), base)
        code = work.run(("build", *VARS)).p.returncode
        expect(code == 0, "exit code", code, work.blows[0].text()[-1500:])
        expect(fingerprints(self.store) == self.clean[base], "a run in peace differs from dbt's")
        shutil.rmtree(work.dir)

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

    def after(self, nodes):
        found, todo = set(), list(nodes)
        while todo:
            for child in self.children.get(todo.pop(), ()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found


class Work:
    """A round: its folder, database and runs."""

    def __init__(self, bench, folder, base):
        self.bench, self.base, self.dir, self.blows = bench, base, folder, []
        shutil.copytree(bench.project, folder)
        self.env = clean_env(XDG_STATE_HOME=os.path.join(folder, "state"))
        bench.store.make(folder, base)

    def journals(self):
        runs = os.path.join(self.dir, "target/heddle/runs")
        names = os.listdir(runs) if os.path.isdir(runs) else []
        return sorted(os.path.join(runs, name) for name in names if name.endswith(".journal"))

    def known(self):
        """What the next run leaves as it is."""
        journals = self.journals()
        return Journal(journals[-1]).good() if journals else set()

    def play(self, plan):
        blow = self.run(("build", *VARS), plan.first)
        self.tries = 0
        while not self.is_done(blow):
            self.tries += 1
            expect(self.tries <= MOST_TRIES, "not done after", MOST_TRIES, "more runs; the last says\n",
                   blow.text()[-1500:])
            words = ("retry",) if plan.retry else ("build", *VARS, "--resume")
            if not self.journals():
                words = ("build", *VARS)
            blow = self.run(words, plan.second if self.tries == 1 else None)
        self.judge()

    def run(self, words, plan=None):
        """One run, and the blow that is planned for it."""
        pace = self.bench.pace[self.base]
        blow = Blow(self, words, plan)
        try:
            if blow.how:
                blow.strike(pace)
            since = time.monotonic()
            code = blow.wait()
        except SystemExit:
            blow.kill(blow.p.pid, *blow.family)
            raise
        pace.learn(blow)
        if blow.by_signal() and not blow.missed():
            self.judge_signal(blow, code, time.monotonic() - since)
        self.judge_artifacts(blow)
        return blow

    def is_done(self, blow):
        """Good, or nothing left to run but what nobody can decide."""
        code = blow.p.returncode
        if code == 0 or (blow.journal() and blow.journal().code == 0):
            return True                    # killed when all was said: --resume would start anew
        killed = blow.how and not blow.missed()
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
        if blow.by_signal() and blow.phase not in (START, PARSE, OVER):
            j = blow.journal()
            if j and j.started:
                missing = self.bench.tasks - set(self.results())
                expect(not missing, "run_results.json lacks", missing)

    def judge_signal(self, blow, code, seconds):
        expected = 128 + (signal.SIGTERM if "SIGTERM" in blow.how else signal.SIGINT)
        late = blow.phase in (END, FILES)
        expect(code == expected or (late and code in (0, 1)), "exit code", code, "not", expected, "after", blow.how,
               "while", blow.phase, blow.text()[-1500:])
        expect(seconds < 12, "took %.1f s to end" % seconds)
        self.nobody_left(10)

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
        journals = [Journal(path) for path in self.journals()]
        cut = set().union(*(j.cut() for j in journals)) if journals else set()
        expect(unknown <= cut, "of unknown outcome, but not running at any kill:", unknown - cut)
        rows = collections.Counter(bench.store.run("select node, invocation from outside.witness"))
        self.judge_witness(rows, journals, excused, unknown)
        self.judge_hooks(journals)
        tables = fingerprints(bench.store)
        clean = bench.clean[self.base]
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
            twice = {node for node in done if (node, j.invocation()) in rows} | (done & j.started)
            expect(not twice, "journaled, yet run again by", j.path, twice)
            done |= j.good()
        for blow in self.blows:
            j = blow.journal() if blow.phase == NODES else None
            heard = j.good() & j.started if j else ()
            blow.unheard = [node for node in j.started if rows[node, j.invocation()] > (node in heard)] if j else []
            if blow.unheard:
                blow.phase = UNHEARD

    def judge_hooks(self, journals):
        """Once an invocation; what was killed in a hook may have run it again or not at all."""
        rows = self.bench.store.run("select hook, invocation, nresults from outside.hooks")
        count = collections.Counter((hook, invocation) for hook, invocation, _ in rows)
        for blow in self.blows:
            j = blow.journal()
            if j is None or j.code is None or blow.phase in (BEGIN, END, FILES):
                continue
            if not j.started or (blow.by_signal() and not blow.missed()):
                continue
            seen = (count["start", j.invocation()], count["end", j.invocation()])
            expect(seen == (1, 1), "hooks ran", seen, "times in", j.path, "killed while", blow.phase)
        short = [(i, n) for hook, i, n in rows if hook == "end" and int(n) != len(self.bench.tasks)]
        expect(not short, "on-run-end did not see every result:", short)


class Plan:
    """What a round does; follows from seed and number alone. A blow is (how, moment, aimed at)."""
    KILLS = ("heddle", "worker", "worker, heddle", "heddle, worker")
    SIGNALS = ("SIGTERM", "SIGINT", "SIGINT twice", "tty SIGINT", "tty SIGINT twice", "SIGTERM twice")
    AIMS = {3: END, 18: END, 8: FILES, 13: FILES}         # of twenty rounds

    def __init__(self, seed, number, args):
        rng = random.Random("%d %d" % (seed, number))
        hows = self.SIGNALS if args.signals else self.KILLS
        aim = self.AIMS.get(number % 20)
        if number % 5 == 1 and not args.signals:
            aim = UNHEARD
        how = "stop heddle, kill both" if aim == UNHEARD else rng.choice(hows)
        self.first = how, rng.random(), aim
        self.second = (rng.choice(self.KILLS), rng.random(), None) if rng.random() < 0.25 else None
        self.base = "base_first" if args.short or rng.random() < 0.5 else "base_second"
        self.retry = rng.random() < 0.7


def play_round(bench, args, number, folder):
    """What is to be kept of it."""
    plan = Plan(args.seed, number, args)
    started = time.monotonic()
    work = Work(bench, os.path.join(folder, "round-%d" % number), plan.base)
    wrong = None
    try:
        work.play(plan)
    except (Wrong, AssertionError, OSError, ValueError, RuntimeError) as exc:
        wrong = "%s: %s" % (type(exc).__name__, exc)
    one = {
        "seed": args.seed, "round": number, "adapter": bench.store.adapter, "signals": args.signals, "ok": not wrong,
        "wrong": wrong, "base": plan.base, "seconds": round(time.monotonic() - started, 1),
        "blows": [{"how": blow.how, "moment": blow.moment, "aim": blow.aim, "phase": blow.phase,
                   "unheard": len(blow.unheard)} for blow in work.blows if blow.how and blow.phase],
        "unknown": 0 if wrong else work.nunknown, "again": "retry" if plan.retry else "--resume",
    }
    say_round(one, work.tries if not wrong else 0)
    if wrong:
        bench.store.rescue(work.dir)
        print("     %s\n     kept: %s\n     again: %s --seed %d --adapter %s --models %d%s --only %d" % (
            wrong.replace("\n", "\n     "), work.dir, sys.argv[0], args.seed, bench.store.adapter, args.models,
            (" --signals" if args.signals else "") + (" --short" if args.short else ""), number), flush=True)
        for blow in work.blows:
            blow.kill(*[pid for pid in [blow.p.pid, *blow.family] if alive(pid)])
    else:
        shutil.rmtree(work.dir, ignore_errors=True)
    if args.log:
        kill_tally.append(args.log, one)
    return one


def say_round(one, tries):
    blows = "; then ".join("%s at %.0f%%%s: %s%s" % (
        blow["how"], 100 * blow["moment"], " of " + blow["aim"] if blow["aim"] else "", blow["phase"],
        " (%d)" % blow["unheard"] if blow["unheard"] else "") for blow in one["blows"])
    print("%-4s round %d %s %s, %s%s%s, %.0f s" % (
        "ok" if one["ok"] else "FAIL", one["round"], one["adapter"], one["base"][5:], blows,
        ", %d more by %s" % (tries, one["again"]) if tries else "",
        ", %d unknown" % one["unknown"] if one["unknown"] else "", one["seconds"]), flush=True)


def play(args):
    """Number of failed rounds."""
    if args.tally:
        return kill_tally.show(kill_tally.read(args.tally))
    folder = tempfile.mkdtemp(prefix="heddle-kill-", dir=args.keep)
    rounds = []
    with contextlib.ExitStack() as stack:
        stores = {}
        if args.adapter != "postgres":
            stores["duckdb"] = DuckStore(os.path.join(folder, "duckdb"))
        if args.adapter != "duckdb" and Postgres.binaries():
            stores["postgres"] = PgStore(stack.enter_context(Postgres(PG_OPTIONS)))
        benches = []
        for name, store in stores.items():
            os.makedirs(os.path.join(folder, name))
            benches.append(Bench(os.path.join(folder, name), store, args))
            print("%s: %d nodes, a run takes %s" % (name, len(benches[-1].tasks), ", ".join(
                "%.1f s (%s)" % (pace.total(len(benches[-1].tasks)), base[5:])
                for base, pace in benches[-1].pace.items())), flush=True)
        for number in [args.only] if args.only is not None else range(args.first, args.first + args.rounds):
            rounds.append(play_round(benches[number % len(benches)], args, number, folder))
        for bench in benches:
            say_pace(bench)
    failed = kill_tally.show(rounds)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return failed


def say_pace(bench):
    for base, pace in bench.pace.items():
        print("%s %s: %s" % (bench.store.adapter, base[5:], ", ".join(
            "%s %.2f s" % span for span in pace.spans(len(bench.tasks)))))


def options(argv=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rounds", type=int, default=300)
    p.add_argument("--first", type=int, default=0, metavar="ROUND", help="the number of the first")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--adapter", choices=("duckdb", "postgres"), help="only this one; else they take turns")
    p.add_argument("--models", type=int, default=100)
    p.add_argument("--signals", action="store_true", help="SIGTERM and SIGINT in place of SIGKILL")
    p.add_argument("--short", action="store_true", help="only on an empty database, for a quick answer")
    p.add_argument("--only", type=int, metavar="ROUND", help="this round alone")
    p.add_argument("--keep", metavar="DIR", help="where folders of failed rounds go")
    p.add_argument("--log", metavar="FILE", help="a line a round is added to it")
    p.add_argument("--tally", metavar="FILE", nargs="+", help="only adds up what such files hold")
    return p.parse_args(argv)


if __name__ == "__main__":
    # A test that hangs is ended by SIGTERM: leave by an exception, so that servers stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(1 if play(options()) else 0)

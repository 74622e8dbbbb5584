"""What the tests share that let an orchestrator run an exported project (dagster_runs.py, prefect_runs.py,
mage_runs.py): a copy of the project, `dbt` and `heddle` in front of PATH that keep what each command did,
and what is to be seen in that.
"""
import argparse
import contextlib
import glob
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CUTS = [["--granularity", size, "--tests", tests] for size in ("folder", "layer", "all")
        for tests in ("after_each", "after_all")]
HEDDLE = ["--granularity", "folder", "--runner", "heddle"]
FORMS = [["--tests", "after_each"], ["--tests", "build"], *CUTS, HEDDLE]
FAILURES = [["--tests", "after_each"], ["--granularity", "folder"], HEDDLE]    # in jaffle_classic, of this model
BROKEN, BROKEN_ID = "models/staging/stg_payments.sql", "model.jaffle_shop.stg_payments"
BUILT = ("model", "seed", "snapshot", "function")
BESIDE = ("operation", "exposure", "saved_query")    # have results too; of the last two dbt makes nothing
GOOD = ("success", "pass", "warn")

# In place of dbt or heddle: runs it and keeps its words, when it was called, and its results. DuckDB lets one
# process in, so commands side by side wait for each other here; `called` is from before that.
RECORDER = """#!%s
import datetime, fcntl, json, os, subprocess, sys
words, kept = sys.argv[1:], %r
called = datetime.datetime.now(datetime.timezone.utc).strftime("%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ")
target = os.environ.get("DBT_TARGET_PATH", "target")
if "--target-path" in words:
    target = words[words.index("--target-path") + 1]
written = os.path.join(target, "run_results.json")
lock = open(kept + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
before = os.path.exists(written) and os.stat(written).st_mtime_ns
code = subprocess.call([%r] + words)
results = []
if os.path.exists(written) and os.stat(written).st_mtime_ns != before:
    with open(written) as f:
        results = json.load(f)["results"]
if words[:1] != ["parse"]:
    with open(os.path.join(kept, "%%03d.json" %% len(os.listdir(kept))), "w") as f:
        json.dump({"words": words, "called": called, "code": code, "results": results}, f)
sys.exit(code)
"""


class Project:
    """A copy of a project, parsed; its commands are recorded from here on."""

    def __init__(self, source, args):
        self.name = os.path.basename(os.path.normpath(source))
        self.heddle = args.heddle
        self.dir = os.path.join(tempfile.mkdtemp(prefix="recorded-"), self.name)
        shutil.copytree(source, self.dir, ignore=shutil.ignore_patterns("logs", "*.duckdb*"))
        self.log, tools = self.dir + ".log", self.dir + ".bin"
        os.makedirs(tools)
        for tool, real in (("dbt", args.dbt), ("heddle", args.heddle)):
            with open(os.path.join(tools, tool), "w") as f:
                f.write(RECORDER % (sys.executable, self.log, real))
            os.chmod(f.name, 0o755)
        os.environ["PATH"] = tools + ":" + os.environ["PATH"]
        os.environ["DBT_PROJECT_DIR"] = os.environ["DBT_PROFILES_DIR"] = self.dir
        os.environ["HEDDLE_PYTHON"] = os.path.join(os.path.dirname(args.dbt), "python")
        os.environ["XDG_STATE_HOME"] = self.dir + ".state"
        os.chdir(self.dir)
        if not os.path.exists("target/manifest.json"):
            subprocess.run([args.dbt, "-q", "deps"], check=True)
            subprocess.run([args.dbt, "-q", "parse"], check=True)
        with open("target/manifest.json") as f:
            manifest = json.load(f)
        # a project may have a selector that is the default
        self.selected = set(subprocess.check_output([args.heddle, "ls", "--output", "unique-id"], text=True).split())
        self.nodes = {**manifest["nodes"], **manifest.get("functions", {})}
        self.parents = {u: n["depends_on"].get("nodes", []) for u, n in self.nodes.items()}

    def fresh(self):
        """An empty database, nothing recorded."""
        for path in glob.glob("*.duckdb*"):
            os.remove(path)
        shutil.rmtree(self.log, ignore_errors=True)
        shutil.rmtree("target/heddle", ignore_errors=True)
        os.mkdir(self.log)

    def export(self, target, name, *options):
        """The path of what was written."""
        path = os.path.join(tempfile.mkdtemp(prefix="export-", dir=os.path.dirname(self.dir)), name)
        subprocess.run([self.heddle, "export", target, "-o", path, *options], check=True)
        return path

    def calls(self):
        return [json.load(open(path)) for path in sorted(glob.glob(os.path.join(self.log, "*.json")))]

    def work(self):
        """What a run of everything builds and tests."""
        return {u for u, n in self.nodes.items() if u in self.selected and
                n["resource_type"] in (*BUILT, "test") and not self.is_ephemeral(u)}

    def above(self, unique_id):
        """What a node reads, over ephemeral models."""
        for parent in self.parents.get(unique_id, ()):
            if self.is_ephemeral(parent):
                yield from self.above(parent)
            elif parent in self.nodes:
                yield parent

    def reads(self, unique_id, other):
        return any(p == other or self.reads(p, other) for p in self.above(unique_id))

    def is_ephemeral(self, unique_id):
        return self.nodes.get(unique_id, {}).get("config", {}).get("materialized") == "ephemeral"


def load(path):
    """The module in a file."""
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["exported"] = module
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def broken_model():
    """The model cannot be built, until the end of this."""
    with open(BROKEN) as f:
        good = f.read()
    with open(BROKEN, "w") as f:
        f.write("select no_such_column from (%s) as broken" % good)
    try:
        yield
    finally:
        with open(BROKEN, "w") as f:
            f.write(good)


def check(good, what, detail=""):
    print("%s %s%s" % ("ok   " if good else "FAIL ", what, "" if good else ": %s" % (detail,)), flush=True)
    check.failed += not good


check.failed = 0


def times(result):
    """Start and end of what dbt did for a node."""
    done = [t for t in result["timing"] if t["name"] == "execute" and t["started_at"]]
    return (done[0]["started_at"], done[0]["completed_at"]) if done else None


def check_work(project, what, maybe=()):
    """Each node and test once, after what it reads; those of `maybe` need not run."""
    calls = project.calls()
    runs, failed, wanted = {}, [c["words"] for c in calls if c["code"]], project.work()
    for at, call in enumerate(calls):
        if call["words"][:1] == ["on-run-end"]:    # tells the results of all again
            continue
        for result in call["results"]:
            unique_id = result["unique_id"]
            if unique_id.split(".")[0] not in BESIDE and not project.is_ephemeral(unique_id):
                runs.setdefault(unique_id, []).append((at, times(result)))
    check(not failed, "%s: every command succeeds (%d)" % (what, len(calls)), failed)
    left = sorted(wanted - set(maybe) - set(runs))
    check(not left, "%s: every node and test is run (%d)" % (what, len(wanted) - len(maybe)), left)
    check(set(runs) <= wanted, "%s: nothing else" % what, sorted(set(runs) - wanted))
    twice = sorted(u for u, each in runs.items() if len(each) > 1)
    check(not twice, "%s: each of them once" % what, twice)
    early = [(p, u) for u in runs for p in project.above(u) if p in runs and is_early(calls, runs[p][0], runs[u][0])]
    check(not early, "%s: nothing starts before what it reads is done" % what, early)


def is_early(calls, before, after):
    """Was a node not done when the other started, or when the command of the other was called?"""
    (before_at, before_times), (after_at, after_times) = before, after
    if not before_times or not after_times:
        return False
    return before_times[1] > (after_times[0] if before_at == after_at else calls[after_at]["called"])


def check_failure(project, what, options):
    """With the broken model: all is done but it and what reads it, and its command was tried twice."""
    calls, work = project.calls(), project.work()
    tried = [c for c in calls if c["code"]]
    done = {r["unique_id"] for c in calls for r in c["results"] if r["status"] in GOOD}
    held = {u for u in work if u == BROKEN_ID or project.reads(u, BROKEN_ID)}
    missed = sorted(work - held - done)
    check(not missed, "%s: what is beside it is done (%d)" % (what, len(work - held)), missed)
    check(not done & held, "%s: what reads it is not" % what, sorted(done & held))
    check(len(tried) == 2 and same_nodes(*tried), "%s: its command is tried twice" % what, [c["words"] for c in tried])
    if options == HEDDLE and len(tried) == 2:
        first, second = ({r["unique_id"]: times(r) for r in c["results"] if r["status"] in GOOD} for c in tried)
        check(first and first == second, "%s: the second try builds nothing again (%d)" % (what, len(first)),
              (first, second))


def same_nodes(first, second):
    return {r["unique_id"] for r in first["results"]} == {r["unique_id"] for r in second["results"]}


def arguments(doc, *cases):
    p = argparse.ArgumentParser(description=doc.splitlines()[0])
    p.add_argument("--dbt", default=shutil.which("dbt"))
    p.add_argument("--heddle", default=os.path.join(ROOT, "build", "heddle"))
    p.add_argument("--only", choices=cases)
    p.add_argument("--forms", default="", metavar="TEXT", help="only those with this in their options")
    p.add_argument("projects", nargs="+", metavar="PROJECT")
    args = p.parse_args()
    args.dbt, args.heddle = os.path.abspath(args.dbt), os.path.abspath(args.heddle)
    args.projects = [os.path.abspath(source) for source in args.projects]
    return args


def prove(args, *cases):
    """Of each project the cases (name, forms, function of project and form) that --only and --forms leave;
    "failure" is one of jaffle_classic. The exit code."""
    for project in (Project(source, args) for source in args.projects):
        for name, forms, function in cases:
            if args.only not in (None, name) or (name == "failure" and project.name != "jaffle_classic"):
                continue
            for options in forms:
                if args.forms in " ".join(options):
                    function(project, options)
    print("%d failed" % check.failed)
    return check.failed > 0

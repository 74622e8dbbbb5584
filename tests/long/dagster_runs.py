"""The dagster export in Dagster itself, its commands run by dbt, by hand:

    VENV/bin/python tests/long/dagster_runs.py [--dbt DBT] [--heddle HEDDLE] [--only WHAT]
        [--forms TEXT] PROJECT...

VENV has dagster and dagster-dbt; DBT (default: the one on PATH) has the adapter of the projects. Each
project is copied, parsed if it is not yet, built in every form of the export, and its database is empty before each. Seen is:
keys, dependencies, groups and checks are those of the first form; each node is built once, each test
runs once, both after all they read; a node that fails is tried again and holds back what reads it; one
asset of a part is built alone.
"""
import argparse
import glob
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
os.environ.setdefault("DAGSTER_HOME", tempfile.mkdtemp(prefix="dagster-home-"))
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
import dagster as dg  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FORMS = [["--tests", "after_each"], ["--tests", "build"], ["--style", "dbt_assets"]] + [
    ["--granularity", size, "--tests", tests] for size in ("folder", "layer", "all") for tests in ("after_each", "after_all")]
BUILT = ("model", "seed", "snapshot")

# In place of dbt or heddle: runs it and keeps its results and its words.
RECORDER = """#!%s
import json, os, shutil, subprocess, sys
words = sys.argv[1:]
code = subprocess.call([%r] + words)
target = os.environ.get("DBT_TARGET_PATH", "target")
if "--target-path" in words:
    target = words[words.index("--target-path") + 1]
kept = os.path.join(%r, "%%03d.json" %% len(os.listdir(%r)))
results = []
try:
    with open(os.path.join(target, "run_results.json")) as f:
        results = json.load(f)["results"]
except OSError:
    pass
if words[:1] != ["parse"]:
    with open(kept, "w") as f:
        json.dump({"words": words, "code": code, "results": results}, f)
sys.exit(code)
"""


class Project:
    def __init__(self, source, args):
        self.name = os.path.basename(os.path.normpath(source))
        self.heddle = args.heddle
        self.dir = os.path.join(tempfile.mkdtemp(prefix="dagster-"), self.name)
        shutil.copytree(source, self.dir, ignore=shutil.ignore_patterns("logs", "*.duckdb*"))
        self.log, tools = self.dir + ".log", self.dir + ".bin"
        os.makedirs(tools)
        for tool, real in (("dbt", args.dbt), ("heddle", args.heddle)):
            with open(os.path.join(tools, tool), "w") as f:
                f.write(RECORDER % (sys.executable, real, self.log, self.log))
            os.chmod(f.name, 0o755)
        os.environ["PATH"] = tools + ":" + os.environ["PATH"]
        os.environ["DBT_PROJECT_DIR"] = os.environ["DBT_PROFILES_DIR"] = self.dir
        os.environ["HEDDLE_PYTHON"] = os.path.join(os.path.dirname(args.dbt), "python")
        os.chdir(self.dir)
        if not os.path.exists("target/manifest.json"):
            subprocess.run([args.dbt, "-q", "deps"], check=True)
            subprocess.run([args.dbt, "-q", "parse"], check=True)
        with open("target/manifest.json") as f:
            manifest = json.load(f)
        # a project may have a selector that is the default
        selected = subprocess.run([args.heddle, "ls", "--output", "unique-id"], check=True, capture_output=True, text=True)
        self.selected = set(selected.stdout.split())
        self.nodes = manifest["nodes"]
        self.parents = {u: n["depends_on"].get("nodes", []) for u, n in self.nodes.items()}

    def fresh(self):
        for path in glob.glob("*.duckdb*"):
            os.remove(path)
        shutil.rmtree(self.log, ignore_errors=True)
        shutil.rmtree("target/heddle", ignore_errors=True)
        os.mkdir(self.log)

    def export(self, *options):
        file = self.dir + "_".join(o.strip("-") for o in options) + ".py"
        subprocess.run([self.heddle, "export", "dagster", "-o", file, *options], check=True)
        spec = importlib.util.spec_from_file_location("exported", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["exported"] = module
        spec.loader.exec_module(module)
        dg.Definitions.validate_loadable(module.defs)
        return module.defs

    def calls(self):
        return [json.load(open(path)) for path in sorted(glob.glob(os.path.join(self.log, "*.json")))]

    def above(self, unique_id):
        """What a node reads, over ephemeral models."""
        for parent in self.parents.get(unique_id, ()):
            if self.is_ephemeral(parent):
                yield from self.above(parent)
            elif parent in self.nodes:
                yield parent

    def is_ephemeral(self, unique_id):
        return self.nodes.get(unique_id, {}).get("config", {}).get("materialized") == "ephemeral"


def check(good, what, detail=""):
    print("%s %s%s" % ("ok   " if good else "FAIL ", what, "" if good else ": %s" % (detail,)), flush=True)
    check.failed += not good


check.failed = 0


def shape(defs):
    graph = defs.get_repository_def().asset_graph
    nodes = {key: graph.get(key) for key in graph.get_all_asset_keys()}
    assets = {key: (node.parent_keys, node.group_name) for key, node in nodes.items() if node.is_materializable}
    return assets, {(c.asset_key, c.name) for c in graph.asset_check_keys}


def execute(defs, **more):
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.get_implicit_global_asset_job_def().execute_in_process(instance=instance, raise_on_error=False, **more)
        made = [event.asset_key for event in result.get_asset_materialization_events()]
        return result, made, result.get_asset_check_evaluations()


def times(result):
    """Start and end of what dbt did for a node."""
    done = [t for t in result["timing"] if t["name"] == "execute" and t["started_at"]]
    return (done[0]["started_at"], done[0]["completed_at"]) if done else None


def check_work(project, what):
    """Each node and test once, after what it reads."""
    count, spans, failed = {}, {}, []
    for call in project.calls():
        failed += [call["words"]] if call["code"] else []
        for result in call["results"]:
            unique_id = result["unique_id"]
            if unique_id in project.nodes and not project.is_ephemeral(unique_id):
                count[unique_id] = count.get(unique_id, 0) + 1
                spans[unique_id] = times(result)
    wanted = {u for u, n in project.nodes.items() if u in project.selected and
              n["resource_type"] in (*BUILT, "test") and not project.is_ephemeral(u)}
    wanted -= {u for u in wanted if project.nodes[u]["resource_type"] == "test" and not list(project.above(u))}
    early = [(p, u) for u, span in spans.items() for p in project.above(u)
             if span and spans.get(p) and spans[p][1] > span[0]]
    check(not failed, "%s: every command succeeds (%d)" % (what, len(project.calls())), failed)
    check(wanted <= set(count), "%s: every node and test is run (%d)" % (what, len(wanted)), sorted(wanted - set(count)))
    twice = sorted(u for u, n in count.items() if n > 1)
    check(not twice, "%s: each of them once" % what, twice)
    check(not early, "%s: nothing starts before what it reads is done" % what, early)


def prove_forms(project, chosen):
    first = shape(project.export(*FORMS[0]))
    for options in FORMS:
        if chosen not in " ".join(options):
            continue
        what = "%s %s" % (project.name, " ".join(options))
        project.fresh()
        defs = project.export(*options)
        found = shape(defs)
        check(found[0] == first[0], "%s: assets, dependencies, groups as in the first form (%d)" % (what, len(first[0])),
              {k.to_user_string() for k in set(first[0]) | set(found[0]) if first[0].get(k) != found[0].get(k)})
        check(found[1] == first[1], "%s: the same checks (%d)" % (what, len(first[1])), found[1] ^ first[1])
        result, made, checks = execute(defs)
        check(result.success, "%s: it runs" % what, [str(e.event_specific_data.error)[:500] for e in result.all_events
                                                     if e.event_type_value == "STEP_FAILURE"])
        check(sorted(made) == sorted(first[0]), "%s: each asset is materialized once" % what, len(made))
        evaluated = sorted((c.asset_key, c.check_name) for c in checks)
        check(evaluated == sorted(first[1]) and all(c.passed or c.severity == dg.AssetCheckSeverity.WARN for c in checks),
              "%s: each check is evaluated once and passes" % what, [c.check_name for c in checks if not c.passed] or len(checks))
        check_work(project, what)


def prove_failure(project, runner):
    """A model that cannot be built: folders of jaffle_classic."""
    what, path = "%s, a failure, %s" % (project.name, runner), "models/staging/stg_payments.sql"
    project.fresh()
    defs = project.export("--granularity", "folder", "--runner", runner, "--retries", "1", "--retry-delay", "1s")
    with open(path) as f:
        good = f.read()
    with open(path, "w") as f:
        f.write("select no_such_column from {{ ref('raw_payments') }}")
    result, made, checks = execute(defs)
    made = {key.to_user_string() for key in made}
    tried = [c["words"] for c in project.calls() if c["code"]]
    check(not result.success, "%s: the run fails" % what)
    check({"stg_customers", "stg_orders", "raw_payments"} <= made, "%s: what is beside it is built" % what, made)
    check(not made & {"stg_payments", "customers", "orders"}, "%s: what reads it is not" % what, made)
    check(len(tried) == 2, "%s: it is tried twice" % what, tried)
    check(all(c.passed for c in checks) and not any("stg_payments" in c.check_name for c in checks),
          "%s: no verdict on what was not built" % what, [c.check_name for c in checks])
    if runner == "heddle":    # the second try goes on with what was left
        again = [r["unique_id"] for r in project.calls()[-1]["results"] if r["status"] == "success"]
        print("     the last command built or had built: %s" % again)
    with open(path, "w") as f:
        f.write(good)


def prove_subset(project):
    what = "%s, one asset of a folder" % project.name
    project.fresh()
    defs = project.export("--granularity", "folder")
    execute(defs)
    before = len(project.calls())
    result, made, checks = execute(defs, asset_selection=[dg.AssetKey("stg_orders")])
    call = project.calls()[before:]
    check(result.success and [k.to_user_string() for k in made] == ["stg_orders"], "%s: it alone is built" % what, made)
    built = [r["unique_id"] for c in call for r in c["results"] if not r["unique_id"].startswith("test.")]
    check(built == ["model.jaffle_shop.stg_orders"], "%s: dbt built nothing else" % what, built)
    check({c.asset_key.to_user_string() for c in checks} == {"stg_orders"}, "%s: with its checks" % what, checks)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--dbt", default=shutil.which("dbt"))
    p.add_argument("--heddle", default=os.path.join(ROOT, "build", "heddle"))
    p.add_argument("--only", choices=["forms", "failure", "subset"])
    p.add_argument("--forms", default="", metavar="TEXT", help="only those with this in their options")
    p.add_argument("projects", nargs="+", metavar="PROJECT")
    args = p.parse_args()
    args.dbt, args.heddle = os.path.abspath(args.dbt), os.path.abspath(args.heddle)
    logging.disable(logging.CRITICAL)
    for source in map(os.path.abspath, args.projects):
        project = Project(source, args)
        if args.only in (None, "forms"):
            prove_forms(project, args.forms)
        if project.name == "jaffle_classic" and args.only in (None, "failure"):
            prove_failure(project, "dbt")
            prove_failure(project, "heddle")
        if project.name == "jaffle_classic" and args.only in (None, "subset"):
            prove_subset(project)
    print("%d failed" % check.failed)
    return check.failed > 0


if __name__ == "__main__":
    sys.exit(main())

"""Prefect flows and Mage pipelines with larger tasks (--granularity), by hand:

    .venv/bin/python tests/long/export_larger.py [CASE...] [MANIFEST...]

Of each manifest: every way of cutting it builds each node once and runs each test once, in an order
dbt allows; what a command runs is asked of `heddle plan`. Without manifests: of the sample. The
cases run_* run the sample with dbt, in place of the orchestrators, as tests/cli/export_run.py does
for Airflow. The orchestrators are not needed: stand-ins collect the tasks.
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import export_run  # noqa: E402
from harness import HEDDLE, SHOP, Run, cases, duck, write  # noqa: E402

SAMPLE = os.path.join(SHOP, "manifests", "after", "manifest.json")
MANIFESTS = [a for a in sys.argv[1:] if a.endswith(".json")]
TARGETS = ("prefect", "mage")
CUTS = ("folder", "layer", "all")
TESTS = ("after_each", "build", "after_all", "none")


# ---- stand-ins: a task is the words of its command, what it waits for, and what runs it

class Task:
    def __init__(self, words, after, call):
        self.words, self.after, self.call = words, set(after), call


def module(name, **members):
    m = sys.modules[name] = types.ModuleType(name)
    m.__dict__.update(members)


def load(path):
    spec = importlib.util.spec_from_file_location("exported", path)
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    return m


def load_prefect(path):
    """{name: Task} of a flow."""
    tasks, task_run, waited = {}, types.SimpleNamespace(name=None, run_count=1), []

    class Function:
        def __init__(self, call, name=None):
            self.call, self.name = call, name

        def with_options(self, task_run_name, **_):
            return Function(self.call, task_run_name)

        def submit(self, words, timeout, wait_for):
            def call(again=False):
                task_run.name, task_run.run_count = self.name, 1 + again
                self.call(words, timeout)
            tasks[self.name] = Task(words, [*wait_for, *waited], call)
            return self.name

    module("prefect", task=lambda **_: Function, flow=lambda **_: lambda call: call)
    module("prefect.cache_policies", NO_CACHE=None)
    module("prefect.futures", wait=waited.extend)
    module("prefect.runtime", task_run=task_run)
    module("prefect.task_runners", ThreadPoolTaskRunner=lambda **_: None)
    module("prefect.tasks", exponential_backoff=lambda _: None)
    load(path).pipeline()
    return tasks


def load_mage(folder):
    """{block: Task} of the project's one pipeline."""
    for name in ("mage_ai", "mage_ai.settings", "mage_ai.data_preparation"):
        module(name)
    module("mage_ai.settings.repo", get_repo_path=lambda: folder)
    module("mage_ai.data_preparation.decorators", custom=lambda call: call)
    [name] = os.listdir(os.path.join(folder, "pipelines"))
    with open(os.path.join(folder, "pipelines", name, "metadata.yaml")) as f:
        blocks = yaml.safe_load(f)["blocks"]
    return {b["uuid"]: load_block(os.path.join(folder, b["configuration"]["file_path"]), b) for b in blocks}


def load_block(path, block):
    run, said = load(path).run, []
    real, run.__globals__["run_path"] = run.__globals__["run_path"], lambda _: {"run_dbt": lambda *a: said.append(a)}
    run()
    run.__globals__["run_path"] = real
    [(words, *_)] = said
    return Task(words, block["upstream_blocks"], lambda again=False: run(retry={"attempts": 1 + again}))


def export(target, manifest, *options):
    """{name: Task}"""
    folder = tempfile.mkdtemp(prefix="export-")
    path = os.path.join(folder, "flow.py" if target == "prefect" else "project")
    Run([HEDDLE, "export", target, "--manifest", manifest, "-o", path, *options], folder).check(0)
    return {"prefect": load_prefect, "mage": load_mage}[target](path)


# ---- what the commands select

KINDS = {"model", "seed", "snapshot", "function", "test"}


def tasks_of(manifest, command, *options):
    """{unique id: task} of what a command runs."""
    out = subprocess.run([HEDDLE, "plan", "--manifest", manifest, "--output", "json", "--command", command, *options],
                         capture_output=True, text=True, check=True).stdout
    return {t["id"]: t for t in json.loads(out)["tasks"] if t["kind"] in KINDS}


def plan_of(manifest, tests):
    leave = ["resource_type:unit_test"] + (["resource_type:test"] if tests == "none" else [])
    return tasks_of(manifest, "build", "--exclude", *leave)


def upstream(tasks):
    """{name: names of all that ended before it}; asserts that there is no cycle"""
    above = {}
    while len(above) < len(tasks):
        ready = [t for t in tasks if t not in above and tasks[t].after <= above.keys()]
        assert ready, "a cycle among %s" % sorted(set(tasks) - above.keys())
        for t in ready:
            above[t] = tasks[t].after.union(*(above[a] for a in tasks[t].after))
    return above


def check_cut(manifest, tasks, tests):
    plan, above, home = plan_of(manifest, tests), upstream(tasks), {}
    for name, task in tasks.items():
        for node in tasks_of(manifest, *task.words):
            assert node not in home, "%s is in %s and in %s" % (node, home[node], name)
            home[node] = name
    assert home.keys() == plan.keys(), "never: %s, not in the plan: %s" % (
        sorted(plan.keys() - home.keys()), sorted(home.keys() - plan.keys()))
    for node, task in plan.items():
        for before in filter(plan.get, task["after"]):
            if tests == "after_all" and plan[before]["kind"] == "test":
                continue
            assert home[before] == home[node] or home[before] in above[home[node]], (
                "%s (%s) does not wait for %s (%s)" % (node, home[node], before, home[before]))
    return len(tasks)


def check_cuts(target):
    for manifest in MANIFESTS or [SAMPLE]:
        for cut in CUTS:
            counts = [check_cut(manifest, export(target, manifest, "--granularity", cut, "--tests", tests), tests)
                      for tests in TESTS]
            print("%s %s by %s: %s tasks" % (target, os.path.basename(manifest), cut, counts))


# ---- with dbt

def run_task(project, task, again=False):
    """One try; the new results."""
    target = os.path.join(project, "target")
    with tempfile.TemporaryDirectory() as kept:
        os.environ.update(export_run.run_env(project), TMPDIR=kept)
        tempfile.tempdir = kept
        before = {p: os.path.getmtime(p) for p in results_files(target)}
        cleanup = tempfile.TemporaryDirectory.cleanup
        found = []

        def keep(self):    # a target folder that would be gone
            found.extend(read(p) for p in results_files(self.name))
            cleanup(self)

        tempfile.TemporaryDirectory.__exit__ = lambda self, *_: keep(self)
        try:
            task.call(again)
        finally:
            tempfile.TemporaryDirectory.__exit__ = lambda self, *_: cleanup(self)
            tempfile.tempdir = None
        found += [read(p) for p in results_files(target) if before.get(p) != os.path.getmtime(p)]
    return [r for results in found for r in results]


def results_files(folder):
    return [os.path.join(at, "run_results.json") for at, _, files in os.walk(folder) if "run_results.json" in files]


def read(path):
    with open(path) as f:
        return json.load(f)["results"]


def run_all(project, tasks):
    """Of those that may start, the last by name: not the order of the file."""
    done, results = set(), []
    while len(done) < len(tasks):
        name = max(t for t in tasks if t not in done and tasks[t].after <= done)
        results += run_task(project, tasks[name])
        done.add(name)
    return results


def run_cut(target, *options):
    with tempfile.TemporaryDirectory() as tmp:
        project = export_run.make_project(tmp)
        os.chdir(project)
        manifest = os.path.join(project, "target", "manifest.json")
        tasks = export(target, manifest, *options)
        last = tasks.pop("on_run_end", None)    # tells all results again
        results = run_all(project, tasks)
        export_run.check(project, results)
        if last:
            told = {r["unique_id"]: r["status"] for r in run_task(project, last)}
            missing = [r["unique_id"] for r in results if r["unique_id"] not in told]
            assert not missing, "not told of: %s" % missing
        hooks = [r for r in results if r["unique_id"].startswith("operation.")]
        print("%s %s: %d results, %d of hooks" % (target, " ".join(options), len(results), len(hooks)))


def run_cuts(target):
    for cut in CUTS:
        run_cut(target, "--granularity", cut)


def resume(target):
    """The second try of a task builds what the first one left."""
    with tempfile.TemporaryDirectory() as tmp:
        project = export_run.make_project(tmp)
        os.chdir(project)
        write(project, "models/marts/late.sql", "select * from late_table")
        write(project, "models/marts/later.sql", "select * from {{ ref('late') }}")
        Run([export_run.DBT, "parse"], project, export_run.run_env(project)).check(0)
        tasks = export(target, os.path.join(project, "target", "manifest.json"), "--granularity", "folder",
                       "--runner", "heddle", "--tests", "none", "--select", "+orders", "+later")
        run_task(project, tasks["seeds"])
        run_task(project, tasks["staging"])
        try:
            run_task(project, tasks["marts"])
            raise AssertionError("the first try succeeded")
        except subprocess.CalledProcessError:
            pass
        first = {r["unique_id"]: r for r in read(os.path.join(project, "target", "marts", "run_results.json"))}
        done = {i: r for i, r in first.items() if r["status"] == "success" and i.startswith("model.")}
        assert done and first["model.shop.late"]["status"] == "error", first
        duck("shop.duckdb", "create table late_table as select 1 as x")
        second = {r["unique_id"]: r for r in run_task(project, tasks["marts"], again=True)}
        assert second["model.shop.later"]["status"] == "success"
        assert {i: export_run.span(second[i]) for i in done} == {i: export_run.span(r) for i, r in done.items()}


def case_prefect():
    check_cuts("prefect")


def case_mage():
    check_cuts("mage")


def case_run_prefect():
    run_cuts("prefect")


def case_run_mage():
    run_cuts("mage")


def case_run_heddle():
    run_cut("prefect", "--granularity", "folder", "--runner", "heddle")
    run_cut("prefect", "--granularity", "all", "--runner", "heddle")


def case_resume_prefect():
    resume("prefect")


def case_resume_mage():
    resume("mage")


if __name__ == "__main__":
    sys.argv[1:] = [a for a in sys.argv[1:] if not a.endswith(".json")]
    cases(globals())

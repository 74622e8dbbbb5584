"""Airflow exports with larger tasks, run for real: every node is built once and every test runs once,
in an order dbt allows, whatever legal order the tasks start in.

    HEDDLE_TEST_PYTHON=.venv/bin/python .venv/bin/python tests/cli/export_run.py [CASE...]

Airflow itself is not needed: what the files import is stood in for by a few classes that collect
the tasks, whose commands are then rendered and run one after the other. What counts is what
run_results.json says of each command, against `heddle plan`.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import types

import jinja2

from harness import DBT, HEDDLE, PYTHON, SHOP, Run, cases, clean_env, copy_project, write

BUILT = {"model", "seed", "snapshot"}


# ---- a stand-in for Airflow

class Dag:
    def __init__(self, dag_id, **more):
        self.dag_id, self.more, self.params, self.tasks = dag_id, more, {}, {}

    def __enter__(self):
        Dag.current = self
        return self

    def __exit__(self, *error):
        pass


class Task:
    def __init__(self, task_id, bash_command=None, python_callable=None, **more):
        assert task_id not in Dag.current.tasks, "two tasks %s" % task_id
        self.task_id, self.command, self.call, self.more = task_id, bash_command, python_callable, more
        self.upstream_task_ids, self.downstream_task_ids = set(), set()
        Dag.current.tasks[task_id] = self


def chain(*tasks):
    for before, after in zip(tasks, tasks[1:]):
        after.upstream_task_ids.add(before.task_id)


def load(path):
    """The DAG of an exported file."""
    here = "airflow.providers.standard.operators."
    modules = {"airflow": {}, "airflow.sdk": {"DAG": Dag, "Param": lambda default, **more: default, "chain": chain},
               here + "bash": {"BashOperator": Task}, here + "python": {"PythonOperator": Task}}
    for name, members in modules.items():
        module = sys.modules[name] = types.ModuleType(name)
        module.__dict__.update(members)
    text = open(path).read()
    space = {}
    exec(compile(text, path, "exec"), space)
    return space["dag"]


# ---- running it

def make_project(tmp):
    """The sample, with two folders that read each other: marts, marts/finance, marts."""
    project = copy_project(SHOP, os.path.join(tmp, "shop"))
    write(project, "models/marts/best_days.sql",
          "{{ config(group='finance') }} select * from {{ ref('daily_revenue') }} order by 2 desc limit 3")
    Run([DBT, "parse"], project, run_env(project)).check(0)
    return project


def run_env(project, **more):
    env = clean_env(DBT_PROJECT_DIR=project, DBT_PROFILES_DIR=project, SHOP_DB=os.path.join(project, "shop.duckdb"), **more)
    env["PATH"] = os.pathsep.join([os.path.dirname(HEDDLE), os.path.dirname(PYTHON), env["PATH"]])
    return env


def export(project, *options):
    path = os.path.join(project, "dag.py")
    manifest = os.path.join(project, "target", "manifest.json")
    Run([HEDDLE, "export", "airflow", "--manifest", manifest, "-o", path, *options], project).check(0)
    return load(path)


def run_task(project, dag, task, code=0):
    """One try of a task, as Airflow's bash operator does it; the new results, if it writes any."""
    with tempfile.TemporaryDirectory() as empty:
        places = (empty, os.path.join(project, "target", task.task_id), os.path.join(project, "target"))
        files = [os.path.join(place, "run_results.json") for place in places]
        for path in files:
            if os.path.exists(path):
                os.remove(path)
        command = jinja2.Template(task.command).render(params=dag.params, task=task, dag=dag)
        Run(["bash", "-c", command], empty, run_env(project)).check(code)
        for path in files:
            if os.path.exists(path):
                with open(path) as f:
                    return json.load(f)["results"]
    return []


def run_all(project, dag):
    """Every task; of those that may start, the last by name: not the order of the file."""
    done, results = set(), []
    while len(done) < len(dag.tasks):
        ready = sorted(t for t in dag.tasks if t not in done and dag.tasks[t].upstream_task_ids <= done)
        assert ready, "a cycle among %s" % sorted(set(dag.tasks) - done)
        task = dag.tasks[ready[-1]]
        if task.command:
            found = run_task(project, dag, task)
            results += found if task.task_id != "docs" else []    # it only compiles, and says so too
        else:
            task.call(dag_run=types.SimpleNamespace(dag_id=dag.dag_id, run_id="by hand"))
        done.add(task.task_id)
    return results


def span(result):
    """When a node ran."""
    times = [t for step in result["timing"] for t in (step["started_at"], step["completed_at"]) if t]
    return min(times), max(times)


def check(project, results, tests_hold_back=True):
    out = subprocess.run([HEDDLE, "plan", "--manifest", os.path.join(project, "target", "manifest.json"), "--output",
                          "json", "--exclude", "resource_type:unit_test"], capture_output=True, text=True, check=True).stdout
    plan = {t["id"]: t for t in json.loads(out)["tasks"]}
    due = {i for i, t in plan.items() if t["kind"] in BUILT | {"test"}}
    ran = [r["unique_id"] for r in results if r["unique_id"].split(".")[0] in BUILT | {"test"}]
    assert sorted(ran) == sorted(due), "twice: %s, never: %s, not in the plan: %s" % (
        sorted({i for i in ran if ran.count(i) > 1}), sorted(due - set(ran)), sorted(set(ran) - due))
    bad = {r["unique_id"]: r["message"] for r in results if r["status"] not in ("success", "pass", "warn", "no-op")}
    assert not bad, bad
    when = {r["unique_id"]: span(r) for r in results if r["unique_id"] in due}
    edges = 0
    for node in due:
        for before in plan[node]["after"]:
            if before in when and (tests_hold_back or plan[before]["kind"] != "test"):
                assert when[before][1] <= when[node][0], "%s ran before %s had ended" % (node, before)
                edges += 1
    assert edges > len(due) / 2, "only %d edges seen" % edges


# ---- the cases

def case_folders():
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        dag = export(project, "--granularity", "folder")
        assert {"marts", "marts__finance", "marts_2", "staging", "seeds"} <= set(dag.tasks), sorted(dag.tasks)
        assert "marts__finance" in dag.tasks["marts_2"].upstream_task_ids
        check(project, run_all(project, dag))


def case_layers():
    """Freshness, layers, tests, documentation: by the classic chain. Nine dbt commands: by name only."""
    if "layers" not in sys.argv[1:]:
        return "long; tests/cli/export_run.py layers runs it"
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        dag = export(project, "--style", "layers")
        assert list(dag.tasks) == ["freshness", "seed", "staging", "snapshot", "marts", "test", "docs", "notify"], list(dag.tasks)
        # Its data are made by on-run-start, which `dbt source freshness` does not run.
        Run([DBT, "seed"], project, run_env(project)).check(0)
        check(project, run_all(project, dag), tests_hold_back=False)
        assert os.path.exists(os.path.join(project, "target", "catalog.json"))


def case_a_try_goes_on_where_the_last_one_ended():
    """`heddle build --resume` in a folder that outlives the try: what was built is not built again."""
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        write(project, "models/marts/late.sql", "select * from late_table")
        write(project, "models/marts/later.sql", "select * from {{ ref('late') }}")
        Run([DBT, "parse"], project, run_env(project)).check(0)
        dag = export(project, "--granularity", "folder", "--runner", "heddle", "--tests", "none", "--select",
                     "+orders", "+later")
        seeds, staging, marts = (dag.tasks[t] for t in ("seeds", "staging", "marts"))
        run_task(project, dag, seeds)
        run_task(project, dag, staging)
        first = {r["unique_id"]: r for r in run_task(project, dag, marts, code=1)}
        assert first["model.shop.late"]["status"] == "error", first["model.shop.late"]
        done = {i: span(r) for i, r in first.items() if r["status"] == "success" and not i.startswith("operation.")}
        assert done, "nothing was built in the first try"
        subprocess.run([PYTHON, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table late_table as select 1 as x')",
                        os.path.join(project, "shop.duckdb")], check=True)
        second = {r["unique_id"]: r for r in run_task(project, dag, marts)}
        assert second["model.shop.later"]["status"] == "success"
        assert {i: span(second[i]) for i in done} == done, "built again: %s" % sorted(done)


if __name__ == "__main__":
    shutil.rmtree(os.path.join(os.environ.get("TMPDIR", "/tmp"), "state"), ignore_errors=True)
    cases(globals())

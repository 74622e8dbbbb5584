"""Exports with larger tasks, run for real: every node is built once and every test runs once, in an
order dbt allows, whatever legal order the tasks start in.

    HEDDLE_TEST_PYTHON=.venv/bin/python .venv/bin/python tests/cli/export_run.py [CASE...]

The orchestrators themselves are not needed: flows.py collects the tasks, whose commands then run one
after the other. What counts is what run_results.json says of each command, against `heddle plan`.
Cases of many commands run only when they are named.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from flows import LOADERS, LONG, run_env
from harness import DBT, HEDDLE, Run, cases, duck, shop, write

BUILT = {"model", "seed", "snapshot"}


# ---- running it

def make_project(tmp):
    """The sample, with two folders that read each other: marts, marts/finance, marts."""
    project = shop(tmp)
    write(project, "models/marts/best_days.sql",
          "{{ config(group='finance') }} select * from {{ ref('daily_revenue') }} order by 2 desc limit 3")
    Run([DBT, "parse"], project, run_env(project), LONG).check(0)
    return project


def export(project, *options, target="airflow"):
    path = os.path.join(project, "export.txt")
    manifest = os.path.join(project, "target", "manifest.json")
    if target != "airflow":
        options += ("--image", "shop:1") if target == "argo" else ("--task-project-dir", project)
    Run([HEDDLE, "export", target, "--manifest", manifest, "-o", path, *options], project).check(0)
    return LOADERS[target](path)


def run_task(project, task, code=0, attempt=1):
    """One try of a task; the new results, if it writes any."""
    ran = task.run(project, code, attempt)
    return json.loads(ran[1])["results"] if ran and ran[1] else []


def run_all(project, tasks):
    """Every task; of those that may start, the last by name: not the order of the file."""
    done, results = set(), []
    while len(done) < len(tasks):
        ready = sorted(t for t in tasks if t not in done and tasks[t].after <= done)
        assert ready, "a cycle among %s" % sorted(set(tasks) - done)
        found = run_task(project, tasks[ready[-1]])
        if ready[-1] not in ("docs", "on_run_end", "on-run-end"):     # these tell of others' work
            results += found
        done.add(ready[-1])
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

def long(name):
    """Why it is left out, or None."""
    return None if name in sys.argv[1:] else "long; tests/cli/export_run.py %s runs it" % name


def case_folders():
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        tasks = export(project, "--granularity", "folder")
        assert {"marts", "marts__finance", "marts_2", "staging", "seeds"} <= set(tasks), sorted(tasks)
        assert "marts__finance" in tasks["marts_2"].after
        check(project, run_all(project, tasks))


def case_layers():
    """Freshness, layers, tests, documentation: by the classic chain."""
    why = long("layers")
    if why:
        return why
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        tasks = export(project, "--style", "layers")
        assert list(tasks) == ["freshness", "seed", "staging", "snapshot", "marts", "test", "docs", "notify"], list(tasks)
        # Its data are made by on-run-start, which `dbt source freshness` does not run.
        Run([DBT, "seed"], project, run_env(project)).check(0)
        check(project, run_all(project, tasks), tests_hold_back=False)
        assert os.path.exists(os.path.join(project, "target", "catalog.json"))


def case_in_containers():
    """Argo and Kestra: one task that does everything, in the project's folder, in an empty one."""
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        for target in "argo", "kestra":
            tasks = export(project, "--granularity", "all", target=target)
            assert len(tasks) == 1, sorted(tasks)
            check(project, run_all(project, tasks))


def parts_of(name, target, *options):
    why = long(name)
    if why:
        return why
    for granularity in "folder", "layer":
        with tempfile.TemporaryDirectory() as tmp:
            project = make_project(tmp)
            tasks = export(project, "--granularity", granularity, *options, target=target)
            results = run_all(project, tasks)
            check(project, results)
            hooks = sorted(r["unique_id"] for r in results if r["unique_id"].startswith("operation."))
            print("%s, %s %s: %d tasks, %d nodes, %d hooks" % (
                target, granularity, " ".join(options), len(tasks), len(results) - len(hooks), len(hooks)))
            if options:
                check_hooks(project, tasks, hooks)


def check_hooks(project, tasks, hooks):
    """In a first and a last task, once: of all the others no result tells of a hook."""
    [last] = [t for t in tasks.values() if t.always]
    [first] = [t for t in tasks.values() if not t.after]
    assert (first.id.replace("-", "_"), last.id.replace("-", "_")) == ("on_run_start", "on_run_end")
    assert not hooks, hooks
    log = duck(os.path.join(project, "shop.duckdb"), "select nodes, not_good from main.run_log")
    print("on-run-end wrote its [nodes, not good]: %s" % log)
    assert len(log) == 1, log


def case_argo_parts():
    return parts_of("argo_parts", "argo")


def case_kestra_parts():
    return parts_of("kestra_parts", "kestra")


def case_airflow_heddle():
    return parts_of("airflow_heddle", "airflow", "--runner", "heddle")


def case_argo_heddle():
    return parts_of("argo_heddle", "argo", "--runner", "heddle")


def case_kestra_heddle():
    return parts_of("kestra_heddle", "kestra", "--runner", "heddle")


def case_a_try_goes_on_where_the_last_one_ended():
    """A second try of a task builds what the first one left; the next day's first try builds all."""
    with tempfile.TemporaryDirectory() as tmp:
        project = make_project(tmp)
        write(project, "models/marts/late.sql", "select * from late_table")
        write(project, "models/marts/later.sql", "select * from {{ ref('late') }}")
        Run([DBT, "parse"], project, run_env(project), LONG).check(0)
        tasks = export(project, "--granularity", "folder", "--runner", "heddle", "--tests", "none", "--select",
                       "+orders", "+later")
        for task in "on_run_start", "seeds", "staging":
            run_task(project, tasks[task])
        first = {r["unique_id"]: r for r in run_task(project, tasks["marts"], code=1)}
        assert first["model.shop.late"]["status"] == "error", first["model.shop.late"]
        done = {i: span(r) for i, r in first.items() if r["status"] == "success"}
        assert done, "nothing was built in the first try"
        duck(os.path.join(project, "shop.duckdb"), "create table late_table as select 1 as x")
        second = {r["unique_id"]: r for r in run_task(project, tasks["marts"], attempt=2)}
        assert second["model.shop.later"]["status"] == "success"
        assert {i: span(second[i]) for i in done} == done, "built again: %s" % sorted(done)
        last = {r["unique_id"]: r["status"] for r in run_task(project, tasks["on_run_end"])}
        assert last["model.shop.later"] == last["seed.shop.raw_orders"] == "success", last


if __name__ == "__main__":
    shutil.rmtree(os.path.join(os.environ.get("TMPDIR", "/tmp"), "state"), ignore_errors=True)
    cases(globals())

"""What heddle leaves behind is what dbt continues from: after a failed, an interrupted and a passed
run `dbt retry` takes up exactly the expected nodes, and `result:` selectors name the same ones. And
`heddle retry` continues heddle's runs and dbt's, with the settings they had."""
import glob
import json
import os
import re
import shutil
import signal
import tempfile

from harness import (DBT, HEDDLE, PROGRAM, PYTHON, Run, cases, clean_env, edit, node_statuses, read_results, shop, start,
                     wait_until, write)

UNFINISHED = ("error", "fail", "skipped", "runtime error", "partial success")
SLOW = "\nunion all select cast(count(*) as date) from range(300000000000) as t(i) where i % 7 = i % 5 - 9\n"


class Project:
    def __init__(self, one_thread=False):
        self.one_thread = one_thread

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="r")
        return shop(self.folder, self.one_thread)

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def unfinished(project):
    return {k for k, v in node_statuses(project).items() if v in UNFINISHED}


# dbt parses once for all questions.
LS = """
import json, sys
from dbt.cli.main import dbtRunner
parse = ["-q", "parse", "--target-path", "ls", "--partial-parse-file-path", "target/partial_parse.msgpack"]
dbt = dbtRunner(manifest=dbtRunner().invoke(parse).result)
answers = [dbt.invoke(["-q", "ls", "--state", "state", "--target-path", "ls", "--output", "json", "--output-keys", "unique_id",
                       "--indirect-selection", "empty", "--select", *words]) for words in json.loads(sys.argv[1])]
print()
print(json.dumps([a.result if a.success else str(a.exception) for a in answers]))
"""


def dbt_ls(project, *questions):
    """Of each question, some words for --select, the ids dbt selects against the results of the last run."""
    shutil.rmtree(os.path.join(project, "state"), ignore_errors=True)
    shutil.copytree(os.path.join(project, "target"), os.path.join(project, "state"))
    done = Run([PYTHON, "-c", LS, json.dumps(questions)], project).check(0)
    return [{json.loads(line)["unique_id"] for line in answer} for answer in json.loads(done.out.splitlines()[-1])]


def plant(project):
    """One model and one test that fail, in different parts of the graph."""
    edit(project, "models/staging/stg_payments.sql", "select", "select no_such_column,")
    edit(project, "models/staging/_staging.yml", "data_tests: [positive]", "data_tests: [positive, negative]")
    write(project, "tests/generic/negative.sql",
          "{% test negative(model, column_name) %}\nselect * from {{ model }} where {{ column_name }} > 0\n{% endtest %}\n")


def mend(project):
    edit(project, "models/staging/stg_payments.sql", "select no_such_column,", "select")
    edit(project, "tests/generic/negative.sql", "> 0", "< 0")


def case_after_a_failed_run():
    with Project() as ours, Project() as theirs:
        for program, project in ((PROGRAM, ours), (DBT, theirs)):
            plant(project)
            Run([program, "build"], project).check(1)
        todo = unfinished(theirs)
        assert len(todo) > 10 and "model.shop.stg_payments" in todo and "model.shop.orders" in todo, todo
        assert not todo & {"model.shop.stg_orders", "seed.shop.raw_orders"}, todo
        assert unfinished(ours) == todo, unfinished(ours) ^ todo
        questions = (["result:error"], ["result:fail"], ["result:skipped"], ["result:success"], ["result:warn"],
                     ["1+result:error", "result:fail+"])
        for words, a, b in zip(questions, dbt_ls(theirs, *questions), dbt_ls(ours, *questions)):
            assert a == b, (words, a ^ b)
            assert words != ["result:error"] or a == {"model.shop.stg_payments"}, a
        for project in (ours, theirs):
            mend(project)
            Run([DBT, "retry"], project).check(0)
            assert set(node_statuses(project)) == todo, set(node_statuses(project)) ^ todo
            assert not unfinished(project), unfinished(project)


def case_after_an_interrupted_run():
    with Project(one_thread=True) as project:
        with open(os.path.join(project, "models/semantic/days.sql"), "a") as f:
            f.write(SLOW)
        p = start([PROGRAM, "build", "--threads", "2"], project)
        try:
            wait_until("the slow model runs and others ended", lambda: os.path.exists(
                os.path.join(project, "target/run/shop/models/semantic/days.sql")) and os.path.exists(
                os.path.join(project, "target/run/shop/models/marts/orders.sql")) or p.poll() is not None)
            assert p.poll() is None, p.communicate()[0]
            p.send_signal(signal.SIGINT)
            out, _ = p.communicate(timeout=20)
        finally:
            p.poll() is None and p.kill()
        assert p.returncode == 130, (p.returncode, out)
        found = node_statuses(project)
        todo = unfinished(project)
        assert "model.shop.days" in todo and "seed.shop.raw_orders" not in todo, found
        edit(project, "models/semantic/days.sql", SLOW, "")
        Run([DBT, "retry"], project).check(0)
        assert set(node_statuses(project)) == todo, set(node_statuses(project)) ^ todo
        assert not unfinished(project), unfinished(project)
        # Nothing was left out on the way: a whole build has no other node.
        Run([DBT, "build"], project).check(0)
        assert set(node_statuses(project)) == set(found), set(node_statuses(project)) ^ set(found)


def case_after_a_passed_run():
    with Project() as ours, Project() as theirs:
        for program, project in ((PROGRAM, ours), (DBT, theirs)):
            Run([program, "run", "--select", "days", "--vars", "{first_day: 2025-02-01}"], project).check(0)
        assert dbt_ls(ours, ["result:success"]) == dbt_ls(theirs, ["result:success"]) == [{"model.shop.days"}]
        a, b = Run([DBT, "retry"], ours), Run([DBT, "retry"], theirs)
        assert a.code == b.code == 0, (a.out, b.out)
        assert node_statuses(ours) == node_statuses(theirs) == {}, node_statuses(ours)


def heads(project):
    """First lines of the journals, oldest first."""
    found = []
    for path in sorted(glob.glob(os.path.join(project, "target/heddle/runs/*.journal"))):
        with open(path) as f:
            found.append(json.loads(f.readline()))
    return found


def case_heddle_continues_a_run_of_dbt():
    with Project() as project:
        plant(project)
        args = ["--vars", "{first_day: 2025-02-01}", "--full-refresh", "--exclude-resource-type", "unit_test"]
        Run([DBT, "build", *args], project).check(1)
        before, all_nodes = unfinished(project), set(node_statuses(project))
        with open(os.path.join(project, "target/run_results.json")) as f:
            results = json.load(f)
        # The file of a command that runs no nodes is not a run to continue.
        results["args"]["which"] = "compile"
        write(project, "other/run_results.json", json.dumps(results))
        assert "no run to continue" in Run([HEDDLE, "retry", "--target-path", "other"], project).check(2).out
        mend(project)
        write(project, "models/marts/brand_new.sql", "select 1 as n\n")
        edit(project, "models/staging/stg_orders.sql", "select", "-- looked at\nselect")
        other = Run([HEDDLE, "retry"], project, clean_env(SHOP_TARGET="postgres")).check(2)
        assert "the run to continue made" in other.out, other.out
        done = Run([HEDDLE, "retry", "--threads", "2", "--retries", "3"], project).check(0)
        assert re.search(r"continuing dbt's run \S+: %d done before, %d to run, 1 of them new" % (
            len(all_nodes) - len(before), len(before) + 1), done.out), done.out
        assert "1 node new since that run\n" in done.out and "model.shop.brand_new" in done.out, done.out
        assert "model.shop.stg_orders: code" in done.out, done.out
        assert "done before, so not run with the new code: model.shop.stg_orders\n" in done.out, done.out
        assert set(node_statuses(project)) == all_nodes | {"model.shop.brand_new"}
        assert not unfinished(project), unfinished(project)
        kept = read_results(project)["args"]
        assert (kept["vars"], kept["full_refresh"], kept["exclude_resource_types"], kept["threads"]) == (
            {"first_day": "2025-02-01"}, True, ["unit_test"], 2), kept
        assert "nothing to do" in Run([HEDDLE, "retry"], project).check(0).out


def case_settings_are_kept_whole():
    """Also those of the environment, which is another one when the run is continued."""
    with Project() as project:
        plant(project)
        env = clean_env(DBT_FULL_REFRESH="1", DBT_INDIRECT_SELECTION="cautious", DBT_THREADS="3")
        Run([HEDDLE, "build", "--select", "+orders", "days", "--vars", "{first_day: 2025-02-01}"],
            project, env).check(1)
        first = read_results(project)["args"]
        other = Run([HEDDLE, "retry"], project, clean_env(SHOP_TARGET="postgres")).check(2)
        assert "the run to continue used target" in other.out, other.out
        mend(project)
        Run([HEDDLE, "retry"], project).check(0)
        second = read_results(project)["args"]
        for key in ("vars", "full_refresh", "select", "indirect_selection"):
            assert first[key] == second[key], (key, first[key], second[key])
        assert second["threads"] == 3, second
        one, two = heads(project)
        assert one["since"] == two["since"] and one["run"] != two["run"], (one, two)
        # --resume: the newest run of the same settings ended well, so a new one starts.
        again = Run([HEDDLE, "build", "--resume", "--select", "+orders", "days", "--vars", "{first_day: 2025-02-01}"], project, env).check(0)
        assert "continuing" not in again.out, again.out


def case_only_failed_batches_run_again():
    with Project() as project:
        write(project, "models/events.sql", "{{ config(event_time='day') }} select day, 1 as n from (values "
              "(date '2024-01-01'), (date '2024-01-02'), (date '2024-01-03'), (date '2024-01-04')) as t(day)\n")
        write(project, "models/daily.sql",
              "{{ config(materialized='incremental', incremental_strategy='microbatch', "
              "event_time='day', begin='2024-01-01', batch_size='day') }} select day, '{{ invocation_id }}' as run "
              "from {{ ref('events') }} {% if model.batch and model.batch.id == '20240102' %} where "
              "'{{ env_var('BROKEN', '') }}' = '' or 1 = cast('no number' as int) {% endif %}\n")
        run = Run([HEDDLE, "run", "--select", "events", "daily", "--event-time-start", "2024-01-01", "--event-time-end",
                   "2024-01-05"], project, clean_env(BROKEN="1")).check(1)
        assert node_statuses(project)["model.shop.daily"] == "partial success", run.out
        retry = Run([HEDDLE, "retry"], project).check(0)
        assert "Batch 1 of 1" in retry.out, retry.out
        daily = next(r for r in read_results(project)["results"] if r["unique_id"] == "model.shop.daily")
        counts = {k: len(v) for k, v in daily["batch_results"].items()}
        assert daily["status"] == "success" and counts == {"successful": 4, "failed": 0}, daily
        assert read_results(project)["args"]["event_time_start"].startswith("2024-01-01")


def case_rebuild_tested():
    with Project() as project:
        write(project, "models/marts/fresh.sql", "select -1 as n\n")
        write(project, "models/marts/after_fresh.sql", "select * from {{ ref('fresh') }}\n")
        write(project, "tests/generic/positive_n.sql",
              "{% test positive_n(model) %}\nselect * from {{ model }} where n < 0\n{% endtest %}\n")
        write(project, "models/marts/_fresh.yml", "models: [{name: fresh, data_tests: [positive_n, {not_null: "
              "{arguments: {column_name: n}}}]}]\n")
        Run([HEDDLE, "build", "--select", "fresh+"], project).check(1)
        write(project, "models/marts/fresh.sql", "select 1 as n\n")
        # What had succeeded does not run again, so the test still fails.
        again = Run([HEDDLE, "retry"], project).check(1)
        assert "2 done before, 2 to run" in again.out, again.out
        rebuilt = Run([HEDDLE, "build", "--resume", "--select", "fresh+", "--rebuild-tested"], project).check(0)
        assert "0 done before, 4 to run, 2 of them for the sake of failed tests" in rebuilt.out, rebuilt.out
        assert not unfinished(project), unfinished(project)


def case_records_elsewhere():
    """--state-dir: the target folder is lost, the record is not."""
    with Project() as project:
        plant(project)
        where = ("--state-dir", os.path.join(project, "..", "records"))
        run = Run([HEDDLE, "build", "--select", "+orders", "--exclude-resource-type", "test", *where, "--events",
                   "events.json", "--log-format", "json"], project).check(1)
        with open(os.path.join(project, "events.json")) as f:
            events = f.read().splitlines()
        # What is said before dbt has read its flags is for people.
        assert events == [line for line in run.out.splitlines() if line.startswith("{")], run.out
        events = [json.loads(line) for line in events]
        assert events[-1]["event"] == "end" and sum(e["event"] == "start" for e in events) == 1, events
        over = [e["unique_id"] for e in events if e["event"] == "task" and e["to"] in ("done", "skipped")]
        assert sorted(over) == sorted(node_statuses(project)), over
        assert not os.path.exists(os.path.join(project, "target/heddle/runs"))
        shutil.rmtree(os.path.join(project, "target"))
        mend(project)
        done = Run([HEDDLE, "retry", *where], project).check(0)
        assert re.search(r"continuing run \S+: [1-9]", done.out), done.out
        assert not unfinished(project), unfinished(project)


if __name__ == "__main__":
    cases(globals())

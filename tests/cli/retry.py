"""What heddle leaves behind is what dbt continues from: after a failed, an interrupted and a passed
run `dbt retry` takes up exactly the expected nodes, and `result:` selectors name the same ones."""
import os
import shutil
import signal
import tempfile

from harness import (DBT, PROGRAM, SHOP, Run, cases, clean_env, copy_project, edit, node_statuses, start, wait_until,
                     write)

UNFINISHED = ("error", "fail", "skipped", "runtime error", "partial success")
SLOW = "\nunion all select cast(count(*) as date) from range(300000000000) as t(i) where i % 7 = i % 5 - 9\n"


class Project:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="r")
        self.dir = copy_project(SHOP, os.path.join(self.folder, "shop"))
        return self.dir

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def unfinished(project):
    return {k for k, v in node_statuses(project).items() if v in UNFINISHED}


def dbt_ls(project, *words):
    """Names as unique ids, of what dbt selects against the results of the last run."""
    shutil.rmtree(os.path.join(project, "state"), ignore_errors=True)
    shutil.copytree(os.path.join(project, "target"), os.path.join(project, "state"))
    done = Run([DBT, "-q", "ls", "--state", "state", "--target-path", "ls", "--output", "json", "--output-keys",
                "unique_id", "--indirect-selection", "empty", "--select", *words], project).check(0)
    return {line.split('"')[3] for line in done.out.splitlines() if line.startswith("{")}


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
        for words in (["result:error"], ["result:fail"], ["result:skipped"], ["result:success"], ["result:warn"],
                      ["1+result:error", "result:fail+"]):
            a, b = dbt_ls(theirs, *words), dbt_ls(ours, *words)
            assert a == b, (words, a ^ b)
        assert dbt_ls(ours, "result:error") == {"model.shop.stg_payments"}
        for project in (ours, theirs):
            mend(project)
            Run([DBT, "retry"], project).check(0)
            assert set(node_statuses(project)) == todo, set(node_statuses(project)) ^ todo
            assert not unfinished(project), unfinished(project)


def case_after_an_interrupted_run():
    with Project() as project:
        edit(project, "profiles.yml", "schema: main", "schema: main\n      settings: {threads: 1}")
        Run([DBT, "parse"], project).check(0)
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
        assert dbt_ls(ours, "result:success") == dbt_ls(theirs, "result:success") == {"model.shop.days"}
        a, b = Run([DBT, "retry"], ours), Run([DBT, "retry"], theirs)
        assert a.code == b.code == 0, (a.out, b.out)
        assert node_statuses(ours) == node_statuses(theirs) == {}, node_statuses(ours)


if __name__ == "__main__":
    cases(globals())

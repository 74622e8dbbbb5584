"""Hooks apart from nodes: on-run-start, commands with --no-hooks, on-run-end, beside one build of all."""
import re
import shutil
import tempfile

from harness import HEDDLE, Run, cases, clean_env, node_statuses, statuses, write

START = "print('start ' ~ selected_resources | sort | join(' '))"
END = """
{% macro tell(results) %}{% for r in results %}
{% do print('saw ' ~ r.node.unique_id ~ ' ' ~ r.status ~ ' ' ~ r.failures ~ ' ' ~ (r.timing | map(attribute='name') | join(','))
            ~ ' ' ~ (r.execution_time > 0) ~ ' ' ~ r.adapter_response) %}
{% endfor %}{% do print('schemas ' ~ schemas | join(' ')) %}{% endmacro %}
"""
SHOP = {
    "dbt_project.yml": """
name: few
profile: few
flags: {send_anonymous_usage_stats: false}
on-run-start: ["{{ %s }}", "create table if not exists main.log (n integer)", "insert into main.log values (1)"]
on-run-end: ["{{ tell(results) }}"]
""" % START,
    "profiles.yml": "few: {target: dev, outputs: {dev: {type: duckdb, path: few.duckdb, threads: 2}}}",
    "macros/tell.sql": END,
    "models/a.sql": "select 1 as id",
    "models/b.sql": "select id from {{ ref('a') }}",
    "models/c.sql": "select * from {{ ref('b') }} where nonsense",
    "models/d.sql": "select * from {{ ref('c') }}",
    "models/all.yml": "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]",
}


class Few:
    def __init__(self, **more):
        self.dir = tempfile.mkdtemp(prefix="few-")
        for path, text in {**SHOP, **more}.items():
            write(self.dir, path, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def run(self, *words, code=0):
        return Run([HEDDLE, *words], self.dir, clean_env(DBT_PROFILES_DIR=self.dir)).check(code)


def saw(run):
    """What on-run-end was told, in any order."""
    return sorted(re.findall(r"(?:saw|schemas) \S.*", run.out))


def started(run):
    return re.findall(r" start model.*", run.out)


def case_as_one_build():
    """First task, two others with target folders of their own or not, last task: hooks ran once each, and saw
    what those of one build see."""
    with Few() as whole, Few() as parts:
        parts.run("build", "--target-path", "target/before", "--select", "a")      # this does not count
        one = whole.run("build", code=1)
        first = parts.run("on-run-start")
        assert started(one) == started(first) and len(started(first)) == 1, (one.out, first.out)
        assert first.out.count("hook  OK") == 3, first.out
        for words, code in (("--exclude", "c+", "--target-path", "target/first"), 0), (("--select", "c+"), 1):
            run = parts.run("build", "--no-hooks", *words, code=code)
            assert not started(run) and not saw(run) and "hook " not in run.out, run.out
        last = parts.run("on-run-end", "--exclude", "b")                           # b is not selected
        assert not started(last), last.out
        # What on-run-start gave is only in the results of one process.
        expected = [line for line in saw(one) if "on-run-start" not in line and "model.few.b" not in line]
        assert saw(last) == expected and len(expected) == 5, (one.out, last.out)
        assert "results of 4 nodes" in last.out, last.out
        entries = statuses(parts.dir)
        assert entries.pop("operation.few.few-on-run-end-0") == "success", entries
        expected = {k: v for k, v in node_statuses(whole.dir).items() if k != "model.few.b"}
        assert entries == expected, (entries, expected)


def case_second_try():
    """A run without hooks is continued without; it is no part of a run with them."""
    with Few() as few:
        few.run("run", "--no-hooks", code=1)
        alone = few.run("on-run-end")
        assert "gets no results" in alone.out and not [s for s in saw(alone) if s.startswith("saw")], alone.out
        write(few.dir, "models/c.sql", "select 1 as id")
        run = few.run("run", "--resume")
        assert "continuing" not in run.out and started(run) and saw(run), run.out
        write(few.dir, "models/c.sql", "select nonsense")
        few.run("run", "--no-hooks", code=1)
        few.run("on-run-start")                             # hooks alone are nothing to retry
        write(few.dir, "models/c.sql", "select 1 as id")
        run = few.run("retry")
        assert "2 done before, 2 to run" in run.out and not started(run) and not saw(run), run.out


def case_failing_hooks():
    bad = SHOP["dbt_project.yml"].replace('["', '["select nonsense", "')
    with Few(**{"dbt_project.yml": bad}) as few:
        for hooks in "on-run-start", "on-run-end":
            assert "nonsense" in few.run(hooks, code=1).out


def case_refused():
    """dbt alone cannot leave hooks out; nothing selected, nothing done."""
    with Few() as few:
        run = few.run("run", "--no-hooks", "--runner", "cli", code=2)
        assert "only the worker runs nodes without hooks" in run.out, run.out
        run = few.run("on-run-start", "--select", "none_such")
        assert "nothing to do" in run.out and not started(run), run.out


cases(globals())

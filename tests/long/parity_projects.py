"""tests/cli/parity.py on larger projects, by hand:

    HEDDLE_SHARED=DIR .venv/bin/python tests/long/parity_projects.py [CASE...]

DIR (or ../shared) holds projects/lantern_tea, projects/jaffle_classic and bench/gen_project.py. The
generated project has 100 models and 99 tests, and runs on a PostgreSQL of its own. The cases jaffle_*
also run with older versions of dbt: HEDDLE_TEST_PYTHON is the Python of one.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from harness import (DBT, HEDDLE, ROOT, Postgres, Run, cases, copy_project, descendants, edit, processes,  # noqa: E402
                     start, statuses, write)
from parity import both  # noqa: E402

SHARED = os.environ.get("HEDDLE_SHARED") or os.path.join(ROOT, "..", "shared")
TEA = os.path.join(SHARED, "projects", "lantern_tea")
JAFFLE = os.path.join(SHARED, "projects", "jaffle_classic")
GENERATOR = os.path.join(SHARED, "bench", "gen_project.py")


def tea(*commands, code, plant=lambda d: None):
    def prepare(d):
        plant(d)
        Run([DBT, "deps"], d).check(0)
    both(commands, prepare, project=TEA, code=code)


def planted(path, old, new):
    return lambda d: edit(d, path, old, new)


def case_tea_build_twice():
    tea(["build"], ["build"], code=0)


def case_tea_each_command():
    tea(["seed"], ["run"], ["snapshot"], ["run", "--full-refresh"], ["test"], code=1)  # what is on demand only fails


def case_tea_everything():
    tea(["build", "--select", "+fqn:*", "package:tea_utils", "--indirect-selection", "buildable"], code=None)


def case_tea_model_broken():
    tea(["build"], ["run"], code=1, plant=planted("models/staging/shop/stg_orders.sql", "select", "select nothing,"))


def case_tea_test_failing():
    tea(["build"], code=1, plant=planted("models/staging/shop/_shop__models.yml",
                                         "values: [placed, packed, collected, returned]", "values: [placed]"))


def case_tea_test_warning():
    def plant(d):
        edit(d, "models/staging/shop/_shop__models.yml", "values: [placed, packed, collected, returned]",
             "values: [placed]")
        edit(d, "models/staging/shop/_shop__models.yml", "name: stg_orders_status_known",
             "name: stg_orders_status_known\n              config: {severity: warn}")
    tea(["build"], code=0, plant=plant)


def case_tea_unit_test_failing():
    tea(["build"], code=1, plant=planted("models/intermediate/_intermediate.yml", "line_pence: 600", "line_pence: 6"))


def case_tea_source_missing():
    tea(["build"], code=1, plant=lambda d: os.remove(os.path.join(d, "data/web/events.csv")))


def case_tea_start_hook_failing():
    tea(["build"], code=1, plant=planted("dbt_project.yml", "on-run-start:\n",
                                         'on-run-start:\n  - "select * from not_there"\n'))


def case_jaffle_each_command():
    both([["build"], ["seed"], ["run"], ["test"], ["snapshot"], ["build"]], project=JAFFLE, code=0)


def case_jaffle_faults():
    both([["build"]], planted("models/staging/stg_payments.sql", "from renamed", "from nothing"), project=JAFFLE, code=1)
    both([["build"]], planted("models/schema.yml", "- unique", "- accepted_values: {values: [1]}"), project=JAFFLE,
         code=1)


def case_jaffle_start_hook_failing():
    def fault(d):
        with open(os.path.join(d, "dbt_project.yml"), "a") as f:
            f.write('\non-run-start: ["select * from not_there"]\n')
    both([["build"]], fault, project=JAFFLE, code=1)


def case_jaffle_worker_killed():
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(JAFFLE, os.path.join(folder, "jaffle"))
        write(project, "models/slow.sql", "{{ config(materialized='table') }} select count(*) as n from range(60000) a, "
              "range(20000) b where a.range * b.range % 7 = 3")
        p = start([HEDDLE, "build", "--log-format", "json", "--retry-delay", "1s"], project)
        lines, killed = [], None
        for line in p.stdout:
            lines.append(line)
            if not killed and "model.jaffle_shop.slow" in line and '"to": "running"' in line:
                time.sleep(0.5)
                killed = next(pid for pid, (_, _, argv) in processes().items()
                              if pid in descendants(p.pid) and "control_socket" in " ".join(argv))
                os.kill(killed, signal.SIGKILL)
        text = "".join(lines)
        assert killed and p.wait() == 0 and "starting another" in text, text
        assert set(statuses(project).values()) <= {"success", "pass"}, statuses(project)


def generated(folder):
    """100 models and 99 tests; a seed, a snapshot and a unit test too, so that each command has work."""
    project = os.path.join(folder, "synth")
    subprocess.run([sys.executable, GENERATOR, project, "100", "--type", "postgres"], check=True,
                   stdout=subprocess.DEVNULL)
    edit(project, "profiles.yml", "dbname: postgres", "dbname: \"{{ env_var('SHOP_PG_DATABASE') }}\"")
    edit(project, "profiles.yml", "port: 5499", "port: \"{{ env_var('SHOP_PG_PORT') | as_number }}\"")
    write(project, "seeds/colours.csv", "id,name\n1,red\n2,green\n")
    write(project, "snapshots/kept.yml", "snapshots: [{name: kept, relation: ref('colours'), config: {unique_key: id, "
          "strategy: check, check_cols: all}}]\n")
    write(project, "models/doubled.sql", "select id, id * 2 as twice from {{ ref('m0001') }}")
    write(project, "models/on_doubled.sql", "select * from {{ ref('doubled') }}")
    write(project, "models/units.yml", "unit_tests: [{name: doubles, model: doubled, given: [{input: ref('m0001'), "
          "rows: [{id: 2}]}], expect: {rows: [{id: 2, twice: 4}]}}]\n")
    return project


def every_fault(d):
    """In parts of the project that do not touch each other, so one run sees them all."""
    edit(d, "models/m0020.sql", "select", "select nothing,")
    edit(d, "models/units.yml", "twice: 4", "twice: 5")
    edit(d, "seeds/colours.csv", "1,red", "1,\"red")
    write(d, "tests/fails.sql", "select id from {{ ref('m0004') }}")
    write(d, "tests/warns.sql", "{{ config(severity='warn') }} select id from {{ ref('m0007') }}")
    write(d, "models/lost.sql", "select * from {{ source('nowhere', 'gone') }}")
    write(d, "models/on_lost.sql", "select * from {{ ref('lost') }}")
    write(d, "models/sources.yml", "sources: [{name: nowhere, tables: [{name: gone, columns: [{name: id, data_tests: "
          "[not_null]}]}]}]\n")


def case_postgres_100_models():
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        both([["seed"], ["run"], ["test"], ["snapshot"], ["build"]], server=server, project=generated(folder), code=0)


def case_postgres_100_models_faults():
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        both([["build"], ["snapshot"], ["run"], ["test"]], every_fault, server=server, project=generated(folder),
             code=1)


def case_postgres_100_models_start_hook():
    def fault(d):
        edit(d, "dbt_project.yml", "profile: synth", 'profile: synth\non-run-start: ["select * from not_there"]')
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        both([["build"]], fault, server=server, project=generated(folder), code=1)


if __name__ == "__main__":
    if not os.path.isdir(TEA):
        sys.exit("no %s: name its folder by HEDDLE_SHARED" % TEA)
    cases(globals())

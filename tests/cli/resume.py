"""What a killed run leaves behind is ended before the next one starts: the process that holds the
DuckDB file, and PostgreSQL sessions that go on with queries nobody waits for. Then `heddle retry`
runs what had not succeeded, and nothing else."""
import os
import re
import shutil
import signal
import tempfile
import time

from harness import (HEDDLE, Postgres, Run, alive, cases, descendants, node_statuses, processes, shop, start,
                     wait_until, write)

ENDLESS = "select count(*) as n from range(300000000000) as t(i) where i % 7 = i % 5 - 9\n"
# Sleeps until somebody makes the table.
SLEEPS = """{{ config(materialized="table") }}
select 1 as n from pg_sleep(case when to_regclass('public.awake') is null then 600 else 0 end)
"""


class Project:
    """The shop with a slow model, and runs of it with everything they started."""

    def __init__(self, slow, env=None):
        self.slow, self.env, self.p, self.family = slow, env, None, []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="k")
        self.dir = shop(self.folder, one_thread=True)
        write(self.dir, "models/marts/slow.sql", self.slow)
        write(self.dir, "models/marts/after_slow.sql", "select * from {{ ref('slow') }}\n")
        return self

    def __exit__(self, *_):
        if self.p:
            self.kill(*(self.family or descendants(self.p.pid)), self.p.pid)
            self.p.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *words):
        """A run whose slow node is under way. worker: the process of dbt."""
        run = os.path.join(self.dir, "target/run/shop/models/")
        self.p = start([HEDDLE, *(words or ("build", "--threads", "2"))], self.dir, self.env)
        wait_until("the slow node runs", lambda: self.p.poll() is not None or (
            os.path.exists(run + "marts/slow.sql") and os.path.exists(run + "staging/stg_orders.sql")), 120)
        assert self.p.poll() is None, self.p.communicate()[0]
        self.family = descendants(self.p.pid)
        table = processes()
        self.worker = next(pid for pid in self.family if "python" in table[pid][2][0])
        return self.p

    def kill(self, *pids):
        for pid in pids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)

    def heddle(self, *words):
        return Run([HEDDLE, *words], self.dir, self.env, timeout=120)


def kept(run):
    """How many nodes the retry took over, and how many it ran."""
    found = re.search(r"continuing run \S+: (\d+) done before, (\d+) to run", run.out)
    assert found, run.out
    return int(found.group(1)), int(found.group(2))


def all_good(project):
    found = node_statuses(project.dir)
    assert set(found.values()) <= {"success", "pass", "warn", "no-op"}, found
    return found


def case_duckdb_is_free_again():
    """Nobody to cancel, nobody to kill: heddle and its guard are gone, the process of dbt is stopped."""
    with Project(ENDLESS) as project:
        p = project.start()
        os.kill(project.worker, signal.SIGSTOP)
        # The guard first: it would end the process of dbt as soon as heddle is gone.
        project.kill(*(pid for pid in project.family if pid != project.worker), p.pid)
        # The kernel wakes a stopped group that has lost its parent (SIGHUP, SIGCONT): stop it again.
        until = time.monotonic() + 0.3
        while time.monotonic() < until and alive(project.worker):
            os.kill(project.worker, signal.SIGSTOP)
        p.wait()
        write(project.dir, "models/marts/slow.sql", "select 1 as n\n")
        retry = project.heddle("retry").check(0)
        assert "waiting for process %d, left by a run that was killed (heddle build, pid %d on " % (
            project.worker, p.pid) in retry.out, retry.out
        assert "killing process %d" % project.worker in retry.out, retry.out
        assert not alive(project.worker)
        done, again = kept(retry)
        assert done > 5 and done + again == len(all_good(project)), retry.out


def case_duckdb_all_killed():
    with Project(ENDLESS) as project:
        project.start()
        project.kill(*project.family, project.p.pid)
        project.p.wait()
        write(project.dir, "models/marts/slow.sql", "select 1 as n\n")
        retry = project.heddle("retry").check(0)
        assert "killing" not in retry.out, retry.out
        done, again = kept(retry)
        assert done > 5 and done + again == len(all_good(project)), retry.out
        # It is done: there is nothing left to continue.
        assert "nothing to do" in project.heddle("retry").check(0).out


def case_unknown_outcome_stays_unknown():
    """A node that appends was cut off: no retry runs it by itself, however often; --rerun-unknown does."""
    with Project("{{ config(materialized='incremental', incremental_strategy='append') }}\n" + ENDLESS) as project:
        project.start()
        project.kill(*project.family, project.p.pid)
        project.p.wait()
        write(project.dir, "models/marts/slow.sql",
              "{{ config(materialized='incremental', incremental_strategy='append') }}\nselect 1 as n\n")
        for _ in range(2):
            retry = project.heddle("retry").check(1)
            found = node_statuses(project.dir)
            assert "outcome unknown: its rows may be there already, and it appends" in retry.out, retry.out
            assert found["model.shop.slow"] == "error" and found["model.shop.after_slow"] == "skipped", found
        project.heddle("retry", "--rerun-unknown").check(0)
        all_good(project)


def case_killed_after_its_last_node():
    """It had only to tell of its success: a run that resumes it does nothing again."""
    with Project("select 1 as n\n") as project:
        write(project.dir, "heddle.yml", "on_success: {command: 'touch told; sleep 30', timeout: 30s}\n")
        p = project.p = start([HEDDLE, "build"], project.dir)
        wait_until("the run tells of its success", lambda: os.path.exists(os.path.join(project.dir, "told")), 120)
        project.kill(*descendants(p.pid), p.pid)
        p.wait()
        os.unlink(os.path.join(project.dir, "heddle.yml"))
        done, again = kept(project.heddle("build", "--resume").check(0))
        assert again == 0 and done == len(all_good(project)), (done, again)
        # Then it is over, and the next one starts anew.
        assert "continuing" not in project.heddle("build", "--resume").check(0).out


def case_limits_of_time_and_of_nothing():
    with Project("select 1 as n\n") as project:
        nothing = ("build", "--select", "no_such_model")
        assert "empty" in project.heddle(*nothing).check(0).out
        assert "the selection is empty" in project.heddle(*nothing, "--fail-if-empty").check(2).out
        assert "expected a time of day like 06:00" in project.heddle("build", "--deadline", "25:00").check(2).out
        # It comes while dbt starts; a second before now would mean tomorrow.
        soon = time.strftime("%H:%M:%S", time.localtime(time.time() + 1))
        late = project.heddle("run", "--select", "slow", "days", "--deadline", soon).check(1)
        assert set(node_statuses(project.dir).values()) == {"skipped"}, late.out
        assert "stopped by the time limit" in late.out, late.out
        past = time.strftime("%H:%M:%S", time.localtime(time.time() - 1))
        project.heddle("retry", "--deadline", past, "--max-time", "1h").check(0)
        all_good(project)


def case_postgres_sessions_are_ended():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    asleep = "select application_name from pg_stat_activity where query like '%pg_sleep%' and state = 'active'" \
        " and pid <> pg_backend_pid()"
    with Postgres() as server, Project(SLEEPS, server.env()) as project:
        # Everything is killed: the server goes on with the query, and with its locks.
        project.start()
        wait_until("the database works on it", lambda: server.sql(asleep))
        project.kill(*project.family, project.p.pid)
        project.p.communicate()
        assert re.fullmatch(r"dbt heddle:[0-9a-f]{12}", server.sql(asleep)[0][0]), server.sql(asleep)
        server.sql("create table awake()")
        retry = project.heddle("retry").check(0)
        assert "ended 1 session that a killed process had left in the database" in retry.out, retry.out
        assert not server.sql(asleep)
        done, again = kept(retry)
        assert done > 5 and done + again == len(all_good(project)), retry.out

        # Only dbt's process is killed: the one that takes its place ends its sessions.
        server.sql("drop table awake")
        shutil.rmtree(os.path.join(project.dir, "target/run"))
        p = project.start("build", "--threads", "2", "--retry-delay", "1s")
        wait_until("the database works on it", lambda: server.sql(asleep))
        server.sql("create table awake()")
        project.kill(project.worker)
        out, _ = p.communicate(timeout=60)
        assert p.returncode == 0, out
        assert re.search(r"ended \d sessions? that a killed process", out), out
        assert not server.sql(asleep)
        all_good(project)


if __name__ == "__main__":
    cases(globals())

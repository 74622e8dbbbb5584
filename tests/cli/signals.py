"""Signals and deaths in mid-run, with real queries under way: exit codes, how long it takes, what is
left behind (results that say the truth, no process, no query, no lock)."""
import os
import pty
import select
import shutil
import signal
import tempfile
import time

from harness import (HEDDLE, Postgres, Run, alive, cases, clean_env, descendants, node_statuses, shop, start,
                     wait_until, write)

# A query that runs for ever, on one core; a node that naps, out of reach of any cancel; on PostgreSQL.
ENDLESS = "select count(*) as n from range(300000000000) as t(i) where i % 7 = i % 5 - 9\n"
SLEEPS = "select 1 as n from pg_sleep(600)\n"
NAP = """
def model(dbt, session):
    import time
    dbt.config(materialized="table")
    time.sleep(%s)
    return session.sql("select 1 as n")
"""
CHAIN = 8
NODES = 52 + 1 + CHAIN


class Project:
    """The shop, with a slow model that a chain hangs on, so that it is started first."""

    def __init__(self, slow):
        self.started = []
        self.slow, self.suffix = slow, "py" if "def model" in slow else "sql"

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="s")
        d = shop(self.folder, one_thread=True)
        write(d, "models/marts/slow." + self.suffix, self.slow)
        for i in range(CHAIN):
            write(d, "models/marts/after_%d.sql" % i, "select * from {{ ref('%s') }}\n" % (
                "after_%d" % (i - 1) if i else "slow"))
        return self

    def under_way(self):
        """The slow node runs, and others have ended before."""
        run = os.path.join(self.dir, "target/run/shop/models/")
        return os.path.exists(run + "marts/slow." + self.suffix) and os.path.exists(run + "staging/stg_orders.sql")

    @property
    def dir(self):
        return os.path.join(self.folder, "shop")

    def __exit__(self, *_):
        for p in self.started:             # of a test that failed
            if p.poll() is None:
                os.killpg(p.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *words, env=None):
        """A run whose slow node is under way, and the worker's processes."""
        return self.start_argv([HEDDLE, *(words or ("build", "--threads", "2"))], env)

    def start_argv(self, argv, env=None):
        p = start(argv, self.dir, env)
        self.started.append(p)
        wait_until("the slow node runs", lambda: self.under_way() or p.poll() is not None, 60)
        time.sleep(0.3)
        assert p.poll() is None, "ended early: %s\n%s" % (p.returncode, p.communicate()[0])
        p.family = descendants(p.pid)
        assert p.family, "no worker"
        return p


def end(p, seconds=8):
    """Waits for the end. Exit code, text, seconds."""
    since = time.monotonic()
    try:
        out, _ = p.communicate(timeout=seconds + 10)
    except Exception:
        for pid in [p.pid, *p.family]:
            alive(pid) and os.kill(pid, signal.SIGKILL)
        raise AssertionError("still there %s s after the signal" % (seconds + 10))
    took = time.monotonic() - since
    assert took < seconds, "took %.1f s" % took
    return p.returncode, out, took


def all_gone(p, seconds=5):
    wait_until("all processes of the run are gone: %s" % p.family,
               lambda: not any(alive(pid) for pid in p.family), seconds)


def story(project):
    """Statuses after a stop: the slow node did not succeed, early ones did, and none is missing."""
    found = node_statuses(project.dir)
    assert found["model.shop.slow"] in ("error", "skipped"), found["model.shop.slow"]
    assert all(found["model.shop.after_%d" % i] == "skipped" for i in range(CHAIN)), found
    assert found["seed.shop.raw_orders"] == "success", found
    assert len(found) == NODES, sorted(found)


def stopped_by(signo, code):
    with Project(ENDLESS) as project:
        p = project.start()
        p.send_signal(signo)
        got, out, _ = end(p)
        assert got == code, (got, out)
        all_gone(p)
        story(project)
        # The lock is free and the database can be opened: the next run starts.
        Run([HEDDLE, "run", "--select", "stg_orders"], project.dir, timeout=60).check(0)


def case_sigint():
    stopped_by(signal.SIGINT, 130)


def case_sigterm():
    stopped_by(signal.SIGTERM, 143)


def case_sighup():
    stopped_by(signal.SIGHUP, 129)


def case_parent_killed():
    """A scheduler that was killed cannot stop what it had started. A script's `&` is meant to live on."""
    run = " ".join([HEDDLE, "build", "--threads", "2"])
    with Project(ENDLESS) as project:
        for script, lives in ((run + " & wait", True), (run + "; true", False)):
            shutil.rmtree(os.path.join(project.dir, "target"), ignore_errors=True)
            p = project.start_argv(["sh", "-c", script])
            os.kill(p.pid, signal.SIGKILL)
            heddle = p.family[0]
            if lives:
                time.sleep(1)
                assert alive(heddle), p.communicate()[0]
                os.kill(heddle, signal.SIGTERM)
            out, _ = p.communicate(timeout=20)
            all_gone(p)
            assert ("SIGTERM" if lives else "SIGHUP") in out, out
            story(project)


def case_signal_while_dbt_starts():
    with Project(ENDLESS) as project:
        for signo, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            p = start([HEDDLE, "build"], project.dir)
            p.family = wait_until("the worker is there", lambda: descendants(p.pid))
            time.sleep(0.4)
            p.send_signal(signo)
            got, out, _ = end(p)
            assert got == code, (got, out)
            all_gone(p)


def case_stuck_node_is_left_behind():
    """A node that no cancel reaches does not hold up the end past the grace period."""
    with Project(NAP % 60) as project:
        p = project.start("build", "--threads", "2", "--grace", "2s")
        p.send_signal(signal.SIGTERM)
        got, out, _ = end(p, 8)
        assert got == 143, (got, out)
        all_gone(p)
        story(project)


class Terminal:
    """heddle with a terminal of its own, as from a shell: ^C reaches the whole foreground group."""

    def __init__(self, words, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(HEDDLE, [HEDDLE, *words], clean_env(TERM="xterm", COLUMNS="100"))
        self.out = b""
        self.code = None

    def poll(self):
        if self.code is None:
            while select.select([self.fd], [], [], 0)[0]:
                try:
                    got = os.read(self.fd, 65536)
                except OSError:
                    break
                if not got:
                    break
                self.out += got
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def interrupt(self):
        os.write(self.fd, b"\x03")

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def on_terminal(slow, act, code, slow_status):
    with Project(slow) as project:
        t = Terminal(["build", "--threads", "2"], project.dir)
        try:
            wait_until("the slow node runs", lambda: t.poll() is not None or project.under_way(), 60)
            time.sleep(0.3)
            assert t.poll() is None, t.out.decode(errors="replace")
            act(t)
            wait_until("heddle ends", lambda: t.poll() is not None, 15)
        finally:
            t.kill()
        text = t.out.decode(errors="replace")
        assert t.code == code, (t.code, text)
        found = node_statuses(project.dir)
        assert found["model.shop.slow"] == slow_status, (found, text)
        assert all(found["model.shop.after_%d" % i] == "skipped" for i in range(CHAIN)), found
        assert len(found) == NODES, sorted(found)


def case_terminal_interrupt_once():
    """Nothing new starts; what runs may end, and does so well."""
    on_terminal(NAP % 3, lambda t: t.interrupt(), 130, "success")


def case_terminal_interrupt_twice():
    def act(t):
        t.interrupt()
        time.sleep(0.5)
        assert t.poll() is None, "ended at the first ^C"
        t.interrupt()
    on_terminal(ENDLESS, act, 130, "error")


def case_worker_killed():
    """kill -9 of the worker in mid-run: a new one is started and the run ends well."""
    with Project(NAP % 4) as project:
        p = project.start("build", "--threads", "2", "--retry-delay", "1s")
        os.kill(p.family[0], signal.SIGKILL)
        got, out, _ = end(p, 60)
        found = node_statuses(project.dir)
        assert got == 0, (got, out)
        assert set(found.values()) <= {"success", "pass", "warn", "no-op"}, found
        assert len(found) == NODES, sorted(found)


def case_heddle_killed():
    """kill -9 of heddle: the worker cancels, and goes."""
    with Project(ENDLESS) as project:
        p = project.start()
        p.kill()
        p.communicate(timeout=20)
        all_gone(p, 15)
        Run([HEDDLE, "run", "--select", "stg_orders"], project.dir, timeout=60).check(0)


def case_two_runs_at_once():
    with Project(ENDLESS) as project:
        p = project.start()
        try:
            second = Run([HEDDLE, "build", "--select", "stg_orders"], project.dir, timeout=30).check(2)
            assert str(p.pid) in second.out, second.out
        finally:
            p.send_signal(signal.SIGTERM)
            end(p)


def case_postgres_has_no_query_left():
    if not Postgres.binaries():
        return "no PostgreSQL here"
    mine = "select count(*) from pg_stat_activity where datname = 'postgres' and pid <> pg_backend_pid() and query <> ''"
    with Postgres() as server:
        for signo, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with Project(SLEEPS) as project:
                p = project.start(env=server.env())
                wait_until("the database works on it", lambda: server.sql(
                    "select count(*) from pg_stat_activity where query like '%pg_sleep%' and state = 'active'"
                    " and pid <> pg_backend_pid()")[0][0] == "1")
                p.send_signal(signo)
                got, out, _ = end(p)
                assert got == code, (got, out)
                all_gone(p)
                wait_until("no connection left", lambda: server.sql(mine)[0][0] == "0", 5)
                story(project)


if __name__ == "__main__":
    cases(globals())

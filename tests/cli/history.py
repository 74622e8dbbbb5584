"""The history of real runs: what it holds after good, failed, killed and unrecorded ones, and the
page made of it. A record that cannot be kept never changes a run."""
import csv
import io
import json
import os
import shutil
import signal
import stat
import tempfile

from harness import PROGRAM, Run, alive, cases, clean_env, edit, shop, start, wait_until

SLOW = "\nunion all select cast(count(*) as date) from range(300000000000) as t(i) where i % 7 = i % 5 - 9\n"


class Project:
    """A copy of the shop, with a place for its history."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="h")
        self.dir = shop(self.folder)
        self.state = os.path.join(self.folder, "state")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, **env):
        return Run([PROGRAM, *words], self.dir, clean_env(XDG_STATE_HOME=self.state, **env))

    def history(self, *words):
        return json.loads(self.run("history", "--output", "json", *words).check(0).out)

    @property
    def file(self):
        return os.path.join(self.state, "heddle", "shop.db")


def page_data(page):
    with open(page) as f:
        text = f.read()
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def case_good_and_failed_runs():
    with Project() as p:
        p.run("build").check(0)
        edit(p.dir, "models/staging/stg_payments.sql", "select", "select 'hunter2secret' as s, no_such_column,")
        p.run("build", "--select", "stg_payments+", "--exclude", "resource_type:unit_test", "--retries", "0",
              DBT_ENV_SECRET_X="hunter2secret").check(1)
        assert stat.S_IMODE(os.stat(p.file).st_mode) == 0o600, oct(os.stat(p.file).st_mode)
        failed, good = p.history()
        assert (good["command"], good["state"], good["exit_code"], good["failed"]) == ("build", "good", 0, 0), good
        assert good["ok"] + good["warn"] == good["tasks"] + 3 and good["selection"] is None, good    # three hooks
        assert good["adapter"] == "duckdb" and good["adapter_version"] and good["dbt_version"], good
        assert (failed["command"], failed["state"], failed["target"]) == ("build", "failed", "dev"), failed
        assert failed["selection"] == "--select stg_payments+ --exclude resource_type:unit_test", failed
        assert failed["failed"] == 1 and failed["skipped"] > 3, failed
        tries = p.history("--node", "stg_payments")
        assert len(tries) == 2 and tries[0]["class"] == "database" and tries[0]["status"] == "error", tries
        assert "no_such_column" in tries[0]["message"] and "no_such_column" in tries[0]["sql"], tries
        assert "hunter2secret" not in json.dumps(tries) and "*****" in tries[0]["sql"], tries
        with open(p.file, "rb") as f:
            assert b"hunter2secret" not in f.read()
        slowest = p.history("--slowest", "--limit", "0")
        assert {r["unique_id"] for r in slowest} >= {"seed.shop.raw_orders", "seed.shop.raw_customers"}, slowest
        rows = list(csv.reader(io.StringIO(p.run("history", "--output", "csv").check(0).out)))
        assert len(rows) == 3 and rows[0][:2] == ["run", "started"] and rows[1][2] == "build", rows
        assert p.run("report").check(0).out.strip() == "target/heddle_report.html"
        page = os.path.join(p.dir, "target", "heddle_report.html")
        assert stat.S_IMODE(os.stat(page).st_mode) == 0o600
        data = page_data(page)
        assert data["run"]["id"] == failed["run"] and len(data["runs"]) == 2 and data["last_good"]["id"] == good["run"]
        attempts = [dict(zip(data["keys"], t)) for t in data["tasks"]]
        cause = [a for a in attempts if a["status"] == "error"]
        assert len(cause) == 1 and "no_such_column" in cause[0]["sql"], cause
        held = [a for a in attempts if a["status"] == "skipped"]
        assert len(held) == failed["skipped"] and {a["waited"] for a in held} == {cause[0]["node"]}, held
        # what is continued is a run of its own, of the nodes that ran
        edit(p.dir, "models/staging/stg_payments.sql", ", no_such_column,", ",")
        p.run("retry", DBT_ENV_SECRET_X="hunter2secret").check(0)
        again = p.history("--limit", "1")[0]
        assert again["resumes"] == failed["run"] and again["state"] == "good", again
        assert again["ok"] + again["warn"] == failed["failed"] + failed["skipped"] + 3, (again, failed)
        assert p.history("--flaky")[0]["unique_id"] == "model.shop.stg_payments", p.history("--flaky")
        # and none of it is in the target folder
        shutil.rmtree(os.path.join(p.dir, "target"))
        assert len(p.history()) == 3


def case_a_killed_run_is_lost_but_not_empty():
    with Project() as p:
        with open(os.path.join(p.dir, "models/semantic/days.sql"), "a") as f:
            f.write(SLOW)
        child = start([PROGRAM, "build", "--threads", "2"], p.dir, clean_env(XDG_STATE_HOME=p.state))
        try:
            wait_until("some tasks are in the record", lambda: os.path.exists(p.file) and
                       [r for r in p.history() if r["ok"] > 3], 90)
            assert p.history()[0]["state"] == "running"
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            wait_until("the worker is gone", lambda: not alive(child.pid), 30)
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        lost = p.history()[0]
        assert lost["state"] == "lost" and lost["exit_code"] is None and lost["ok"] > 3, lost
        assert p.run("report", "-o", "page.html").check(0).out.strip() == "page.html"
        assert page_data(os.path.join(p.dir, "page.html"))["run"]["state"] == "lost"


def case_a_record_that_cannot_be_kept_changes_nothing():
    with Project() as p:
        junk = os.path.join(p.folder, "junk.db")
        with open(junk, "w") as f:
            f.write("once upon a time, long before there were databases\n" * 20)
        done = p.run("seed", "--history", junk).check(0)
        assert "history: %s" % junk in done.out and "not a database" in done.out, done.out
        assert done.out.count("history:") == 1, done.out
        with open(junk) as f:
            assert f.read().startswith("once upon a time")
        assert not os.path.exists(p.file)
        assert "history" not in p.run("seed", HEDDLE_HISTORY="").check(0).out
        assert not os.path.exists(p.state)
        p.run("seed", "--dry-run").check(0)
        assert not os.path.exists(p.state)
        none = p.run("history")
        assert none.code == 2 and "there is no history yet" in none.out, none.out


cases(globals())

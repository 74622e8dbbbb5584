"""A secret in the environment, in vars, in SQL and in a database's error text is in no file that
heddle writes, not in what it prints, and in no argument list of a process it starts."""
import os
import shutil
import tempfile
import threading

from harness import HEDDLE, SHOP, Run, cases, clean_env, copy_project, edit, processes, read_results

SECRET = "s3cr3t-0f-th3-l00m-%d" % os.getpid()  # of this run alone: others may run beside it
# dbt's own: it writes the SQL it ran, and may write vars into what it parsed.
DBTS_FILES = ("target/compiled/", "target/run/", "target/manifest.json", "target/partial_parse.msgpack",
              "target/semantic_manifest.json", "target/graph.gpickle", "logs/dbt.log", "target/graph_summary.json")


def planted(folder):
    d = copy_project(SHOP, os.path.join(folder, "shop"))
    # In SQL that works, in SQL the database refuses with the text in its message, and in a test.
    edit(d, "models/staging/stg_orders.sql", "select", "select '{{ var(\"token\") }}' as token,")
    edit(d, "models/semantic/days.sql", "select 0 as n", "select cast('{{ var(\"token\") }}' as integer) as n")
    edit(d, "models/marts/finance/monthly_revenue.sql", "select", "select \"{{ var('token') }}\",")
    return d


def files_with(folder, needle):
    found = []
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                if needle.encode() in f.read():
                    found.append(os.path.relpath(path, folder))
    return found


class Watch(threading.Thread):
    """Collects the argument lists of every process that comes and goes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.stop = {}, threading.Event()
        self.start()

    def run(self):
        while not self.stop.wait(0.02):
            for pid, (_, _, argv) in processes().items():
                self.seen[pid, " ".join(argv)] = True

    def holders(self, needle):
        self.stop.set()
        self.join()
        return [argv for _, argv in self.seen if needle in argv]


def check(*words):
    folder = tempfile.mkdtemp(prefix="x")
    try:
        d = planted(folder)
        watch = Watch()
        done = Run([HEDDLE, *words, "--vars", "{token: %s}" % SECRET], d, clean_env(
            DBT_ENV_SECRET_TOKEN=SECRET, XDG_STATE_HOME=os.path.join(folder, "state"))).check(1)
        # What the user typed is in heddle's own argument list; no process it starts has it.
        holders = [argv for argv in watch.holders(SECRET) if not argv.startswith(HEDDLE + " ")]
        assert not holders, holders
        found = {r["unique_id"]: r for r in read_results(d)["results"]}
        for name in ("model.shop.days", "model.shop.monthly_revenue"):
            assert found[name]["status"] == "error" and "Error" in found[name]["message"], found[name]
        assert found["model.shop.stg_orders"]["status"] == "success"
        everywhere = files_with(folder, SECRET)
        assert everywhere, "the secret is nowhere: this test would see nothing"
        ours = [f for f in everywhere if not f[len("shop/"):].startswith(DBTS_FILES)
                and not f.endswith((".duckdb", ".duckdb.wal"))]
        assert not ours, ours
        assert SECRET not in done.out, done.out
        assert "*****" in done.out, done.out
    finally:
        shutil.rmtree(folder)


def case_in_vars():
    check("build")


def case_in_json_log():
    check("build", "--log-format", "json")


def case_profile_error():
    """dbt's message about a profile that does not work may hold it too."""
    folder = tempfile.mkdtemp(prefix="x")
    try:
        d = copy_project(SHOP, os.path.join(folder, "shop"))
        edit(d, "profiles.yml", "path: ", "no_such_setting: \"{{ env_var('DBT_ENV_SECRET_TOKEN') }}\"\n      path: ")
        edit(d, "profiles.yml", "type: duckdb", "type: \"{{ env_var('DBT_ENV_SECRET_TOKEN') }}\"")
        done = Run([HEDDLE, "build"], d, clean_env(DBT_ENV_SECRET_TOKEN=SECRET)).check(2)
        assert SECRET not in done.out, done.out
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    cases(globals())

"""Interpreters, projects and folders that cannot work: heddle says what is wrong in words that
help, ends with 2 and leaves nothing half written; strange files in the project do no harm."""
import os
import resource
import shutil
import subprocess
import tempfile

from harness import DBT, HEDDLE, PYTHON, Run, cases, clean_env, read_results, shop, start, statuses, write


class Project:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="b")
        return shop(self.folder)

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


def without(env, *names):
    return {k: v for k, v in env.items() if k not in names}


def refused(project, words, env=None, *needles):
    done = Run([HEDDLE, *words], project, env, timeout=60).check(2)
    assert "heddle: error: " in done.out, done.out
    for needle in needles:
        assert needle in done.out, "no %r in:\n%s" % (needle, done.out)
    return done


def case_no_python():
    with Project() as project:
        env = without(clean_env(PATH="/nonexistent"), "HEDDLE_PYTHON")
        refused(project, ["build"], env, "dbt")
        refused(project, ["build"], clean_env(HEDDLE_PYTHON="/nonexistent/python"), "/nonexistent/python")
        refused(project, ["build", "--python", "/nonexistent/python"], None, "/nonexistent/python")


def case_python_without_dbt():
    with Project() as project:
        bare = os.path.join(project, "..", "bare")
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", bare], check=True)
        refused(project, ["build"], clean_env(HEDDLE_PYTHON=bare + "/bin/python"), "dbt", "bare/bin/python")


def case_not_a_project():
    with tempfile.TemporaryDirectory() as folder:
        refused(folder, ["build", "--profiles-dir", "."], None, "dbt_project.yml")


def case_unknown_profile_and_target():
    with Project() as project:
        refused(project, ["build", "--profile", "no_such_profile"], None, "no_such_profile")
        refused(project, ["build", "--target", "no_such_target"], None, "no_such_target", "postgres")


def case_project_that_does_not_parse():
    """dbt's own message is shown whole."""
    with Project() as project:
        write(project, "models/marts/lost.sql", "select * from {{ ref('nobody_knows_it') }}\n")
        theirs = Run([DBT, "build"], project).check(2)
        ours = refused(project, ["build"], None, "nobody_knows_it")
        message = theirs.out[theirs.out.index("Compilation Error"):]
        for line in message.splitlines():
            assert line.strip() in ours.out, "%r is missing in:\n%s" % (line, ours.out)
        write(project, "models/marts/lost.sql", "select {{ 1 + }}\n")
        theirs = Run([DBT, "build"], project).check(2)
        ours = refused(project, ["build"])
        for line in theirs.out[theirs.out.index("Compilation Error"):].splitlines():
            assert line.strip() in ours.out, "%r is missing in:\n%s" % (line, ours.out)


def in_small_target(project, size, flags, words):
    """Runs with a file system of its own mounted at target/; None when that is not allowed here."""
    if os.getuid() != 0 or not shutil.which("unshare"):
        return None
    os.makedirs(os.path.join(project, "target"), exist_ok=True)
    mount = 'mount -t tmpfs -o size=%s tmpfs target && cp -r before/. target/ && %s || exit 99; "$@"; code=$?; ' \
            'mkdir after; cp -r target/. after/; exit $code' % (size, flags)
    done = Run(["unshare", "-m", "sh", "-c", mount, "sh", HEDDLE, *words], project, timeout=90)
    return None if done.code in (1, 99) and "permitted" in done.out else done


def case_read_only_target():
    with Project() as project:
        os.makedirs(os.path.join(project, "before"))
        done = in_small_target(project, "1m", "mount -o remount,ro target", ["build"])
        if done is None:
            os.makedirs(os.path.join(project, "target"), exist_ok=True)
            os.chmod(os.path.join(project, "target"), 0o555)
            if os.access(os.path.join(project, "target"), os.W_OK):
                return "a superuser without mounts writes everywhere"
            done = Run([HEDDLE, "build"], project)
        done.check(2)
        assert "heddle: error: " in done.out and "target" in done.out, done.out


def case_disk_full():
    """A node fills the disk: the run ends with an error that says so, and the old results stay whole."""
    with Project() as project:
        Run([HEDDLE, "build", "--select", "days"], project).check(0)
        os.rename(os.path.join(project, "target"), os.path.join(project, "before"))
        write(project, "models/marts/filler.py", """
def model(dbt, session):
    dbt.config(materialized="table")
    dbt.ref("orders")
    with open("target/filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    return session.sql("select 1 as n")
""")
        done = in_small_target(project, "12m", "true", ["build", "--select", "+filler"])
        if done is None:
            return "no mounts here"
        assert done.code in (1, 2), (done.code, done.out)
        assert "No space left" in done.out, done.out
        after = os.path.join(project, "after")
        left = [f for f in os.listdir(after) if "run_results" in f]
        assert left == ["run_results.json"], left
        assert list(k for k in statuses(project, "after") if "operation" not in k) == ["model.shop.days"]


def case_record_at_its_limit():
    """Nothing more can be written in mid-run (a limit, so no mount is needed): what is not on record does not
    start, and `retry` goes on from what is."""
    if not hasattr(resource, "prlimit"):
        return "limits of another process cannot be set here"
    with Project() as project:
        Run([HEDDLE, "build", "--select", "days"], project).check(0)
        before = read_results(project)
        p = start([HEDDLE, "build", "--threads", "1"], project)
        lines, limited = [], False
        for line in p.stdout:
            lines.append(line)
            if " OK " in line and not limited:
                limited = True
                resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (1, 1))
        out = "".join(lines)
        assert p.wait() == 2, (p.returncode, out)
        assert "cannot write the journal: File too large" in out, out
        assert read_results(project) == before
        assert [f for f in os.listdir(project + "/target") if "run_results" in f] == ["run_results.json"]
        done = Run([HEDDLE, "retry"], project).check(0)
        assert set(statuses(project).values()) <= {"success", "pass", "warn", "no-op"}, done.out


def case_strange_files_in_the_project():
    """A queue.py that would break Python's own, and a .venv that belongs to somebody else."""
    with Project() as project:
        for name in ("queue.py", "json.py", "dbt.py", "duckdb.py"):
            write(project, name, "open('RAN-%s', 'w').close(); raise SystemExit('harm')\n" % name)
        write(project, ".venv/bin/python", "#!/bin/sh\ntouch RAN-venv\nexit 1\n")
        os.chmod(os.path.join(project, ".venv/bin/python"), 0o755)
        Run([HEDDLE, "run", "--select", "days"], project).check(0)
        if os.getuid() == 0:
            for where, names, files in os.walk(os.path.join(project, ".venv")):
                for name in [where, *(os.path.join(where, f) for f in files)]:
                    os.chown(name, 65534, 65534)
            env = without(clean_env(PATH="/usr/bin:/bin" if not os.path.exists("/usr/bin/dbt") else "/bin"),
                          "HEDDLE_PYTHON")
            refused(project, ["run", "--select", "days"], env, "dbt")
        ran = [f for f in os.listdir(project) if f.startswith("RAN-")]
        assert not ran, ran


if __name__ == "__main__":
    cases(globals())

"""What the whole-program tests in Python share: copies of a project, runs of dbt and heddle in a
clean environment, run_results.json, a PostgreSQL of our own, and the report tests/run.sh counts.

A test is a script: `cases(globals())` runs every function named case_*, in order; a case fails by
an exception, and says by returning text why it was left out. tests/run.sh gives $HEDDLE, $ROOT and
$HEDDLE_TEST_PYTHON. With TEST_PROGRAM another program stands in heddle's place: with dbt there,
what compares the two must find nothing.
"""
import fcntl
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEDDLE = os.environ.get("HEDDLE") or os.path.join(ROOT, "build", "heddle")
SHOP = os.path.join(ROOT, "samples", "shop")
PYTHON = os.environ.get("HEDDLE_TEST_PYTHON") or sys.executable
DBT = os.path.join(os.path.dirname(PYTHON), "dbt")
PROGRAM = os.environ.get("TEST_PROGRAM") or HEDDLE


def clean_env(**more):
    """The environment of every run: nothing of the caller's dbt, no colours, no telemetry."""
    keep = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    env = {k: os.environ[k] for k in keep if k in os.environ}
    env.update(HEDDLE_PYTHON=PYTHON, DBT_SEND_ANONYMOUS_USAGE_STATS="false", NO_COLOR="1", DBT_USE_COLORS="false",
               XDG_STATE_HOME=os.path.join(env.get("TMPDIR", "/tmp"), "state"))
    env.update({k: str(v) for k, v in more.items()})
    return env


class Run:
    """A finished program: code, out (both streams together), seconds."""

    def __init__(self, argv, cwd, env=None, timeout=120):
        started = time.monotonic()
        self.argv = argv
        p = start(argv, cwd, env)
        try:
            self.out, _ = p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            self.out, _ = p.communicate()
            self.out += "\n(killed after %s s)" % timeout
        self.code = p.returncode
        self.seconds = time.monotonic() - started


    def check(self, code):
        assert self.code == code, "%s: exit code %s, not %s\n%s" % (" ".join(self.argv), self.code, code,
                                                                    self.out[-4000:])
        return self


def start(argv, cwd, env=None, **kw):
    return subprocess.Popen(argv, cwd=cwd, env=env or clean_env(), stdin=subprocess.DEVNULL, text=True,
                            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True, **kw)


def copy_project(source, to):
    shutil.copytree(source, to, ignore=shutil.ignore_patterns(
        "target", "logs", "manifests", "*.duckdb", "*.duckdb.wal", ".user.yml", ".venv", "dbt_packages"))
    return to


def parsed(project):
    """Puts into a fresh copy of the sample what dbt's parsing leaves, as where a command ran before: a
    third of a short run's time. It is made once in the build folder for each profiles.yml; what is
    changed in the copy, or since, dbt sees by its checksums."""
    folder = os.path.join(os.path.dirname(HEDDLE), "test-parsed")
    with open(os.path.join(project, "profiles.yml")) as f:        # seeds keep where they were parsed
        key = "\n".join((f.read(), folder, PYTHON))
    made = os.path.join(folder, hashlib.sha1(key.encode()).hexdigest()[:12])
    kept = os.path.join(made, "target/partial_parse.msgpack")
    os.makedirs(folder, exist_ok=True)
    with open(made + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(kept):
            shutil.rmtree(made, ignore_errors=True)
            copy_project(project, made)
            Run([DBT, "-q", "parse"], made).check(0)
    os.makedirs(os.path.join(project, "target"))
    shutil.copy(kept, os.path.join(project, "target"))
    return project


def shop(folder, one_thread=False):
    """A copy of the sample, parsed, in that folder. one_thread: a query of DuckDB takes one processor."""
    project = copy_project(SHOP, os.path.join(folder, "shop"))
    if one_thread:
        edit(project, "profiles.yml", "schema: main", "schema: main\n      settings: {threads: 1}")
    return parsed(project)


def edit(project, path, old, new):
    """Replaces text that must be there, so that a fault is planted or the test fails."""
    path = os.path.join(project, path)
    with open(path) as f:
        text = f.read()
    assert old in text, "%s does not hold %r" % (path, old)
    with open(path, "w") as f:
        f.write(text.replace(old, new, 1))


def write(project, path, text):
    path = os.path.join(project, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def read_results(project, target="target"):
    with open(os.path.join(project, target, "run_results.json")) as f:
        return json.load(f)


def statuses(project, target="target"):
    return {r["unique_id"]: r["status"] for r in read_results(project, target)["results"]}


def node_statuses(project):
    """Without hooks."""
    return {k: v for k, v in statuses(project).items() if not k.startswith("operation.")}


def duck(path, sql):
    """Rows of a query on a DuckDB file, which is open for that alone. The rows are lists."""
    import duckdb
    with duckdb.connect(path) as database:
        return [list(row) for row in database.execute(sql).fetchall()]


def wait_until(what, test, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited %s s in vain for: %s" % (seconds, what))


def processes():
    """{pid: (parent, state, argv)} of this machine; Linux only, else empty."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/stat") as f:
                rest = f.read().rpartition(")")[2].split()
            with open(path + "/cmdline", "rb") as f:
                argv = f.read().decode(errors="replace").split("\0")[:-1]
            found[int(os.path.basename(path))] = (int(rest[1]), rest[0], argv)
        except OSError:
            pass
    return found


def descendants(pid):
    table, family = processes(), [pid]
    for one in family:
        family += [p for p, (parent, _, _) in table.items() if parent == one]
    return family[1:]


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Postgres:
    """A server in a temporary folder, on a port of its own; ends with the `with` block."""

    @staticmethod
    def binaries():
        found = shutil.which("initdb")
        folders = [os.path.dirname(os.path.realpath(found))] if found else []
        folders += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + ["/usr/pgsql-15/bin"]
        for folder in folders:
            if all(os.access(os.path.join(folder, p), os.X_OK) for p in ("initdb", "postgres", "pg_ctl", "psql")):
                return folder
        return None

    def __init__(self, options=""):
        self.bin = self.binaries()
        self.options = options
        self.dir = None

    def command(self, name, *args):
        argv = [os.path.join(self.bin, name), *args]
        if os.getuid() == 0:  # the server refuses to run as root
            argv = ["runuser", "-u", self.user, "--", *argv]
        return argv

    def __enter__(self):
        self.user = "postgres"
        if os.getuid() == 0 and subprocess.run(["id", "postgres"], stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL).returncode:
            self.user = "nobody"
        # Not under $TMPDIR: the server's user must reach it, and socket paths are short.
        self.dir = tempfile.mkdtemp(prefix="heddle-pg-", dir="/tmp")
        if os.getuid() == 0:
            shutil.chown(self.dir, self.user)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        data = os.path.join(self.dir, "data")
        self.quietly("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        # Stacked views over tables without statistics look costly: jit would take seconds for each.
        settings = "-c listen_addresses=127.0.0.1 -c fsync=off -c jit=off"
        self.quietly("pg_ctl", "-D", data, "-w", "-l", os.path.join(self.dir, "log"), "-o",
                     "-p %d -k %s %s %s" % (self.port, self.dir, settings, self.options), "start")
        return self

    def quietly(self, *args):
        done = subprocess.run(self.command(*args), cwd="/", text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE if args[0] == "initdb" else subprocess.DEVNULL,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (args[0], done.stdout))

    def __exit__(self, *_):
        subprocess.run(self.command("pg_ctl", "-D", os.path.join(self.dir, "data"), "-m", "immediate", "-w", "stop"),
                       cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def sql(self, text, database="postgres"):
        """Rows as lists of text."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
                               "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-c", text],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def env(self, database="postgres"):
        return clean_env(SHOP_TARGET="postgres", SHOP_PG_PORT=self.port, SHOP_PG_DATABASE=database)


def cases(namespace, only=None):
    """Runs case_* functions; prints what tests/run.sh counts; ends the program."""
    # tests/run.sh ends a test that hangs by SIGTERM: leave by an exception, so servers stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    only = only or sys.argv[1:]
    failed = 0
    for name, run in list(namespace.items()):
        if not name.startswith("case_") or (only and name[5:] not in only):
            continue
        started = time.monotonic()
        try:
            why = run()
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print("[  FAILED  ] %s" % name[5:])
        else:
            if isinstance(why, str):
                print("skipped %s: %s" % (name[5:], why))
            else:
                print("[       OK ] %s %.1f s" % (name[5:], time.monotonic() - started))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)

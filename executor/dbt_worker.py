"""The worker: a dbt that is asked for one node at a time.  Protocol 1.

heddle starts this file (embedded in its binary, read from the control socket, descriptor 3) and
talks to it in JSON, one message a line.  dbt does what it always does: flags, profile, parsing,
schemas, relation cache, hooks, materializations.  Only the node loop of the command's own task is
replaced, so that it serves requests instead of walking the graph.

Control socket, to the worker:
  {"op":"start","protocol":1,"verb":"build","args":[...]}
  {"op":"begin","ids":[...],"restore":null|{"started_at","invocation_id","invocation_started_at",
        "entries":[...]},"dead_runs":[...],"first_started_at":TIME|absent,"batches":{ID:{...}}}
                                             a descriptor may come along: held until the end;
                                             what dead runs left in the database is ended first;
                                             the rest is what dbt retry keeps of microbatch models
  {"op":"channels"}                          carries up to 64 sockets; thread i serves the i-th
  {"op":"cancel","id":ID,"attempt":N}
  {"op":"finish","outcomes":[[ID,status,message|null],...],"cancelled":bool}
from the worker:
  {"ev":"hello","protocol":1,"pid","python"}
  {"ev":"parsed", ...what heddle must know of flags, profile and project: Task.facts()}
  {"ev":"ready","threads","hooks":[entry,...],"hooks_failed","skip_nodes","started_at"}
  {"ev":"log","id":ID|null,"level","code","text"}
  {"ev":"done","hooks":[entry,...],"hooks_failed","elapsed","failure":null|text}   it ends by itself
  {"ev":"failed","message"}                                         instead of parsed, ready, done
A channel, to the worker:  {"op":"run","id":ID,"attempt":N}
from the worker:           {"ev":"result","id":ID, ...Task.answer()}
An entry is the JSON text dbt itself would write for the result into run_results.json, or for a
source into sources.json (null where dbt leaves it out).

End of file on the control socket means heddle is gone: cancel what runs, exit.
Works with dbt-core 1.8 to 1.11.
"""
import array
import atexit
import functools
import gc
import importlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback

PROTOCOL = 1
EXIT_GRACE = 4.0          # seconds for running queries to end once heddle is gone
CANCEL_AGAIN = 0.25       # a cancel may fall between two statements, so it is repeated
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")

TASKS = {
    "build": ("dbt.task.build", "BuildTask"),
    "run": ("dbt.task.run", "RunTask"),
    "test": ("dbt.task.test", "TestTask"),
    "seed": ("dbt.task.seed", "SeedTask"),
    "snapshot": ("dbt.task.snapshot", "SnapshotTask"),
    "freshness": ("dbt.task.freshness", "FreshnessTask"),
}

# What the Task below replaces or calls. A dbt without one of them is not driven by guess-work.
NEEDED = ("_runtime_initialize", "before_run", "safe_run_hooks", "execute_nodes", "after_run",
          "get_result", "get_runner", "call_runner", "_pool_thread_initializer")

# Events that carry an exception out of a node, fired while it is being handled.
FAULTS = ("CatchableExceptionOnRun", "GenericExceptionOnRun", "InternalErrorOnRun")

# Events of level info that a user asked for in a macro, on the command line or by a long model.
SPOKEN = ("JinjaLogInfo", "PrintEvent", "SeedHeader", "LogBatchResult")

# Warnings and errors that heddle shows itself, from results.
SHOWN_ELSEWHERE = FAULTS + (
    "LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult", "LogHookEndLine",
    "LogNodeResult", "LogFunctionResult", "LogFreshnessResult",
    "LogSkipBecauseError", "SkippingDetails",
    "RunResultError", "RunResultErrorNoMessage", "RunResultFailure", "RunResultWarning",
    "RunResultWarningMessage", "FirstRunResultError", "AfterFirstRunResultError",
    "EndOfRunSummary", "CheckNodeTestFailure", "SQLCompiledPath", "StatsLine", "NothingToDo",
    "MainEncounteredError", "MainStackTrace", "LogDebugStackTrace", "NodeConnectionReleaseError",
)


def plain(text):
    return None if text is None else ANSI.sub("", str(text)).replace("\0", "\ufffd")


def dumps(value):
    return json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False)


def duration(seconds):
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if abs(seconds) >= length:
            break
    number = "%.3g" % (seconds / length)
    return "%s %s%s" % (number, unit, "s" * (number != "1"))


def age_of(result):
    """What dbt does not say of a source it has checked."""
    limits = ["%s after %d %s%s" % (word, limit.count, limit.period, "s" * (limit.count != 1))
              for word, limit in (("warn", result.node.freshness.warn_after),
                                  ("error", result.node.freshness.error_after)) if limit]
    at = result.max_loaded_at
    loaded = "last loaded %s ago, at %s" % (
        duration(result.age), at.strftime("%Y-%m-%d %H:%M:%S %Z").strip())
    return "%s; %s" % ("never loaded" if at.year == 1 else loaded, ", ".join(limits))


def adapter_version(name):
    """As `dbt --version` finds it (dbt/version.py); None where an adapter does without."""
    try:
        return str(importlib.import_module("dbt.adapters.%s.__version__" % name).version)
    except Exception:
        return None


class Lines:
    """Messages over a socket. Any thread may send; one thread receives."""

    def __init__(self, sock):
        sock.set_inheritable(False)
        self.sock = sock
        self.lock = threading.Lock()
        self.rest = b""
        self.fds = []                      # came with the message just received

    def send(self, **message):
        data = dumps(message).encode("utf-8", "replace") + b"\n"
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            pass                           # the reader will see the end of file

    def receive(self):
        """The next message, or None at the end of file."""
        self.fds = []
        while b"\n" not in self.rest:
            room = socket.CMSG_SPACE(64 * array.array("i").itemsize)
            try:
                data, extra, _, _ = self.sock.recvmsg(1 << 16, room)
            except OSError:
                return None
            if not data:
                return None
            self.rest += data
            for level, kind, payload in extra:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
                    self.fds.extend(fds)
        line, self.rest = self.rest.split(b"\n", 1)
        for fd in self.fds:
            os.set_inheritable(fd, False)
        return json.loads(line.decode("utf-8", "surrogateescape"))


class Control(Lines):
    """The control socket. A thread of its own receives, so that a cancel or the end of heddle is
    seen while dbt is busy; what the main thread waits for goes through the inbox."""

    def __init__(self, sock):
        super().__init__(sock)
        self.inbox = queue.Queue()         # of (message, descriptors)
        self.on_cancel = None              # set once nodes may run
        self.on_end = None                 # set once queries may run; False: ending by itself
        threading.Thread(target=self.listen, name="control", daemon=True).start()

    def listen(self):
        while True:
            message = self.receive()
            if message is None:
                break
            if message["op"] == "cancel":
                if self.on_cancel:
                    self.on_cancel((message["id"], message["attempt"]))
            else:
                self.inbox.put((message, self.fds))
        if self.on_end is False:
            return
        try:
            if self.on_end:
                self.on_end()
        finally:
            os._exit(2)

    def wait(self, op):
        message, fds = self.inbox.get()
        if message["op"] != op:
            raise RuntimeError("expected '%s', got '%s'" % (op, message["op"]))
        return message, fds


class Stamp:
    """Tells whether manifest.json on disk is the manifest dbt has just parsed.

    dbt rewrites partial_parse.msgpack whenever parsing found anything to do. So when neither file
    changed since heddle's dbt last wrote manifest.json, the file is the same and is not written
    again before the run (dbt writes it twice a run)."""

    def __init__(self, target_path):
        self.files = [os.path.join(target_path, name)
                      for name in ("manifest.json", "partial_parse.msgpack")]
        self.path = os.path.join(target_path, "heddle", "manifest.stamp")

    def now(self):
        from dbt.version import __version__
        states = [os.stat(path) for path in self.files]
        return "1 %s %s\n" % (__version__, " ".join(
            "%d:%d:%d" % (s.st_ino, s.st_size, s.st_mtime_ns) for s in states))

    def holds(self):
        try:
            with open(self.path) as file:
                return file.read() == self.now()
        except OSError:
            return False

    def set(self):
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            beside = self.path + ".new"
            with open(beside, "w") as file:
                file.write(self.now())
            os.replace(beside, self.path)
        except OSError:
            pass                           # then the next run writes the manifest again


class UnknownNode(Exception):
    pass


class Place:
    """A thread inside a node: what a cancel needs to find its connection."""

    def __init__(self, node_id):
        self.node_id = node_id             # None once the node has left
        self.lock = threading.Lock()       # held by a cancel, and to leave: a late cancel must not
                                           # reach the next node of this thread


def fault_of(exc):
    """An exception as classes, outermost first, and the database's code for it."""
    types, code, seen = [], None, set()
    while exc is not None and id(exc) not in seen and len(types) < 16:
        seen.add(id(exc))
        kind = type(exc)
        types.append("%s.%s" % (kind.__module__, kind.__qualname__))
        if code is None and not isinstance(exc, OSError):
            code = code_of(exc)
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return {"types": types, "code": code}


def code_of(exc):
    """SQLSTATE (psycopg, snowflake: an attribute; pyodbc, redshift: the first argument) or an
    HTTP status (google)."""
    for name in ("pgcode", "sqlstate", "code"):
        value = getattr(exc, name, None)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(int(value)) if isinstance(value, int) else value
    first = exc.args[0] if exc.args else None
    if isinstance(first, dict):
        first = first.get("C")
    if isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first):
        return first
    return None


# Fields dbt changes in a node while it compiles and runs it. It never runs a node twice in one
# process; a second try with them changed fails, or runs something else.
CHANGED = ("compiled", "compiled_code", "extra_ctes_injected", "_pre_injected_sql",
           "compiled_path", "build_path", "relation_name")


class Original:
    """A node's state before its first try."""

    def __init__(self, node):
        from copy import deepcopy
        self.fields = {name: getattr(node, name) for name in CHANGED if hasattr(node, name)}
        self.ctes = list(node.extra_ctes) if hasattr(node, "extra_ctes") else None
        self.deep = {}
        columns = getattr(node, "columns", None) or {}
        if getattr(node, "constraints", None):
            self.deep["constraints"] = deepcopy(node.constraints)
        if any(getattr(column, "constraints", None) for column in columns.values()):
            self.deep["columns"] = deepcopy(columns)

    def restore(self, node):
        from copy import deepcopy
        values = dict(self.fields, **{k: deepcopy(v) for k, v in self.deep.items()})
        if self.ctes is not None:
            values["extra_ctes"] = list(self.ctes)
        for name, value in values.items():
            try:
                setattr(node, name, value)
            except AttributeError:
                pass                       # a seed has some of them as read-only properties
        if hasattr(node, "clear_event_status"):
            node.clear_event_status()


class BatchPool:
    """What a microbatch model needs of dbt's thread pool. One for each model, so that one can be
    stopped alone; the threads are shared, and the permits are those of all nodes."""

    def __init__(self, task):
        self.task = task
        self.max_threads = task.config.threads
        self.max_microbatch_models = max(1, task.config.threads // 2)
        self.closed = False

    def is_closed(self):
        return self.closed

    def apply_async(self, func, args=(), callback=None):
        def work():
            with self.task.permits:
                result = func(*args)
            if callback:
                callback(result)
        self.task.batch_threads().submit(work)


class InProgress:
    """The part of dbt's job queue that its microbatch code looks at."""

    def __init__(self):
        self.in_progress = set()
        self.in_progress_microbatch = set()


class Backends:
    """Sessions of a run in PostgreSQL and its kin. A process that is killed cannot end them: the
    server goes on with their queries and locks until it wants to answer. So the run's id is in
    their application_name, where the next run finds them."""

    NAME_BYTES = 63                        # of application_name, the server cuts the rest
    PATIENCE = 10.0                        # seconds for them to end
    QUERY = ("select pid, pg_terminate_backend(pid) from pg_stat_activity "
             "where pid <> pg_backend_pid() and (%s)")

    def __init__(self, adapter):
        self.adapter = adapter
        module = sys.modules.get("dbt.adapters.postgres.connections")
        self.known = module is not None and isinstance(
            adapter.connections, module.PostgresConnectionManager)

    @staticmethod
    def mark(run_id):
        return "heddle:" + re.sub(r"[^0-9a-zA-Z]", "", run_id)[:12]

    def sign(self, run_id):
        """Every connection from now on says whose it is; what the user calls it stays in front."""
        if not self.known:
            return
        from copy import copy
        manager, mark = type(self.adapter.connections), self.mark(run_id)
        original = manager.get_credentials

        def get_credentials(cls, credentials):
            credentials = copy(original(credentials))
            theirs = (credentials.application_name or "").encode()
            theirs = theirs[:self.NAME_BYTES - len(mark) - 1].decode(errors="ignore")
            credentials.application_name = ("%s %s" % (theirs, mark)).strip()
            return credentials

        manager.get_credentials = classmethod(get_credentials)

    def end(self, run_ids):
        """How many sessions of these runs there were. They are gone when it returns."""
        marks = sorted({self.mark(run_id) for run_id in run_ids})
        if not self.known or not marks:
            return 0
        query = self.QUERY % " or ".join("application_name like '%%%s'" % m for m in marks)
        ended, deadline = set(), time.monotonic() + self.PATIENCE
        while True:
            # A transaction sees one state of pg_stat_activity: a new one each time.
            with self.adapter.connection_named("end_backends"):
                _, table = self.adapter.execute(query, auto_begin=False, fetch=True)
            found = [row[0] for row in table.rows]
            ended.update(found)
            if not found or time.monotonic() > deadline:
                return len(ended)
            time.sleep(CANCEL_AGAIN)


def remember_secrets():
    """dbt goes through the whole environment for every event and exception it makes, to mask the
    values of DBT_ENV_SECRET_*: a twentieth of the time of small nodes."""
    import dbt_common.events.functions as functions
    import dbt_common.exceptions.base as exceptions
    secrets = exceptions.env_secrets()
    functions.env_secrets = exceptions.env_secrets = lambda: secrets


class Session:
    """One run: what the control socket, dbt's set-up and the task share."""

    def __init__(self, control):
        self.control = control
        self.task = None                   # once its nodes are chosen
        self.ready = False                 # heddle was told so
        self.done = False
        self.manifest_written = False      # manifest.json is the manifest just parsed,
        self.manifest_kept = False         # and was so before
        self.stamp = None

    def report(self, failure):
        """The last message; what follows (manifest.json, dbt's own farewell) is not waited for
        by what heddle does next."""
        if self.done:
            return
        self.done = True
        self.control.on_end = False
        task = self.task
        began = getattr(task, "started_at", 0)
        self.control.send(ev="done", **getattr(task, "end_hooks", {}), failure=failure,
                          elapsed=time.time() - began if began else 0.0)

    def on_event(self, event):
        """Every event of dbt, in the thread that fired it."""
        name, level = event.info.name, event.info.level
        if name in FAULTS and self.task:
            self.task.note_fault(self.node_of(event), sys.exc_info()[1],
                                 getattr(event.data, "exc", ""))
        if ((level in ("warn", "error") and name not in SHOWN_ELSEWHERE)
                or (level == "info" and name in SPOKEN)):
            self.control.send(ev="log", id=self.node_of(event), level=level,
                              code=event.info.code, text=plain(event.info.msg))

    def node_of(self, event):
        """What it is about; some events only come from the thread of a node."""
        data = event.data
        return (getattr(getattr(data, "node_info", None), "unique_id", None)
                or getattr(data, "unique_id", None)
                or (self.task and self.task.node_of_thread()) or None)

    def adapt(self):
        """Puts ourselves where dbt writes its console and its manifest."""
        import dbt.cli.main as cli
        import dbt.cli.requires as requires
        import dbt.parser.manifest as parser
        from dbt.contracts.graph.manifest import Manifest
        from dbt_common.events.event_manager_client import get_event_manager

        set_up, write_all, write = (
            requires.setup_event_logger, parser.write_manifest, Manifest.write)

        def set_up_without_console(*args, **kwargs):
            set_up(*args, **kwargs)
            manager = get_event_manager()
            manager.loggers = [log for log in manager.loggers if log.name != "stdout_log"]

        def write_first(manifest, target_path, *args, **kwargs):
            from dbt.flags import get_flags
            self.stamp = Stamp(target_path)
            elsewhere = getattr(get_flags(), "PARTIAL_PARSE_FILE_PATH", None)
            self.manifest_kept = not elsewhere and self.stamp.holds()
            if not self.manifest_kept:
                write_all(manifest, target_path, *args, **kwargs)
                self.stamp.set()
            self.manifest_written = True

        def write_beside(manifest, path):
            # dbt truncates and rewrites in place; a reader could see half a file
            write(manifest, path + ".new")
            os.replace(path + ".new", path)

        usage_error = cli.DbtUsageException

        def whole_usage_error(message):
            # dbt's runner keeps less of a click error than its command line prints
            error = sys.exc_info()[1]
            return usage_error(error.format_message() if hasattr(error, "format_message")
                               else message)

        cli.DbtUsageException = whole_usage_error
        requires.setup_event_logger = set_up_without_console
        parser.write_manifest = write_first
        Manifest.write = write_beside


def task_class(base, session):
    """The command's own task with its node loop replaced."""
    from datetime import datetime
    import dbt.utils
    from dbt import selected_resources
    from dbt.adapters.factory import get_adapter
    from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact, FreshnessResult
    from dbt.artifacts.schemas.results import NodeStatus, RunStatus, TimingInfo
    from dbt.artifacts.schemas.run import RunResult, RunResultsArtifact, process_run_result
    from dbt.flags import get_flags
    from dbt.node_types import NodeType
    from dbt_common.context import get_invocation_context
    from dbt_common.utils.encoding import JSONEncoder
    import dbt_common.invocation as invocation

    control = session.control

    def is_source(node):
        return node.resource_type == NodeType.Source

    def entry_of(result):
        if not is_source(result.node):
            return json.dumps(process_run_result(result).to_dict(omit_none=False), cls=JSONEncoder)
        entries = FreshnessExecutionResultArtifact.from_result(FreshnessResult.from_node_results(
            [result], 0.0, datetime.now())).to_dict(
                omit_none=False, context={"artifact": True})["results"]
        return json.dumps(entries[0], cls=JSONEncoder) if entries else None

    class Task(base):
        # -- what heddle must know, and the chosen nodes ------------------------------------------

        def _runtime_initialize(self):
            """dbt would build its graph and select here; heddle has done both."""
            self.context = get_invocation_context()
            control.send(ev="parsed", **self.facts())
            message, self.held = control.wait("begin")
            if self.temporary:
                shutil.rmtree(self.temporary, ignore_errors=True)
            self.restore = message.get("restore")
            self.places = {}               # thread's connection key -> Place
            self.ended = {}                # id -> last attempt that ended
            self.last = {}                 # id -> (result, status heddle was told)
            self.faults = {}               # id -> fault_of() its last exception
            self.originals = {}            # id -> Original
            self.pools = {}                # id -> BatchPool of a running microbatch model
            self.ephemeral = {}            # id -> result of a failed compilation, or None
            self.ephemeral_locks = {}
            self.bench = None              # threads for parallel microbatches
            self.guard = threading.Lock()  # guards ephemeral_locks, bench
            self.permits = threading.Semaphore(self.config.threads)
            self._flattened_nodes = [self.node(node_id) for node_id in message["ids"]]
            self.chosen = {node.unique_id for node in self._flattened_nodes}
            self.num_nodes = len([n for n in self._flattened_nodes if not n.is_ephemeral_model])
            self.adapter = get_adapter(self.config)
            self.end_backends(message.get("dead_runs") or [])
            self.earlier_batches = message.get("batches") or {}
            if message.get("first_started_at"):
                from datetime import datetime
                self.original_invocation_started_at = datetime.fromisoformat(
                    message["first_started_at"].replace("Z", "+00:00"))
            selected_resources.set_selected_resources(self.chosen)
            os.makedirs(self.config.project_target_path, exist_ok=True)
            session.task = self

        def end_backends(self, dead_runs):
            """Also of the process before this one, when it was lost."""
            run_id = invocation.get_invocation_id()
            if self.restore:
                run_id = self.restore["invocation_id"]
                dead_runs = dead_runs + [run_id]
            backends = Backends(self.adapter)
            try:
                n = backends.end(dead_runs)
                if n:
                    control.send(ev="log", id=None, level="info", code="", text="ended %d session%s "
                                 "that a killed process had left in the database" % (n, "s" * (n > 1)))
            except Exception as exc:       # no right to, or no connection: the nodes will tell
                control.send(ev="log", id=None, level="warn", code="", text="cannot end what a "
                             "killed process may have left in the database: %s" % plain(exc))
            backends.sign(run_id)

        def node(self, node_id):
            manifest = self.manifest
            for nodes in (manifest.nodes, manifest.unit_tests, manifest.exposures,
                          manifest.saved_queries, manifest.sources,
                          getattr(manifest, "functions", {})):
                if node_id in nodes:
                    return nodes[node_id]
            raise UnknownNode("dbt has no node '%s'" % node_id)

        def facts(self):
            from dbt.version import __version__
            flags = {k: v for k, v in vars(get_flags()).items() if k == k.lower()}
            empty = RunResultsArtifact.from_execution_results(
                results=[], elapsed_time=0.0, generated_at=datetime(2000, 1, 1),
                args=dbt.utils.args_to_dict(self.args)).to_dict(
                    omit_none=False, context={"artifact": True})
            target = os.path.abspath(self.config.project_target_path)
            path = os.path.join(target, "manifest.json")
            self.temporary = None
            if not session.manifest_written:       # --no-write-json: heddle needs it all the same
                self.temporary = tempfile.mkdtemp(prefix="heddle-")
                path = os.path.join(self.temporary, "manifest.json")
                self.manifest.write(path)
            return {
                "dbt_version": __version__,
                "adapter": self.config.credentials.type,
                "adapter_version": adapter_version(self.config.credentials.type),
                "project_name": self.config.project_name,
                "profile_name": self.config.profile_name,
                "target_name": self.config.target_name,
                "project_root": os.path.abspath(self.config.project_root),
                "target_path": target,
                "log_path": os.path.abspath(str(get_flags().LOG_PATH)),
                "manifest_path": path,
                "result_path": os.path.abspath(self.result_path()),
                "manifest_kept": session.manifest_kept,
                "invocation_id": invocation.get_invocation_id(),
                "args": json.dumps(empty["args"], cls=JSONEncoder),
                "metadata": json.dumps(empty["metadata"], cls=JSONEncoder),
                "flags": dumps(flags),
                "selectors": dumps(self.config.manifest_selectors),
                "default_selector": self.config.get_default_selector_name(),
                "threads": self.config.threads,
                "fail_fast": bool(flags.get("fail_fast")),
                "quiet": bool(flags.get("quiet")),
                "write_json": bool(flags.get("write_json")),
                "use_colors": bool(flags.get("use_colors")),
                "full_refresh": bool(flags.get("full_refresh")),
                "debug": bool(flags.get("debug")),
            }

        # -- around the nodes ---------------------------------------------------------------------

        def before_run(self, adapter, selected_uids):
            control.on_end = self.abandon
            if self.restore:
                self.started_at = self.restore["started_at"]
                invocation._INVOCATION_ID = self.restore["invocation_id"]
                self.take_back(self.restore["entries"])
            status = super().before_run(adapter, selected_uids)
            self.skips = (status is not None and status != RunStatus.Success
                          and bool(getattr(get_flags(), "skip_nodes_if_on_run_start_fails", False)))
            remember_secrets()
            gc.freeze()                    # what was parsed stays; the collector need not see it
            gc.enable()
            control.send(ev="ready", threads=self.config.threads, skip_nodes=self.skips,
                         started_at=self.started_at, **self.hooks_of(self.node_results))
            session.ready = True
            if self.skips:                 # dbt marks every node and goes on to on-run-end
                while control.inbox.get()[0]["op"] != "finish":
                    pass
            return status

        def safe_run_hooks(self, adapter, hook_type, extra_context):
            if self.restore and str(hook_type) == "on-run-start":
                return RunStatus.Success   # it ran in the process this one follows
            return super().safe_run_hooks(adapter, hook_type, extra_context)

        def hooks_of(self, results):
            """Entries of hooks. dbt 1.8 keeps no more of them than that one failed, and why."""
            for result in results:
                if not isinstance(result, RunResult):
                    control.send(ev="log", id=None, level="error", code="",
                                 text=plain(result.message))
            return {"hooks": [entry_of(r) for r in results if isinstance(r, RunResult)],
                    "hooks_failed": any(r.status != RunStatus.Success for r in results)}

        def take_back(self, entries):
            """Results of the process before this one."""
            for text in entries:
                data = json.loads(text)
                try:
                    node = self.node(data["unique_id"])
                except UnknownNode:
                    continue               # the project changed meanwhile
                if is_source(node):
                    continue               # its outcome says enough
                result = RunResult(
                    status=NodeStatus(data["status"]),
                    timing=[TimingInfo.from_dict(t) for t in data["timing"]],
                    thread_id=data["thread_id"], execution_time=data["execution_time"],
                    adapter_response=data["adapter_response"], message=data["message"],
                    failures=data["failures"], node=node)
                if data.get("batch_results"):
                    from dbt.artifacts.schemas.batch_results import BatchResults
                    result.batch_results = BatchResults.from_dict(data["batch_results"])
                if data.get("compiled") and hasattr(node, "compiled"):
                    node.compiled = True
                    node.compiled_code = data["compiled_code"]
                if node.resource_type == NodeType.Operation:
                    self.node_results.append(result)
                else:
                    self.last[node.unique_id] = (result, data["status"])

        def execute_nodes(self):
            self.job_queue = InProgress()
            self.canceller = Canceller(self)
            control.on_cancel = self.canceller.add
            served = 0
            while True:
                message, fds = control.inbox.get()
                if message["op"] != "channels":
                    break
                for fd in fds:
                    served += 1
                    threading.Thread(target=self.serve, args=(Lines(socket.socket(fileno=fd)),),
                                     name="Thread-%d (worker)" % served, daemon=True).start()
            self.arrange(message["outcomes"])
            if message["cancelled"]:
                raise KeyboardInterrupt()
            return self.node_results

        def arrange(self, outcomes):
            """Every node's result for on-run-end, in the order they ended."""
            for node_id, status, message in outcomes:
                result, told = self.last.get(node_id, (None, None))
                if result is None or told != status:
                    result = RunResult.from_node(self.node(node_id), NodeStatus(status), message)
                self.node_results.append(result)

        def show_table(self, result):
            if result.agate_table is not None:     # not for what was skipped or ran before
                super().show_table(result)

        def after_run(self, adapter, results):
            done = len(self.node_results)
            try:
                super().after_run(adapter, results)
            finally:
                self.end_hooks = self.hooks_of(self.node_results[done:])
            session.report(None)

        def get_result(self, results, elapsed_time, generated_at):
            result = super().get_result(results, elapsed_time, generated_at)
            result.write = lambda path: None       # heddle writes the file, from the entries
            return result

        def get_runner_type(self, node):
            if is_source(node):            # of a build that checks what it reads
                from dbt.task.freshness import FreshnessRunner
                return FreshnessRunner
            return super().get_runner_type(node)

        # -- one node -----------------------------------------------------------------------------

        def serve(self, channel):
            self.enter_thread()
            while True:
                message = channel.receive()
                if message is None:
                    return
                node_id, attempt = message["id"], message["attempt"]
                try:
                    answer = self.attempt(node_id, attempt)
                except BaseException as exc:
                    answer = self.apology(node_id, exc)    # never lose the request
                self.ended[node_id] = attempt
                channel.send(ev="result", id=node_id, **answer)

        def apology(self, node_id, exc):
            """A fault of ours, or a node that is not there."""
            message = str(exc) if isinstance(exc, UnknownNode) else traceback.format_exc().strip()
            answer = dict(fault_of(exc), status="error", internal=True, message=message)
            try:
                result = RunResult.from_node(self.node(node_id), RunStatus.Error, message)
                self.last[node_id] = (result, "error")
                answer["entry"] = entry_of(result)
            except Exception:
                pass
            return answer

        def enter_thread(self):
            self._pool_thread_initializer(self.context)

        def attempt(self, node_id, attempt):
            began = time.time()
            node = self.node(node_id)
            self.faults.pop(node_id, None)
            with self.permits:
                self.job_queue.in_progress.add(node_id)
                try:
                    self.reset(node)
                    culprit = self.compile_ephemeral_parents(node)
                    runner = self.get_runner(node)
                    if culprit is not None:
                        runner.do_skip(cause=culprit)
                    if hasattr(runner, "set_parent_task"):
                        runner.set_parent_task(self)
                        runner.set_pool(self.pools.setdefault(node_id, BatchPool(self)))
                    result = self.call_runner(runner)
                finally:
                    self.job_queue.in_progress.discard(node_id)
                    self.pools.pop(node_id, None)
            return self.answer(result, culprit, began)

        def answer(self, result, culprit, began):
            node = result.node
            node_id = node.unique_id
            status, message = str(result.status), result.message
            fault = self.faults.get(node_id, {})
            if culprit is not None:
                # dbt calls the child skipped; for heddle it failed, and this is why.
                status = "error"
                fault = self.faults.get(culprit.node.unique_id, fault)
                message = "ephemeral model %s does not compile\n%s" % (
                    culprit.node.unique_id, culprit.message)
            self.last[node_id] = (result, status)
            response = result.adapter_response or {}
            rows = response.get("rows_affected")
            path = getattr(node, "compiled_path", None)
            batches = getattr(result, "batch_results", None)
            if hasattr(result, "age"):
                message = age_of(result)
            if batches is not None and batches.failed and fault.get("detail"):
                message = "%s\n%s" % (message, fault["detail"])   # dbt says no more than ERROR
            return {
                "status": status,
                "message": plain(message),
                "stale": hasattr(result, "age") and status == "error",
                "failures": result.failures,
                "rows": rows if isinstance(rows, int) else None,
                "types": fault.get("types"),
                "code": fault.get("code"),
                "compiled_path": path and os.path.join(self.config.project_root, path),
                "batches": batches and [len(batches.successful), len(batches.failed)],
                "started": began,
                "took": result.execution_time,
                "entry": entry_of(result),
            }

        def call_runner(self, runner):
            key = self.adapter.connections.get_thread_identifier()
            if key in self.places:         # a batch on its model's own thread
                return super().call_runner(runner)
            place = self.places[key] = Place(runner.node.unique_id)
            try:
                return super().call_runner(runner)
            finally:
                with place.lock:
                    place.node_id = None
                    del self.places[key]

        def node_of_thread(self):
            key = self.adapter.connections.get_thread_identifier()
            return key in self.places and self.places[key].node_id

        def note_fault(self, node_id, exc, text):
            fault = fault_of(exc) if exc is not None else {}
            fault["detail"] = plain(text if exc is None else exc)
            self.faults[node_id] = fault

        def batch_threads(self):
            with self.guard:
                if self.bench is None:
                    from concurrent.futures import ThreadPoolExecutor
                    self.bench = ThreadPoolExecutor(
                        self.config.threads, "batch", initializer=self.enter_thread)
                return self.bench

        # -- ephemeral models -----------------------------------------------------------------

        def compile_ephemeral_parents(self, node):
            """Each once; a second thread waits for the first. Returns the failed result."""
            if node.resource_type == NodeType.Unit:
                return None                # its inputs are fixtures
            culprit = None
            for parent in self.ephemeral_parents(node):
                failed = self.compile_ephemeral(parent)
                if failed is not None and (culprit is None or base.__name__ == "BuildTask"):
                    culprit = failed
            return culprit

        def ephemeral_parents(self, node):
            """Through other ephemeral models, parents first."""
            order, seen, stack = [], set(), [(node, False)]
            while stack:
                current, left = stack.pop()
                if left:
                    order.append(current)
                    continue
                if current is not node:
                    stack.append((current, True))
                depends_on = getattr(current, "depends_on", None)
                for parent_id in reversed(getattr(depends_on, "nodes", [])):
                    parent = self.manifest.nodes.get(parent_id)
                    if parent is None or not parent.is_ephemeral_model or parent_id in seen:
                        continue
                    seen.add(parent_id)
                    stack.append((parent, False))
            return order

        def compile_ephemeral(self, node):
            node_id = node.unique_id
            if node_id in self.ephemeral and self.ephemeral[node_id] is None:
                return None
            with self.guard:
                lock = self.ephemeral_locks.setdefault(node_id, threading.Lock())
            with lock:
                if node_id in self.ephemeral and self.ephemeral[node_id] is None:
                    return None
                self.reset(node)
                runner = self.get_runner(node)
                if node_id in self.chosen:
                    result = self.call_runner(runner)
                    failed = result if result.status == NodeStatus.Error else None
                else:
                    # dbt compiles it as part of the child: then the failure is the child's own.
                    result = runner.safe_run(self.manifest)
                    failed = None
                    if result.status == NodeStatus.Error:
                        self.originals[node_id].restore(node)
                        return None
                self.ephemeral[node_id] = failed
                return failed

        # -- a second try ---------------------------------------------------------------------

        def reset(self, node):
            node_id = node.unique_id
            if node_id not in self.originals:
                self.originals[node_id] = Original(node)
                if node_id not in self.last:
                    if node_id in self.earlier_batches:
                        from dbt.artifacts.schemas.batch_results import BatchResults
                        node.previous_batch_results = BatchResults.from_dict(
                            self.earlier_batches[node_id])
                    return
            self.originals[node_id].restore(node)
            before = self.last.get(node_id, (None, None))[0]
            batches = getattr(before, "batch_results", None)
            if batches is not None and batches.successful and batches.failed:
                node.previous_batch_results = batches
            if getattr(node, "is_relational", False) and not node.is_ephemeral_model:
                try:
                    self.refresh_cache(node)
                except Exception:
                    pass                   # the database is away; the attempt will say so

        def refresh_cache(self, node):
            """A rolled back transaction leaves dbt's cache with renames that never happened."""
            from dbt.adapters.cache import _make_ref_key
            adapter = self.adapter
            relation = adapter.Relation.create_from(self.config, node)
            name = relation.identifier.lower()
            names = {name, name + "__dbt_tmp", name + "__dbt_backup"}
            with adapter.connection_named("refresh_" + node.unique_id):
                found = adapter.list_relations_without_caching(relation.without_identifier())
            fresh = {_make_ref_key(r): r for r in found if r.identifier.lower() in names}
            with adapter.cache.lock:
                cached = adapter.cache.relations
                for key, known in list(cached.items()):
                    if ((known.schema or "").lower() == (relation.schema or "").lower()
                            and (known.identifier or "").lower() in names
                            and (key not in fresh or known.inner.type != fresh[key].type)):
                        del cached[key]    # not drop(): that would take what depends on it along
                for key, r in fresh.items():
                    if key not in cached:
                        adapter.cache.add(r)

        # -- cancel ---------------------------------------------------------------------------

        def cancel_once(self, node_id, attempt):
            """False when that attempt has ended."""
            if self.ended.get(node_id, 0) >= attempt:
                return False
            if node_id in self.pools:
                self.pools[node_id].closed = True          # no further batches
            for key, place in list(self.places.items()):
                with place.lock:
                    if place.node_id == node_id:
                        self.cancel_connection(key)
            return True

        def abandon(self):
            """heddle is gone: leave no query behind."""
            self.enter_thread()
            manager = self.adapter.connections
            deadline = time.monotonic() + EXIT_GRACE
            while True:
                if hasattr(manager, "cancel"):
                    cancels = [functools.partial(self.cancel_connection, key)
                               for key in list(manager.thread_connections)]
                else:
                    cancels = [self.cancel_all]
                for cancel in cancels:
                    try:
                        cancel()
                    except Exception:
                        pass               # it may just have ended
                time.sleep(CANCEL_AGAIN)
                if not self.places or time.monotonic() > deadline:
                    return

        def cancel_connection(self, key):
            manager = self.adapter.connections
            connection = manager.thread_connections.get(key)
            # A connection that is not open has a lazy handle: touching it would open it.
            state = connection and str(getattr(connection.state, "value", connection.state))
            if state != "open" or key == manager.get_thread_identifier():
                return
            if not hasattr(manager, "cancel"):
                # Some adapters can cancel all queries or none; heddle's grace period ends a node
                # that must go alone.
                wanted = {node_id for node_id, _ in list(self.canceller.wanted)}
                if all(place.node_id in wanted for place in list(self.places.values())):
                    self.cancel_all()
            else:
                with self.adapter.connection_named("cancel"):
                    manager.cancel(connection)

        def cancel_all(self):
            with self.adapter.connection_named("cancel"):
                self.adapter.cancel_open_connections()

    return Task


class Canceller(threading.Thread):
    """Cancels attempts until they have ended."""

    def __init__(self, task):
        super().__init__(name="cancel", daemon=True)
        self.task = task
        self.wanted = set()                # of (id, attempt)
        self.wake = threading.Condition()  # guards wanted
        self.start()

    def add(self, attempt):
        with self.wake:
            self.wanted.add(attempt)
            self.wake.notify()

    def run(self):
        self.task.enter_thread()
        while True:
            with self.wake:
                while not self.wanted:
                    self.wake.wait()
                wanted = list(self.wanted)
            for attempt in wanted:
                try:
                    running = self.task.cancel_once(*attempt)
                except Exception:
                    running = True         # no connection to cancel with: try again
                if not running:
                    with self.wake:
                        self.wanted.discard(attempt)
            time.sleep(CANCEL_AGAIN)


def invoke(session, verb, args):
    """dbt, with our task in place of its own. Returns the exception that ended it, or None."""
    from dbt.cli.main import dbtRunner
    module_name, name = TASKS[verb]
    module = importlib.import_module(module_name)
    base = getattr(module, name)
    missing = [need for need in NEEDED if not hasattr(base, need)]
    if missing:
        from dbt.version import __version__
        return RuntimeError("dbt %s is not known to heddle: its %s has no %s" % (
            __version__, name, ", ".join(missing)))
    session.adapt()
    setattr(module, name, task_class(base, session))
    return dbtRunner(callbacks=[session.on_event]).invoke(args).exception


def main(sock):
    gc.disable()                           # nothing of what is imported and parsed is garbage
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, signal.SIG_IGN)       # heddle decides; its end is our end
    control = Control(sock)
    start, _ = control.wait("start")
    if start["protocol"] != PROTOCOL:
        control.send(ev="failed", message="worker speaks protocol %d" % PROTOCOL)
        os._exit(2)
    control.send(ev="hello", protocol=PROTOCOL, pid=os.getpid(), python=sys.version.split()[0])
    sys.argv = ["dbt"] + start["args"]     # dbt records it as its invocation command
    sys.stdout.reconfigure(line_buffering=True)
    # multiprocessing's helper would lament over us on standard error, should we be killed
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    session = Session(control)
    failure = None
    try:
        exception = invoke(session, start["verb"], start["args"])
        if exception is not None and not isinstance(exception, KeyboardInterrupt):
            failure = plain(exception) or type(exception).__name__
        elif session.manifest_written:
            session.stamp.set()
    except ImportError as exc:
        failure = "cannot import dbt: %s" % exc
    except BaseException:
        failure = traceback.format_exc()   # ours, not dbt's
    if session.ready or failure is None:
        session.report(failure)
    else:
        control.send(ev="failed", message=failure)
    try:
        atexit._run_exitfuncs()            # logs, semaphores, the database file
        sys.stdout.flush()
    finally:
        os._exit(0)                        # and none of the interpreter's own tidying


main(control_socket)                       # noqa: F821  set by the bootstrap in runner_worker.c

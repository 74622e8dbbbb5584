"""The command's own task of dbt, with its loop over the nodes replaced."""
import gc
import importlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import dbt.utils
import dbt_common.events.functions as dbt_events
import dbt_common.exceptions.base as dbt_exceptions
import dbt_common.invocation as invocation
from dbt import selected_resources
from dbt.adapters.factory import get_adapter
from dbt.artifacts.schemas.results import NodeStatus, RunStatus, TimingInfo
from dbt.artifacts.schemas.run import RunResult, RunResultsArtifact
from dbt.flags import get_flags
from dbt.node_types import NodeType
from dbt.task.freshness import FreshnessRunner
from dbt.version import __version__
from dbt_common.context import get_invocation_context
from dbt_common.utils.encoding import JSONEncoder

from dbt_worker.backends import Backends
from dbt_worker.batches import BatchPool, InProgress
from dbt_worker.cancel import Cancelling, Canceller, Place
from dbt_worker.ephemeral import Ephemerals
from dbt_worker.faults import fault_of, plain
from dbt_worker.results import age_of, batches_from, entry_of, is_source
from dbt_worker.second_try import SecondTry
from dbt_worker.wire import Lines, dumps


class UnknownNode(Exception):
    pass


def adapter_version(name):
    """As `dbt --version` finds it (dbt/version.py); None where an adapter does without."""
    try:
        return str(importlib.import_module("dbt.adapters.%s.__version__" % name).version)
    except Exception:
        return None


def remember_secrets():
    """dbt goes through the whole environment for every event and exception it makes, to mask the
    values of DBT_ENV_SECRET_*: a twentieth of the time of small nodes."""
    secrets = dbt_exceptions.env_secrets()
    dbt_events.env_secrets = dbt_exceptions.env_secrets = lambda: secrets


class Task(SecondTry, Ephemerals, Cancelling):
    """Stands before dbt's class: what is not said here is dbt's."""
    verb = None                            # these three by task_class()
    session = None
    control = None

    def _runtime_initialize(self):
        """dbt would build its graph and select here; heddle has done both."""
        self.context = get_invocation_context()
        self.control.send(ev="parsed", **self.facts())
        message, self.held = self.control.wait("begin")
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)
        self.restore = message.get("restore")
        self.places = {}                   # thread's connection key -> Place
        self.ended = {}                    # id -> last attempt that ended
        self.last = {}                     # id -> (result, status heddle was told)
        self.faults = {}                   # id -> fault_of() its last exception
        self.originals = {}                # id -> Original
        self.pools = {}                    # id -> BatchPool of a running microbatch model
        self.ephemeral = {}                # id -> result of a failed compilation, or None
        self.ephemeral_locks = {}
        self.bench = None                  # threads for parallel microbatches
        self.guard = threading.Lock()      # guards ephemeral_locks, bench
        self.permits = threading.Semaphore(self.config.threads)
        self._flattened_nodes = [self.node(node_id) for node_id in message["ids"]]
        self.chosen = {node.unique_id for node in self._flattened_nodes}
        self.num_nodes = len([n for n in self._flattened_nodes if not n.is_ephemeral_model])
        self.adapter = get_adapter(self.config)
        self.end_backends(message.get("dead_runs") or [])
        self.earlier_batches = message.get("batches") or {}
        self.elsewhere = message.get("elsewhere") or []
        self.skip_hooks = message.get("skip_hooks") or []
        if message.get("first_started_at"):
            self.original_invocation_started_at = datetime.fromisoformat(
                message["first_started_at"].replace("Z", "+00:00"))
        selected_resources.set_selected_resources(self.chosen)
        os.makedirs(self.config.project_target_path, exist_ok=True)
        self.session.task = self

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
                self.control.send(ev="log", id=None, level="info", code="",
                                  text="ended %d session%s that a killed process had left in the "
                                  "database" % (n, "s" * (n > 1)))
        except Exception as exc:           # no right to, or no connection: the nodes will tell
            self.control.send(ev="log", id=None, level="warn", code="",
                              text="cannot end what a killed process may have left in the "
                              "database: %s" % plain(exc))
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
        flags = {k: v for k, v in vars(get_flags()).items() if k == k.lower()}
        empty = RunResultsArtifact.from_execution_results(
            results=[], elapsed_time=0.0, generated_at=datetime(2000, 1, 1),
            args=dbt.utils.args_to_dict(self.args)).to_dict(
                omit_none=False, context={"artifact": True})
        target = os.path.abspath(self.config.project_target_path)
        path = os.path.join(target, "manifest.json")
        self.temporary = None
        if not self.session.manifest_written:       # --no-write-json: heddle needs it all the same
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
            "manifest_kept": self.session.manifest_kept,
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

    def before_run(self, adapter, selected_uids):
        self.control.on_end = self.abandon
        if self.restore:
            self.started_at = self.restore["started_at"]
            invocation._INVOCATION_ID = self.restore["invocation_id"]
            self.take_back(self.restore["entries"])
        self.take_back(self.elsewhere)
        status = super().before_run(adapter, selected_uids)
        self.skips = (status is not None and status != RunStatus.Success
                      and bool(getattr(get_flags(), "skip_nodes_if_on_run_start_fails", False)))
        remember_secrets()
        gc.freeze()                        # what was parsed stays; the collector need not see it
        gc.enable()
        self.control.send(ev="ready", threads=self.config.threads, skip_nodes=self.skips,
                     started_at=self.started_at, **self.hooks_of(self.node_results))
        self.session.ready = True
        if self.skips:                     # dbt marks every node and goes on to on-run-end
            while self.control.inbox.get()[0]["op"] != "finish":
                pass
        return status

    def safe_run_hooks(self, adapter, hook_type, extra_context):
        if str(hook_type) in self.skip_hooks:
            return RunStatus.Success
        if self.restore and str(hook_type) == "on-run-start":
            return RunStatus.Success       # it ran in the process this one follows
        return super().safe_run_hooks(adapter, hook_type, extra_context)

    def hooks_of(self, results):
        """Entries of hooks. dbt 1.8 keeps no more of them than that one failed, and why."""
        for result in results:
            if not isinstance(result, RunResult):
                self.control.send(ev="log", id=None, level="error", code="",
                             text=plain(result.message))
        return {"hooks": [entry_of(r) for r in results if isinstance(r, RunResult)],
                "hooks_failed": any(r.status != RunStatus.Success for r in results)}

    def take_back(self, entries):
        """Results of the process before this one, or of others."""
        for text in entries:
            data = json.loads(text)
            try:
                node = self.node(data["unique_id"])
            except UnknownNode:
                continue                   # the project changed meanwhile
            if is_source(node):
                continue                   # its outcome says enough
            result = RunResult(
                status=NodeStatus(data["status"]),
                timing=[TimingInfo.from_dict(t) for t in data["timing"]],
                thread_id=data["thread_id"], execution_time=data["execution_time"],
                adapter_response=data["adapter_response"], message=data["message"],
                failures=data["failures"], node=node)
            if data.get("batch_results"):
                result.batch_results = batches_from(data["batch_results"])
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
        self.control.on_cancel = self.canceller.add
        served = 0
        while True:
            message, fds = self.control.inbox.get()
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
        self.session.report(None)

    def get_result(self, results, elapsed_time, generated_at):
        result = super().get_result(results, elapsed_time, generated_at)
        result.write = lambda path: None       # heddle writes the file, from the entries
        return result

    def get_runner_type(self, node):
        if is_source(node):                # of a build that checks what it reads
            return FreshnessRunner
        return super().get_runner_type(node)

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
        if key in self.places:             # a batch on its model's own thread
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
                self.bench = ThreadPoolExecutor(
                    self.config.threads, "batch", initializer=self.enter_thread)
            return self.bench


def task_class(verb, base, session):
    """The command's own task with its loop over the nodes replaced."""
    return type("Task", (Task, base), {
        "verb": verb, "session": session, "control": session.control})

"""Where the process begins: dbt's command, with our task in place of its own."""
import atexit
import gc
import importlib
import os
import signal
import sys
import traceback

from dbt_worker import PROTOCOL
from dbt_worker.faults import plain
from dbt_worker.session import Session
from dbt_worker.wire import Control

TASKS = {
    "build": ("dbt.task.build", "BuildTask"),
    "run": ("dbt.task.run", "RunTask"),
    "test": ("dbt.task.test", "TestTask"),
    "seed": ("dbt.task.seed", "SeedTask"),
    "snapshot": ("dbt.task.snapshot", "SnapshotTask"),
    "freshness": ("dbt.task.freshness", "FreshnessTask"),
}

# What our Task replaces or calls. A dbt without one of them is not driven by guess-work.
NEEDED = ("_runtime_initialize", "before_run", "safe_run_hooks", "execute_nodes", "after_run",
          "get_result", "get_runner", "call_runner", "_pool_thread_initializer")


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
    from dbt_worker.task import task_class     # not before: it imports what a dbt unknown may lack
    session.adapt()
    setattr(module, name, task_class(verb, base, session))
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

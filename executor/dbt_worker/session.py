"""One run as dbt's surroundings see it: its events, its manifest, its end."""
import os
import sys
import time

from dbt_worker.faults import plain

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

"""What tests/long/kill.py sees of a run from outside: its journal, its processes, in which phase it
is and how long each takes; and the blow it deals it."""
import contextlib
import json
import os
import pty
import signal
import subprocess
import time

from harness import HEDDLE, alive

GOOD = ("success", "pass", "warn", "no-op")
START, PARSE, BEGIN, NODES, UNHEARD, END, FILES, OVER = PHASES = (
    "start-up", "parse", "on-run-start", "running", "commit not journaled", "on-run-end", "artifacts", "ended")
STEPS = (START, PARSE, BEGIN, NODES, END, FILES)   # as they follow one another
PATIENCE = 240                             # seconds until a run counts as hung


class Wrong(Exception):
    """What must not be."""


def expect(condition, *text):
    if not condition:
        raise Wrong(" ".join(map(str, text)))


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def is_guard(pid):
    """heddle's own child, which ends the worker when heddle is gone (executor/proc_posix.c)."""
    try:
        return os.path.samefile("/proc/%d/exe" % pid, HEDDLE)
    except OSError:
        return False


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


class Journal:
    """A journal as far as it was read: of each node its lines, the hooks, whether it ended."""

    def __init__(self, path, appends=()):
        self.path, self.at, self.head, self.appends = path, 0, None, appends
        self.lines, self.started, self.final, self.hooks, self.code = {}, set(), set(), [], None
        self.read()

    def read(self):
        """What was added; a line that is not whole waits."""
        with open(self.path, "rb") as f:
            f.seek(self.at)
            text = f.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.at += len(whole)
        for line in map(json.loads, whole.splitlines()):
            self.take(line)
        return self

    def take(self, line):
        if not self.head:
            self.head = line
        elif "id" in line:
            self.lines.setdefault(line["id"], []).append(line)
            self.take_step(line["id"], line["to"], line.get("earlier"))
        elif "at" in line:
            self.hooks.append(line["at"])
        self.code = line.get("end", self.code)

    def take_step(self, node, to, earlier):
        if to == "running" and not earlier:
            self.started.add(node)
        if to in ("done", "skipped") or (earlier and node in self.appends):
            self.final.add(node)           # of those of unknown outcome no more is written
        else:
            self.final.discard(node)

    def invocation(self):
        return self.head["run"]

    def good(self):
        return {node for node, lines in self.lines.items()
                if lines[-1]["to"] == "done" and lines[-1].get("status") in GOOD}

    def running(self):
        return {node for node in self.started if self.lines[node][-1]["to"] == "running"}

    def cut(self):
        """Nodes whose attempt has no end, or ended because something was killed or cancelled."""
        return {node for node, lines in self.lines.items() if lines[-1]["to"] == "running" or any(
            line.get("class") in ("worker lost", "connection lost", "cancelled", "timeout") for line in lines)}


class Pace:
    """How long the steps of a run that nobody disturbs take here and now; the nodes' one by one."""

    def __init__(self):
        self.seconds = dict.fromkeys(STEPS)

    def learn(self, blow):
        """Of each step that it went through undisturbed; more from the latest, as the machine's load
        comes and goes."""
        times = blow.undisturbed or dict(blow.seen, **{OVER: blow.seconds()})
        for step, after in zip(STEPS, (*STEPS[1:], OVER)):
            if step not in times or after not in times or (step == NODES and blow.ntodo < 10):
                continue
            began, ended = times[step], times[after]
            each = (ended - began) / (blow.ntodo if step == NODES else 1)
            known = self.seconds[step]
            self.seconds[step] = each if known is None else known + 0.5 * (each - known)

    def spans(self, nnodes):
        return [(step, self.seconds[step] * (nnodes if step == NODES else 1)) for step in STEPS]

    def total(self, nnodes):
        return sum(seconds for _, seconds in self.spans(nnodes))

    def find(self, moment, nnodes):
        """(step, its share) of a moment, which counts from 0 to 1 over the whole run."""
        left = moment * self.total(nnodes)
        for step, seconds in self.spans(nnodes):
            if left < seconds:
                return step, left / seconds
            left -= seconds
        return FILES, 1.0


class Blow:
    """One run of heddle and what was done to it: how, at which moment, aimed at what (kill.Plan)."""

    def __init__(self, work, words, plan=None):
        self.work, self.words, self.bench = work, words, work.bench
        self.how, self.moment, self.aim = plan or (None, None, None)
        self.phase, self.unheard = None, []
        self.before = set(work.journals())
        self.log = os.path.join(work.dir, "logs/dbt.log")
        self.log_from = size(self.log)
        self.out = os.path.join(work.dir, "out.%d" % len(work.blows))
        self.family, self.tty, self.record, self.over = [], None, None, False
        self.seen, self.undisturbed, self.ntodo = {}, None, None
        work.blows.append(self)
        if self.by_tty():
            self.tty, slave = pty.openpty()
        stdin = slave if self.tty else subprocess.DEVNULL
        self.started, self.took = time.monotonic(), None
        with open(self.out, "w") as out:
            self.p = subprocess.Popen([HEDDLE, *words], cwd=work.dir, env=work.env, stdin=stdin, stdout=out,
                                      stderr=slave if self.tty else out, start_new_session=True)
        if self.tty:
            os.close(slave)

    def by_tty(self):
        return bool(self.how) and self.how.startswith("tty")

    def by_signal(self):
        return bool(self.how) and "SIG" in self.how

    def missed(self):
        return bool(self.how) and self.phase == OVER

    def seconds(self):
        return time.monotonic() - self.started if self.took is None else self.took

    def text(self):
        with open(self.out, errors="replace") as f:
            return f.read()

    # -- watching --------------------------------------------------------------------------------

    def workers(self):
        """The living ones. They come and go; whoever was seen once must be gone in the end."""
        for pid in children(self.p.pid):
            if pid not in self.family:
                self.family.append(pid)
        return [pid for pid in self.family if alive(pid) and not is_guard(pid)]

    def journal(self):
        """This run's as it is now, or None while there is none."""
        if self.record:
            return self.record.read()
        new = sorted(set(self.work.journals()) - self.before) if not self.over else []
        if new:
            expect(len(new) == 1, "two journals of one run:", new)
            self.record = Journal(new[0], self.bench.appends)
        return self.record

    def step(self):
        """Where the run is, by what is on disk."""
        j = self.journal()
        if j is None:
            return PARSE if self.has_parsed() else START
        if self.ntodo is None:
            self.ntodo = self.nleft()
        if "end" in j.hooks or j.code is not None:
            return FILES
        if "start" not in j.hooks:
            return BEGIN
        return NODES if self.nleft() else END

    def has_parsed(self):
        with contextlib.suppress(FileNotFoundError), open(self.log) as f:
            f.seek(self.log_from)
            return "Running with dbt" in f.read()

    def look(self):
        """The step, and takes note of what comes by."""
        self.workers()
        if self.tty:
            self.drain()
        step = self.step()
        self.seen.setdefault(step, self.seconds())
        return step

    def drain(self):
        os.set_blocking(self.tty, False)
        with contextlib.suppress(OSError):
            os.read(self.tty, 65536)

    def wait(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while self.p.poll() is None:
            step = self.look()
            if time.monotonic() > end:
                self.kill(self.p.pid, *self.family)
                self.p.wait()
                raise Wrong("no end after %d s" % seconds)
            time.sleep(0.005 if step in (END, FILES) else 0.02)
        self.took = self.seconds()
        if self.tty:
            os.close(self.tty)
            self.tty = None
        self.journal()                     # before the next run makes one
        self.over = True
        return self.p.returncode

    # -- striking --------------------------------------------------------------------------------

    def strike(self, pace):
        """At its moment. A run that is faster than was thought may be over by then."""
        ntodo = len(self.bench.tasks - self.work.known())
        step, share = pace.find(self.moment, ntodo) if not self.aim else (self.aim, self.moment)
        if step == UNHEARD:
            self.wait_for_node(share)
        else:
            self.wait_for(step, share, pace)
        if self.p.poll() is not None:
            self.phase = OVER
            return
        self.undisturbed = dict(self.seen)
        workers = self.workers()
        if step == UNHEARD:
            self.p.send_signal(signal.SIGSTOP)
            self.wait_for_worker()
            self.kill(*workers, self.p.pid)
        elif self.by_signal():
            self.send()
        else:
            self.kill(*{"heddle": [self.p.pid], "worker": workers, "worker, heddle": [*workers, self.p.pid],
                        "heddle, worker": [self.p.pid, *workers]}[self.how])
        if self.how != "worker" and not self.by_signal():
            self.p.wait()
        self.phase = self.step()

    def wait_for(self, step, share, pace):
        """Until that share of the step is done: of the nodes, or else of its time."""
        until = None
        while self.p.poll() is None and self.seconds() < PATIENCE:
            now = self.look()
            if STEPS.index(now) > STEPS.index(step):
                return
            if now == NODES == step and self.ntodo - self.nleft() >= int(share * self.ntodo):
                time.sleep(share * self.ntodo % 1 * pace.seconds[NODES])
                return
            if now == step != NODES:
                until = until or self.seconds() + share * pace.seconds[step]
                if self.seconds() >= until:
                    return
            time.sleep(0.02 if now in (START, PARSE) else 0.004)

    def wait_for_node(self, share):
        """Until that share of the nodes is done and one that commits something has started."""
        while self.p.poll() is None and self.seconds() < PATIENCE:
            now = self.look()
            if now in (END, FILES):
                return
            if now == NODES and self.ntodo - self.nleft() >= share * 0.9 * self.ntodo and \
                    self.record.running() & set(self.bench.relations):
                return
            time.sleep(0.004)

    def nleft(self):
        return len(self.bench.tasks - self.record.final)

    def wait_for_worker(self):
        """Until it has done what it was given, by its silence."""
        was, since = size(self.log), time.monotonic()
        while time.monotonic() - since < 0.3 and self.seconds() < PATIENCE:
            time.sleep(0.02)
            if size(self.log) != was:
                was, since = size(self.log), time.monotonic()

    def kill(self, *pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def send(self):
        signo = signal.SIGTERM if "SIGTERM" in self.how else signal.SIGINT
        self.p.send_signal(signo)
        if "twice" in self.how:
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                self.p.send_signal(signo)

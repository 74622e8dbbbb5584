"""The board of `heddle build` on a real pseudo-terminal: what a small terminal emulator shows of it
while nodes run and after the end, on wide and narrow ones, resized and stopped in mid-run; and that
nothing of it is seen where there is no terminal for it."""
import codecs
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import tempfile
import termios
import time
import unicodedata

from harness import HEDDLE, Run, cases, clean_env, edit, shop, wait_until, write

NAP = """
def model(dbt, session):
    import time
    dbt.config(materialized="table")
    time.sleep(%s)
    return session.sql("select 1 as n")
"""
BAR = re.compile(r"^\[[#.]+\] +\d+/\d+ |^ *\d+/\d+  ")
SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


def width(c):
    return 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1


class Screen:
    """What a terminal makes of the bytes. Knows what heddle may send, and nothing else."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.above, self.lines = [], [[]]      # scrolled off; on the screen
        self.x = self.y = 0
        self.wrap = True
        self.colours = False

    def feed(self, text):
        while text:
            m = SEQUENCE.match(text)
            if m:
                self.control(*m.groups())
                text = text[m.end():]
                continue
            c, text = text[0], text[1:]
            if c == "\r":
                self.x = 0
            elif c == "\n":
                self.down()
            elif c == "\t":
                self.x = min(self.x // 8 * 8 + 8, self.columns - 1)
            elif c == "\b":
                self.x = max(self.x - 1, 0)
            elif c != "\a":
                assert c >= " ", "%r reached the terminal" % (c + text[:40])
                self.put(c)

    def control(self, private, number, letter):
        if letter == "A":
            self.y = max(self.y - int(number or 1), 0)
        elif letter == "K":
            assert not number
            del self.lines[self.y][self.x:]
        elif letter == "J":
            assert not number
            del self.lines[self.y][self.x:]
            del self.lines[self.y + 1:]
        elif letter == "m":
            self.colours = True
        else:
            assert (private, number) == ("?", "7") and letter in "hl", (private, number, letter)
            self.wrap = letter == "h"

    def put(self, c):
        if self.x + width(c) > self.columns:
            assert self.wrap, "a line of the board is too wide: %r" % "".join(self.lines[self.y])
            self.x = 0
            self.down()
        line = self.lines[self.y]
        line += " " * (self.x + width(c) - len(line))
        line[self.x:self.x + width(c)] = [c] + [""] * (width(c) - 1)
        self.x += width(c)

    def down(self):
        self.y += 1
        if self.y == len(self.lines):
            self.lines.append([])
        if len(self.lines) > self.rows:
            self.above.append(self.lines.pop(0))
            self.y -= 1

    def resize(self, columns, rows):
        """As xterm: what is past the edge is cut, lines leave at the top."""
        self.columns, self.rows = columns, rows
        for line in self.lines:
            del line[columns:]
        while len(self.lines) > rows and len(self.lines) - 1 > self.y:
            self.lines.pop()
        while len(self.lines) > rows:
            self.above.append(self.lines.pop(0))
            self.y -= 1
        self.x = min(self.x, columns - 1)

    def text(self):
        return ["".join(x).rstrip() for x in self.above + self.lines]

    def board(self):
        """Its lines, the status first; empty when there is none."""
        for i, line in enumerate(self.text()[len(self.above):]):
            if BAR.match(line):
                return [x for x in self.text()[len(self.above) + i:] if x]
        return []


class Terminal:
    """heddle on a terminal, started as a shell does it: in a process group of its own, which can be
    stopped and brought back."""

    def __init__(self, words, cwd, columns=100, rows=30, term="xterm", colours=True):
        env = clean_env(TERM=term)
        if colours:
            del env["NO_COLOR"], env["DBT_USE_COLORS"]
        self.screen = Screen(columns, rows)
        self.words = words
        self.raw, self.left, self.boards, self.moments = b"", "", [], []
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.code = None
        self.shell, self.fd = pty.fork()
        if self.shell == 0:
            self.be_shell(cwd, env)
        self.size(columns, rows)

    def be_shell(self, cwd, env):
        code = 1
        try:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.chdir(cwd)
            pid = os.fork()
            if pid == 0:
                os.setpgid(0, 0)
                os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
                time.sleep(0.2)     # the size is set meanwhile
                os.execve(HEDDLE, [HEDDLE, *self.words], env)
            while True:
                _, status = os.waitpid(pid, os.WUNTRACED)
                if not os.WIFSTOPPED(status):
                    break
                os.tcsetpgrp(0, os.getpgrp())
                os.write(1, b"the shell: stopped\n")
                time.sleep(1)
                os.write(1, b"the shell: fg\n")
                os.tcsetpgrp(0, pid)
                os.killpg(pid, signal.SIGCONT)
            code = os.waitstatus_to_exitcode(status)
        finally:
            os._exit(code & 0xff)

    def size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.read()
        self.size(columns, rows)
        self.screen.resize(columns, rows)

    def read(self):
        """Takes what has come; a piece ends where a drawing does. True while it runs."""
        while self.code is None and select.select([self.fd], [], [], 0.02)[0]:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                got = b""
            if not got:
                _, status = os.waitpid(self.shell, 0)
                self.code = os.waitstatus_to_exitcode(status)
                break
            self.raw += got
            *whole, rest = (self.left + self.decoder.decode(got)).split("\x1b[?7h")
            for piece in whole:
                self.screen.feed(piece + "\x1b[?7h")
                self.boards.append(self.screen.board())
                self.moments.append(time.monotonic())
            cut = rest.rfind("\x1b") if "\x1b" in rest[-8:] else len(rest)
            self.screen.feed(rest[:cut])
            self.left = rest[cut:]
        return self.code is None

    def until(self, what, test, seconds=60):
        return wait_until(what + "\n" + "\n".join(self.screen.text()), lambda: (self.read(), test())[1], seconds)

    def finish(self, code, seconds=60):
        self.until("heddle ends", lambda: self.code is not None, seconds)
        self.screen.feed(self.left)
        os.close(self.fd)
        text = self.screen.text()
        assert self.code == code, (self.code, "\n".join(text))
        assert self.screen.wrap and self.screen.x == 0
        assert not [x for x in text if BAR.match(x)], "\n".join(text)
        assert not [x for x in text if re.match(r"^ {2,}[\d.:]+s? +(model|test|seed) ", x)], "\n".join(text)
        return text


class Project:
    def __init__(self, nap=2):
        self.nap = nap

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="b")
        d = shop(self.folder)
        if self.nap:
            os.remove(os.path.join(d, "models/semantic/days.sql"))
            write(d, "models/semantic/days.py", NAP % self.nap)
        return d

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def runs(t, name):
    return any(re.match(r" +[\d.:]+s? .*\b%s" % name, x) for x in t.screen.board())


def case_failures_stay_above_it_in_full():
    with Project() as d:
        edit(d, "models/staging/stg_payments.sql", "select", "select no_such_column,")
        t = Terminal(["build", "--threads", "2"], d)
        text = t.finish(1)
        assert any(runs_days(b) for b in t.boards), t.boards[-1:]
        story = "\n".join(text)
        assert re.search(r"ERROR +model stg_payments", story), story
        assert "no_such_column" in story and "compiled code: target/" in story, story
        assert not re.search(r"\d+/52 +(OK|PASS|SKIP) ", story), story
        assert re.search(r"1 errored.*\d+ skipped", story), story
        assert "next: mend it" in story, story
        assert any("1 failed" in b[0] and "skipped" in b[0] for b in t.boards if b)
        assert t.screen.colours
        # At most ten a second.
        took = t.moments[-1] - t.moments[0]
        assert len(t.moments) <= took * 10 + 2, (len(t.moments), took)
        # Times are known now: what is usual, and how long it will take.
        t = Terminal(["build", "--threads", "2"], d)
        t.finish(1)
        assert any(re.search(r"~\d+s left", b[0]) for b in t.boards if b), t.boards[:3]
        assert any("usually" in x for b in t.boards for x in b), t.boards[:3]


def runs_days(board):
    return any(re.match(r" +[\d.]+s  model days", x) for x in board)


def case_narrow_and_resized():
    with Project(4) as d:
        t = Terminal(["build", "--threads", "4"], d, 20, 10, colours=False)
        t.until("the nap", lambda: runs(t, "days"))
        assert not t.screen.colours
        for columns, rows in ((120, 40), (40, 6), (20, 5), (90, 30)):
            t.resize(columns, rows)
            time.sleep(0.35)
            t.read()
            board = t.screen.board()
            assert board and len(board) < rows, (rows, board)
            assert max(len(x) for x in board) < columns, board
        t.finish(0)


def case_stopped_and_brought_back():
    with Project(3) as d:
        t = Terminal(["build", "--threads", "2"], d)
        t.until("the nap", lambda: runs(t, "days"))
        os.write(t.fd, b"\x1a")
        t.until("it stops", lambda: "the shell: stopped" in "\n".join(t.screen.text()), 10)
        time.sleep(0.3)
        t.read()
        assert not t.screen.board(), "\n".join(t.screen.text())
        drawn = len(t.boards)
        t.until("it is drawn again", lambda: len(t.boards) > drawn and t.screen.board(), 10)
        text = t.finish(0)
        i = text.index("the shell: stopped")
        assert text[i + 1] == "the shell: fg", text


def case_interrupted():
    with Project(3) as d:
        t = Terminal(["build", "--threads", "2"], d)
        t.until("the nap", lambda: runs(t, "days"))
        os.write(t.fd, b"\x03")
        text = "\n".join(t.finish(130))
        assert "SIGINT: nothing new starts" in text, text
        assert "stopped by signal 2" in text, text


def case_killed_it_leaves_the_terminal_as_it_was():
    with Project(3) as d:
        t = Terminal(["build", "--threads", "2"], d)
        t.until("the nap", lambda: runs(t, "days"))
        os.killpg(os.tcgetpgrp(t.fd), signal.SIGKILL)
        t.until("it is gone", lambda: t.code is not None, 10)
        assert t.screen.wrap and t.screen.x == 0
        assert b"\x1b[?25l" not in t.raw


def case_where_no_board_belongs():
    with Project(0) as d:
        for term, *words in (["dumb"], ["xterm", "--no-board"], ["xterm", "--quiet"],
                             ["xterm", "--log-format", "json"]):
            t = Terminal(["build", "--select", "raw_orders", *words], d, term=term, colours=False)
            t.finish(0)
            assert b"\x1b" not in t.raw, (words, t.raw[-300:])
        out = Run([HEDDLE, "build", "--select", "raw_orders"], d).check(0).out
        assert "\x1b" not in out and re.search(r"1/\d+ +OK +seed raw_orders", out), out[-500:]


if __name__ == "__main__":
    cases(globals())

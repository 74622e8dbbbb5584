"""Names and output that attack whoever shows them: a run by a command of the user's, on a terminal and
not, its journal, history, report and everything that only reads. No control character, no HTML, no
line that starts with `::` gets through; no shell acts on a name."""
import html.parser
import json
import os
import re
import shutil
import tempfile

from board import Terminal
from harness import HEDDLE, Run, cases, clean_env, write

ESC, BELL, CSI, TURN = "\x1b", "\x07", "\x9b", "\u202e"
LONG = "long_" + "名\"'\n<é" * 45
NAMES = ["plain", "with-dash", "with.dot", "quote'single", 'quote"double', "dollar$HOME", "$(touch${IFS}pwned)",
         "`touch${IFS}pwned`", "semi;reboot", "a&&b", "pipe|cat", "out>file", "jinja{{ds}}", "block{%raise%}", "hash#tag",
         "percent%s%n", "back\\slash", "ünïcødé", "模型", "emoji🙂", "-dash", "--select", "a:b", "<tag>&amp;", "]]>", "-->x",
         "::error::file=x", "line\n::error::second", "carriage\r::error::return", ESC + "[2Jclear", ESC + "]0;title" + BELL,
         CSI + "31mred", TURN + "desrever", "tab\there", "null\\u0000", "back\b\b\bspace", "</script><script>alert(1)</script>",
         "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "=1+1", "@SUM(1)", "a,b\"c", LONG]
GIVEN = os.environ.get("HOSTILE_MANIFEST")     # another one, by hand
OUTPUT = """#!/bin/sh
printf '%%s\\n' "out of $1"
printf '\\033[2J\\033]0;owned\\007\\n::error::from the output\\n</script><script>alert(2)</script>\\r::warning::x\\n'
case $1 in *quote*|*long*|*clear*) exit 1 ;; esac
"""


def manifest():
    nodes = {}
    for i, name in enumerate(NAMES):
        uid = "model.shop." + name
        nodes[uid] = {
            "resource_type": "model", "unique_id": uid, "name": name, "package_name": "shop", "fqn": ["shop", name],
            "path": name + ".sql", "original_file_path": "models/%s.sql" % name, "database": "db", "schema": "main",
            "alias": name, "tags": [name], "description": name, "columns": {}, "meta": {}, "raw_code": "select 1 -- " + name,
            "config": {"materialized": "view", "enabled": True, "tags": [name]},
            "checksum": {"name": "none", "checksum": str(i)},
            "depends_on": {"macros": [], "nodes": ["model.shop." + NAMES[i - 1]] if i % 7 == 1 else []}}
    return {"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "dbt_version": "1.11.0",
                         "adapter_type": "postgres", "project_name": "shop"},
            "nodes": nodes, "sources": {}, "macros": {}, "docs": {}, "exposures": {}, "metrics": {}, "groups": {},
            "selectors": {}, "disabled": {}, "saved_queries": {}, "semantic_models": {}, "unit_tests": {},
            "parent_map": {u: n["depends_on"]["nodes"] for u, n in nodes.items()},
            "child_map": {u: [c for c, n in nodes.items() if u in n["depends_on"]["nodes"]] for u in nodes}}


class Project:
    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="hostile-")
        self.env = clean_env(XDG_STATE_HOME=os.path.join(self.dir, "state"))
        write(self.dir, "dbt_project.yml", "name: shop\n")
        write(self.dir, "noise", OUTPUT)
        os.chmod(os.path.join(self.dir, "noise"), 0o755)
        doc = manifest()
        if GIVEN:
            with open(GIVEN) as f:
                doc = json.load(f)
        write(self.dir, "target/manifest.json", json.dumps(doc))
        for node in doc["nodes"].values():
            node["checksum"]["checksum"] += "then"
            node["raw_code"] += "then"
        for uid in list(doc["nodes"])[::5]:
            del doc["nodes"][uid]
        write(self.dir, "before/manifest.json", json.dumps(doc))
        self.before = set(os.listdir(self.dir))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *words, codes=(0,)):
        run = Run([HEDDLE, *words], self.dir, self.env)
        assert run.code in codes, (words, run.code, run.out[-2000:])
        return run.out

    def build(self, *words):
        return self.run("build", "--command", "./noise {name}", "--retries", "0", *words, codes=(1,))


def harmless(text, words, newlines="\n"):
    """On a terminal, and in the log of a CI that obeys lines of ::command::."""
    bad = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text.replace(newlines, "\n"))
    assert not bad, "%s: %r gets through: %r" % (words, bad.group(), text[max(0, bad.start() - 80):bad.end() + 40])
    for line in text.splitlines():
        assert not line.startswith("::"), (words, line)


def case_plain_lines():
    with Project() as p:
        for words in ((), ("--no-board",), ("--quiet",)):
            out = p.build(*words)
            harmless(out, words)
            assert "quote" in out, out
        for line in p.build("--log-format", "json").splitlines():
            harmless(line, "json")
            json.loads(line)
        harmless(p.run("retry", codes=(1,)), "retry")
        assert set(os.listdir(p.dir)) - p.before <= {"state", "logs"}, os.listdir(p.dir)


def case_on_a_terminal():
    """board.py's terminal knows no sequence but heddle's own, and says which reached it."""
    with Project() as p:
        t = Terminal(["build", "--command", "sh -c 'sleep 0.15; ./noise \"$HEDDLE_NAME\"'", "--retries", "0"], p.dir)
        text = t.finish(1)
        assert any(t.boards), "no board was seen"
        assert not any(line.startswith("::") for line in text), text
        raw = t.raw.decode()
        assert not re.search("[\x07\x08\x7f-\x9f\u202a-\u202e]", raw), raw


def case_what_only_reads():
    with Project() as p:
        p.build()
        p.build()
        for words in (("ls",), ("ls", "--output", "path"), ("plan",), ("lint",), ("diff", "--state", "before"),
                      ("history",), ("history", "--slowest"), ("history", "--flaky"), ("history", "--node", "plain"),
                      ("config", "plain"), ("ls", "--select", NAMES[28])):
            harmless(p.run(*words, codes=(0, 1, 2)), words)
        for words in (("ls", "--output", "json"), ("history", "--output", "json"), ("history", "--slowest", "--output", "json")):
            out = p.run(*words)
            harmless(out, words)
            for line in out.splitlines() if words[0] == "ls" else [out]:
                json.loads(line)
        harmless(p.run("history", "--slowest", "--output", "csv"), "csv", "\r\n")


class Page(html.parser.HTMLParser):
    """What a browser would make of the page: its tags and what it would run."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.inside, self.handlers, self.tags = [], False, [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.handlers += [(tag, k, v) for k, v in attrs if k.startswith("on") or "alert" in (v or "")]
        if tag == "script":
            self.inside = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def case_pages():
    with Project() as p:
        p.build()
        for words in (("report", "-o", "page.html"), ("export", "html", "-o", "page.html")):
            p.run(*words)
            with open(os.path.join(p.dir, "page.html"), encoding="utf-8", newline="") as f:
                text = f.read()
            page = Page(text)
            assert not page.handlers, page.handlers
            assert "img" not in page.tags, page.tags
            assert not any(s.startswith("alert(") for s in page.scripts), "a script of a name's"
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", text), "a control character"
            assert "plain" in text and ("alert(1)" in text or GIVEN), "the names are not shown at all"


if __name__ == "__main__":
    cases(globals())

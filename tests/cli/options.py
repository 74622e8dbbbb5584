"""Every option that `dbt build|run|test|seed|snapshot|source freshness --help` prints is taken by heddle, after the
command and before it. No dbt is started: a wrong value of an option of heddle's own, seen only once
all others were taken, ends each call."""
import functools
import json
import os
import re
import subprocess
import tempfile

from harness import DBT, HEDDLE, Run, cases, clean_env, write

COMMANDS = ("build", "run", "test", "seed", "snapshot", "source freshness")
READ_BY_US = {"--warn-error-options": "{}"}     # so its value must make sense
MULTI = {"TUPLE"}          # takes several words
END = ["--retries", "nonsense"]
ENDED = "--retries: expected"


@functools.lru_cache(None)
def options_of(command):
    """[(spellings, value's name or None)] from dbt's own help text."""
    text = subprocess.run([DBT, *command.split(), "--help"], stdout=subprocess.PIPE, text=True, check=True,
                          env=clean_env(COLUMNS=200)).stdout
    found = []
    for line in text.splitlines():
        if not re.match(r"  -", line):
            continue
        head = re.split(r"\s{2,}", line.strip())[0]
        spellings = re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", re.split(r" (?=[A-Z\[%])", head)[0])
        value = re.search(r" ([A-Z]+|\[.*)$", head)
        found.append((spellings, value and value.group(1)))
    return found


def example(value):
    return re.split(r"[|\]]", value[1:])[0] if value.startswith("[") else "7"


def call(words):
    done = subprocess.run([HEDDLE, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=clean_env(), stdin=subprocess.DEVNULL, timeout=20)
    return done.returncode, done.stdout


def taken(words):
    code, text = call(words)
    return code == 2 and ENDED in text


def case_help_is_read():
    """dbt's help looks as this test thinks: else it would test nothing."""
    for command in COMMANDS:
        named = {s: v for spellings, v in options_of(command) for s in spellings}
        for name in ("--threads", "--vars", "--target", "-t", "-x", "--fail-fast", "--no-fail-fast", "--warn-error",
                     "--no-partial-parse", "--log-format", "-s", "-m", "--models", "--exclude", "--state", "-d"):
            assert name in named, (command, name)
        assert named["--threads"] == "INTEGER" and named["--fail-fast"] is None, named
        assert len(named) > 70, len(named)


def case_unknown_is_refused():
    """The way of asking can say no."""
    assert taken(["build", *END])
    assert not taken(["build", "--no-such-option", *END])
    assert not taken(["build", "--no-such-option=1", *END])
    assert not taken(["--no-such-option", "build", *END])
    assert not taken(["build", "-Z", *END])


def check(command):
    bad = []
    for spellings, value in options_of(command):
        for name in spellings:
            if name in ("-h", "--help", "-V", "-v", "--version"):
                continue
            forms = [[name]] if value is None else [[name, example(value)]]
            if value is not None and name.startswith("--"):
                forms.append(["%s=%s" % (name, example(value))])
            if value in MULTI:
                forms.append([name, "one", "two"])
            for form in forms:
                for words in ([*command.split(), *form, *END], [*form, *command.split(), *END]):
                    if not taken(words):
                        bad.append("%s: %s" % (" ".join(words), call(words)[1].strip()))
    assert not bad, "\n".join(bad)


def case_build():
    check("build")


def case_run():
    check("run")


def case_test():
    check("test")


def case_seed():
    check("seed")


def case_snapshot():
    check("snapshot")


def case_source_freshness():
    check("source freshness")


# Those heddle acts upon, or gives every command itself.
OWN = {"--select", "-s", "--models", "-m", "--model", "--exclude", "--selector", "--resource-type", "--resource-types",
       "--exclude-resource-type", "--exclude-resource-types", "--indirect-selection", "--threads", "--fail-fast", "-x",
       "--no-fail-fast", "--quiet", "-q", "--no-quiet", "--log-format", "--target-path", "--project-dir", "--state",
       "--output", "-o", "--help", "-h", "--version", "-V", "-v", "--use-colors", "--no-use-colors"}
STAND_IN = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done >"$CALLS/$1.$$"
while [ $# -gt 0 ]; do case $1 in --target-path) t=$2 ;; esac; shift; done
mkdir -p "$t"; [ -e "$t/manifest.json" ] || cp manifest.json "$t/manifest.json"
"""


def stand_in_project(folder):
    """A node of each kind, none of which waits for another, and dbt that only notes its words."""
    def node(kind, **more):
        return dict(more, resource_type=kind, unique_id="%s.p.%s" % (kind, kind), name=kind, package_name="p",
                    path="x", original_file_path="models/x", fqn=["p", kind], tags=[],
                    config={"enabled": True, "materialized": kind})

    source = node("source", source_name="raw", loaded_at_field="at", relation_name="raw.source",
                  freshness={"warn_after": {"count": 1, "period": "day"}})
    nodes = [node(kind, depends_on={"nodes": ["source.p.source"] if kind == "model" else [], "macros": []})
             for kind in ("model", "test", "seed", "snapshot")]
    write(folder, "dbt_project.yml", "name: p\nversion: '1.0'\nprofile: p\n")
    write(folder, "manifest.json", json.dumps({
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "dbt_version": "1.11.0",
                     "project_name": "p", "adapter_type": "postgres"},
        "nodes": {n["unique_id"]: n for n in nodes}, "sources": {"source.p.source": source}, "disabled": {}}))
    write(folder, "bin/dbt", STAND_IN)
    os.chmod(os.path.join(folder, "bin/dbt"), 0o755)


def calls_of(command, options):
    """{dbt command: its words} of a run with these options, one dbt a node."""
    with tempfile.TemporaryDirectory() as folder:
        stand_in_project(folder)
        os.mkdir(os.path.join(folder, "calls"))
        env = clean_env(PATH="%s/bin:%s" % (folder, os.environ["PATH"]), CALLS=folder + "/calls")
        more = ["--freshness"] if command == "build" else []
        out = Run([HEDDLE, command, "--runner", "cli", "--retries", "0", *more, *options], folder, env).out
        found = {}
        for name in os.listdir(folder + "/calls"):
            with open(os.path.join(folder, "calls", name)) as f:
                found[name.split(".")[0]] = f.read().splitlines()
        return found, out


def check_cli(command, *expected):
    given, words = [], []
    for spellings, value in options_of(command):
        for name in spellings:
            if name not in OWN:
                given.append(name)
                words += [name] if value is None else [name, READ_BY_US.get(name) or example(value)]
    found, out = calls_of(command, words)
    assert sorted(found) == sorted(expected), (sorted(found), out)
    for verb, line in found.items():
        known = {s for spellings, _ in options_of("source freshness" if verb == "source" else verb) for s in spellings}
        passed = {w for w in line if w.startswith("-")}
        if verb == "snapshot" and "--empty" not in known:    # dbt 1.8; it says so itself
            passed -= {"--empty", "--no-empty"}
        assert not passed - known, "dbt %s does not know %s" % (verb, passed - known)
        missing = [name for name in given if name in known and name not in passed]
        assert not missing, "dbt %s is not given %s" % (verb, missing)


def case_one_command_a_node():
    """--runner cli: every command is given the options it knows, and no other."""
    check_cli("build", "parse", "run", "test", "seed", "snapshot", "source")
    check_cli("seed", "parse", "seed")


def case_options_of_other_commands_are_refused():
    for command, word in (("test", "--full-refresh"), ("seed", "--empty"), ("build", "--output=x"), ("run", "-o")):
        found, out = calls_of(command, [word, *(["x"] if word == "-o" else [])])
        assert not found and "has no such option" in out, (command, word, found, out)


def case_version():
    for words in (["--version"], ["-V"], ["-v"], ["build", "--version"], ["run", "-v"]):
        code, text = call(words)
        assert code == 0 and "heddle" in text, (words, code, text)


if __name__ == "__main__":
    cases(globals())

"""Every option that `dbt build|run|test|seed|snapshot|source freshness --help` prints is taken by heddle, after the
command and before it. No dbt is started: a wrong value of an option of heddle's own, seen only once
all others were taken, ends each call."""
import functools
import re
import subprocess

from harness import DBT, HEDDLE, cases, clean_env

COMMANDS = ("build", "run", "test", "seed", "snapshot", "source freshness")
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


def case_version():
    for words in (["--version"], ["-V"], ["-v"], ["build", "--version"], ["run", "-v"]):
        code, text = call(words)
        assert code == 0 and "heddle" in text, (words, code, text)


if __name__ == "__main__":
    cases(globals())

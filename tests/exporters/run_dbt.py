"""Runs run_dbt() of what run_dbt.sh has exported, with a script in place of dbt and of heddle."""
import importlib.util
import json
import os
import subprocess
import sys
import types

DBT = """#!%s
import json, os, signal, sys, time
target = os.environ.get("DBT_TARGET_PATH")
said = {"argv": sys.argv[1:], "target": target, "parsed": os.environ.get("DBT_PARTIAL_PARSE_FILE_PATH")}
def stop(*_):
    said["interrupted"] = True
    json.dump(said, open("said.json", "w"))
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
json.dump(said, open("said.json", "w"))
if "wait" in sys.argv:
    open("waits", "w").close()
    time.sleep(60)
if "silent" not in sys.argv:
    results = [{"unique_id": "test.shop.a.0123456789", "status": os.environ.get("STATUS", "pass"), "failures": 3, "message": "m"}]
    json.dump({"results": results}, open(os.path.join(target, "run_results.json"), "w"))
sys.exit(int(os.environ.get("CODE", "0")))
"""


class Anything:
    """Stands for every name of an orchestrator, called or decorating."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __call__(self, *args, **kwargs):
        return args[0] if len(args) == 1 and callable(args[0]) and not kwargs else Anything(*args, **kwargs)

    def __getattr__(self, name):
        return Anything()

    def __or__(self, other):
        return self


class Failure(Exception):
    def __init__(self, text, allow_retries=True):
        super().__init__(text)


def module(name, **members):
    m = types.ModuleType(name)
    m.__getattr__ = lambda _: Anything()
    m.__dict__.update(members)
    sys.modules[name] = m


def load(name):
    spec = importlib.util.spec_from_file_location(name, name + ".py")
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    m.DBT[:] = [os.path.abspath("dbt")]
    return m


def said():
    with open("said.json") as f:
        return json.load(f)


def raises(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    sys.exit("%s%r: no %s" % (call.__name__, args, kind.__name__))


def check(is_it, want, what):
    if is_it != want:
        sys.exit("%s: %r, not %r" % (what, is_it, want))


def check_larger_tasks():
    """Of tasks that heddle runs: a target folder that stays, and --resume from the second try on."""
    runtime = types.SimpleNamespace(name="staging", run_count=1)
    module("prefect.runtime", task_run=runtime)
    flow = load("prefect_folders")
    kept = os.path.realpath("target/staging")
    for count in (1, 2):
        runtime.run_count = count
        flow.run_dbt(["build", "silent"], 30)
        check(said()["argv"][2:3] == ["--resume"], count > 1, "Prefect, try %d resumes" % count)
        check(said()["target"], kept, "Prefect: the target folder of a larger task")
        flow.run_dbt(["on-run-end", "silent"], 30)
        check(said()["argv"][:2], ["on-run-end", "silent"], "Prefect: hooks resume nothing")
        check(said()["target"], os.path.dirname(kept), "Prefect: on-run-end finds what the tasks left")
    load("prefect_whole").run_dbt(["build", "silent"], 30)
    check(said()["target"], None, "the one task of all uses the project's own target folder")


def run_block(project, name, **variables):
    repo = os.path.abspath(project)
    module("mage_ai.settings.repo", get_repo_path=lambda: repo)
    spec = importlib.util.spec_from_file_location(name, "%s/custom/shop/%s.py" % (project, name))
    block = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(block)
    block.run(**variables)
    return said()


def check_mage():
    for name in ("mage_ai", "mage_ai.settings", "mage_ai.data_preparation"):
        module(name)
    module("mage_ai.data_preparation.decorators", custom=lambda function: function)
    told = run_block("mage_nodes", "stg_orders_run", retry={"attempts": 2})
    check(told["argv"], ["run", "--select", "fqn:shop.staging.stg_orders"] + told["argv"][3:], "Mage: words")
    check("--resume" in told["argv"], False, "Mage: dbt cannot resume")
    check(os.path.exists(told["target"]), False, "Mage: the target folder is gone")
    for attempts in (1, 2):
        told = run_block("mage_folders", "staging", retry={"attempts": attempts})
        check("--resume" in told["argv"], attempts > 1, "Mage, try %d resumes" % attempts)
        check(told["target"], os.path.realpath("target/staging"), "Mage: the target folder of a larger task")
    check("--resume" in run_block("mage_folders", "staging")["argv"], False, "Mage: run by hand")


def main():
    with open("dbt", "w") as f:
        f.write(DBT % sys.executable)
    os.chmod("dbt", 0o755)
    module("dagster", Failure=Failure, AssetKey=Anything())
    for name in ("prefect", "prefect.cache_policies", "prefect.futures", "prefect.task_runners", "prefect.tasks"):
        module(name)
    dagster, prefect = load("dagster_file"), load("prefect_file")

    code, results = dagster.run_dbt(["run", "--select", "$(touch pwned) 'a'"], 30)
    check((code, [r["status"] for r in results]), (0, ["pass"]), "code and results")
    check(said()["argv"][:3], ["run", "--select", "$(touch pwned) 'a'"], "words stay words")
    check(said()["argv"][3:5], ["--target", "prod"], "flags follow")
    check(os.path.exists(said()["target"]), False, "the target folder is gone")
    check(said()["parsed"], None, "no saved parse")
    os.makedirs("target")
    open("target/partial_parse.msgpack", "w").close()
    first = said()["target"]
    prefect.run_dbt(["seed", "silent"], 30)
    check(said()["parsed"], os.path.realpath("target/partial_parse.msgpack"), "the saved parse is taken along")
    check(said()["target"] == first, False, "each command has a target folder of its own")

    os.environ["CODE"] = "1"
    raises(subprocess.CalledProcessError, prefect.run_dbt, ["run"], 30)
    raises(Failure, dagster.dbt, ["run"], 30)
    os.environ["STATUS"] = "fail"
    check(dagster.dbt(["run"], 30)[0], 1, "a verdict of a test is no failure of the command")
    raises(Failure, dagster.dbt, ["run", "silent"], 30)
    os.environ["STATUS"] = "error"
    raises(Failure, dagster.dbt, ["run"], 30)
    os.environ["CODE"] = "0"

    for m in (dagster, prefect):
        for limit in (2, 10, 40):  # a busy machine may need long to start the script
            raises(subprocess.TimeoutExpired, m.run_dbt, ["wait"], limit)
            if os.path.exists("waits"):
                break
        os.remove("waits")
        check(said().get("interrupted"), True, "dbt is interrupted when the time is over")

    check_larger_tasks()
    check_mage()

    # Verdicts: by the test's name, with or without the hash; else by the exit code.
    check(os.path.exists("pwned"), False, "no shell")
    context = types.SimpleNamespace(selected_asset_check_keys=[
        types.SimpleNamespace(name=n, asset_key="k", __lt__=None) for n in ("a",)])
    sys.modules["dagster"].AssetCheckResult = dict
    for status, passed in (("pass", True), ("fail", False), ("warn", False)):
        [verdict] = dagster.verdicts(context, 0, [{"unique_id": "test.shop.a.0123456789", "status": status, "failures": 3}])
        check((verdict["passed"], verdict["metadata"]), (passed, {"failures": 3}), status)
    for code, passed in ((0, True), (1, False)):
        [verdict] = dagster.verdicts(context, code, [])
        check((verdict["passed"], verdict["metadata"]), (passed, None), "exit code %d" % code)


main()

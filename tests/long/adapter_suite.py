"""dbt's own adapter suite (dbt-tests-adapter) through heddle, on a PostgreSQL of its own, by hand:

    HEDDLE_SHARED=DIR .venv/bin/python tests/long/adapter_suite.py [pytest's arguments]

.venv has dbt-core, dbt-postgres, dbt-tests-adapter and pytest (pytest-xdist: `-n 2 --dist loadscope`).
DIR (or ../shared) holds judges/dbt_suite: the suite's classes as tests, a plugin that sends run, build,
test, seed and snapshot to a program, and the tests that pass with dbt itself. Each of those must pass,
but for four that no program can pass. About half an hour on two idle cores.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from harness import HEDDLE, PYTHON, ROOT, Postgres, clean_env  # noqa: E402

SUITE = os.path.join(os.environ.get("HEDDLE_SHARED") or os.path.join(ROOT, "..", "shared"), "judges", "dbt_suite")
MOCKED = "replaces dbt's clock in the process of the test"
RAISED = "wants an exception of dbt in the process of the test"
IMPOSSIBLE = {
    "Test_incremental_BaseMicrobatch::test_run_with_event_time": MOCKED,
    "Test_sample_mode_BaseSampleModeTest::test_sample_mode": MOCKED,
    "Test_hooks_BaseAfterRunHooks::test_missing_column_pre_hook": RAISED,
    "Test_hooks_BaseDuplicateHooksInConfigs::test_run_duplicate_hook_defs": RAISED,
}


def main():
    if not os.path.isdir(SUITE):
        sys.exit("no %s: name its folder by HEDDLE_SHARED" % SUITE)
    with open(os.path.join(SUITE, "baseline.txt")) as f:
        baseline = set(f.read().split())
    with Postgres("-c max_connections=200") as server, tempfile.TemporaryDirectory() as folder:
        server.sql("create database dbt")
        suite = shutil.copytree(SUITE, os.path.join(folder, "suite"), copy_function=shutil.copyfile)
        words = [PYTHON, "-m", "pytest", "-v", "-p", "via_program", *sys.argv[1:], "test_suite.py"]
        for test in sorted(IMPOSSIBLE):
            words += ["--deselect", "test_suite.py::" + test]
        done = subprocess.Popen(words, cwd=suite, text=True, stdout=subprocess.PIPE,
                                env=clean_env(PGPORT=server.port, PYTHONPATH=suite, VIA=HEDDLE))
        passed, failed = set(), set()
        for line in done.stdout:
            found = (re.search(r"test_suite\.py::(\S+) (PASSED|FAILED|ERROR)()", line) or
                     re.search(r"()(PASSED|FAILED|ERROR) test_suite\.py::(\S+)", line))  # with xdist
            if found:
                (passed if found.group(2) == "PASSED" else failed).add(found.group(1) or found.group(3))
            print(line, end="", flush=True)
        done.wait()
    for test, why in sorted(IMPOSSIBLE.items()):
        print("left out %s: %s" % (test, why))
    wrong = sorted(failed & baseline)
    print("\n".join("fails, but not with dbt: " + test for test in wrong))
    print("%d of %d passed, %d failed, %d left out" % (len(passed & baseline), len(baseline), len(wrong),
                                                       len(IMPOSSIBLE)))
    sys.exit(1 if wrong or not passed else 0)


if __name__ == "__main__":
    main()

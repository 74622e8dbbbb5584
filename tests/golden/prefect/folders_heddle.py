"""Prefect flow of the dbt project shop: one task run per folder.  Prefect 3.

Made by: heddle export prefect --granularity=folder --unit-tests --runner=heddle plan=576c78f1178c3890
Out of date?  heddle export --check FILE

The first task runs the on-run-start hooks, the last one on-run-end; the others leave them out.

A failed test holds back what reads its model; a test of severity warn never does.
"""
import os
import signal
import subprocess
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.runtime import task_run
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

DBT = ["heddle"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
TIMEOUT = 3600  # seconds


@task(
    retries=2,
    retry_delay_seconds=exponential_backoff(5),
    retry_jitter_factor=0.2,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,  # what was built before is built again
)
def run_dbt(words, timeout):
    """One heddle command; an exit code other than 0 is raised."""
    hooks = words[0] in ("on-run-start", "on-run-end")
    # Tasks side by side must not share a target folder. It stays: the next try goes on where
    # this one ended. Workers on other machines need it shared.
    # Hooks have the project's own, in which on-run-end finds the others.
    project = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target").resolve()
    target = project if hooks else project / task_run.name
    target.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    parsed = project / "partial_parse.msgpack"
    if parsed.exists():
        env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed))
    if task_run.run_count > 1 and not hooks:
        words = [*words, "--resume"]  # builds what the last try left
    with subprocess.Popen([*DBT, *words, *FLAGS], env=env) as process:
        try:
            code = process.wait(timeout)
        except BaseException:  # too late, or cancelled: dbt gets the chance to cancel its queries
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise subprocess.CalledProcessError(code, [*DBT, *words])


@flow(name="shop", task_runner=ThreadPoolTaskRunner(max_workers=8))
def pipeline(full_refresh: bool = False):
    runs = {}

    def step(name, words, after=(), timeout_seconds=TIMEOUT, **options):
        if full_refresh and words[0] not in ("snapshot", "test"):
            words = [*words, "--full-refresh"]
        run = run_dbt.with_options(task_run_name=name, timeout_seconds=timeout_seconds, **options)
        before = [runs[up] for up in after]
        runs[name] = run.submit(words, timeout_seconds, wait_for=before)

    step("on_run_start", ["on-run-start"])
    step("seeds", ["seed", "--no-hooks"], ["on_run_start"], timeout_seconds=18000)
    step("semantic", ["run", "--no-hooks", "--select", "fqn:shop.semantic"], ["on_run_start"])
    step(
        "staging", ["build", "--no-hooks", "--select", "fqn:shop.staging", "--indirect-selection",
        "cautious"], ["seeds"], timeout_seconds=21600)
    step("snapshots", ["snapshot", "--no-hooks"], ["staging"])
    step(
        "marts", ["build", "--no-hooks", "--select", "fqn:shop.marts.customers",
        "fqn:shop.marts.order_lines", "fqn:shop.marts.orders", "fqn:shop.marts.product_sales",
        "fqn:shop.marts.returns", "fqn:shop.marts.visitors", "fqn:shop.payments_belong_to_orders",
        "--indirect-selection", "cautious"], ["staging", "snapshots"], timeout_seconds=21600)
    step(
        "marts__finance", ["build", "--no-hooks", "--select", "fqn:shop.marts.finance",
        "--indirect-selection", "cautious"], ["marts"], timeout_seconds=7200)
    wait(list(runs.values()))  # whatever becomes of them
    step("on_run_end", ["on-run-end"])
    return list(runs.values())  # a failed one fails the flow


if __name__ == "__main__":
    pipeline.serve(name="shop", global_limit=1)  # two runs would build the same tables

"""Prefect flow of the dbt project shop: one task run per node.  Prefect 3.

Made by: heddle export prefect --tests=after_all --runner=heddle --command=poetry%20run%20heddle --vars=%7B%22day%22:%20%22today%22%7D --task-project-dir=/opt/shop --select=+orders plan=dbdc4d4d99feeca8
Out of date?  heddle export --check FILE

The first task runs the on-run-start hooks, the last one on-run-end; the others leave them out.
"""
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

DBT = ["poetry", "run", "heddle"]
# Of every command. A selection that finds nothing is an error.
FLAGS = [
    "--project-dir", "/opt/shop", "--warn-error-options",
    '{"error": ["NoNodesForSelectionCriteria"]}', "--vars", '{"day": "today"}']
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
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Commands side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path("/opt/shop", "target", "partial_parse.msgpack")
        if parsed.exists():
            env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed.resolve()))
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

    step("on_run_start", ["on-run-start", "--select", "+orders"])
    step(
        "raw_order_lines__seed", ["seed", "--no-hooks", "--select", "fqn:shop.raw_order_lines"],
        ["on_run_start"])
    step(
        "raw_orders__seed", ["seed", "--no-hooks", "--select", "fqn:shop.raw_orders"],
        ["on_run_start"])
    step(
        "raw_payments__seed", ["seed", "--no-hooks", "--select", "fqn:shop.raw_payments"],
        ["on_run_start"])
    step(
        "raw_products__seed", ["seed", "--no-hooks", "--select", "fqn:shop.raw_products"],
        ["on_run_start"])
    step(
        "stg_order_lines_run", ["run", "--no-hooks", "--select",
        "fqn:shop.staging.stg_order_lines"], ["raw_order_lines__seed"])
    step(
        "stg_orders_run", ["run", "--no-hooks", "--select", "fqn:shop.staging.stg_orders"],
        ["raw_orders__seed"])
    step(
        "stg_payments_run", ["run", "--no-hooks", "--select", "fqn:shop.staging.stg_payments"],
        ["raw_payments__seed"])
    step(
        "stg_products_run", ["run", "--no-hooks", "--select", "fqn:shop.staging.stg_products"],
        ["raw_products__seed"])
    step(
        "orders_run", ["run", "--no-hooks", "--select", "fqn:shop.marts.orders"],
        ["stg_order_lines_run", "stg_orders_run", "stg_payments_run", "stg_products_run"])
    step(
        "tests__all", ["test", "--no-hooks", "--select", "+orders", "--exclude",
        "resource_type:unit_test"], ["orders_run"])
    wait(list(runs.values()))  # whatever becomes of them
    step("on_run_end", ["on-run-end", "--select", "+orders"])
    return list(runs.values())  # a failed one fails the flow


if __name__ == "__main__":
    pipeline.serve(name="shop", global_limit=1)  # two runs would build the same tables

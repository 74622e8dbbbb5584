"""Prefect flow of the dbt project shop: one task run per node.  Prefect 3.

Made by: heddle export prefect --schedule=0%206%20*%20*%20* plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

DBT = ["dbt"]
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
    """One dbt command; an exit code other than 0 is raised."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Commands side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target", "partial_parse.msgpack")
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

    step("days_run", ["run", "--select", "fqn:shop.semantic.days"])
    step("raw_customers__seed", ["seed", "--select", "fqn:shop.raw_customers"])
    step("raw_order_lines__seed", ["seed", "--select", "fqn:shop.raw_order_lines"])
    step("raw_orders__seed", ["seed", "--select", "fqn:shop.raw_orders"])
    step("raw_payments__seed", ["seed", "--select", "fqn:shop.raw_payments"])
    step("raw_products__seed", ["seed", "--select", "fqn:shop.raw_products"])
    step(
        "stg_customers_run", ["run", "--select", "fqn:shop.staging.stg_customers"],
        ["raw_customers__seed"])
    step(
        "stg_customers_test", ["test", "--select", "fqn:shop.staging.stg_customers",
        "--indirect-selection", "cautious"], ["stg_customers_run"])
    step(
        "stg_order_lines_run", ["run", "--select", "fqn:shop.staging.stg_order_lines"],
        ["raw_order_lines__seed"])
    step(
        "stg_order_lines_test", ["test", "--select", "fqn:shop.staging.stg_order_lines",
        "--indirect-selection", "cautious"], ["stg_order_lines_run"])
    step("stg_orders_run", ["run", "--select", "fqn:shop.staging.stg_orders"], ["raw_orders__seed"])
    step(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", ["test",
        "--select",
        "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_"],
        ["stg_customers_run", "stg_orders_run"])
    step(
        "stg_orders_test", ["test", "--select", "fqn:shop.staging.stg_orders",
        "--indirect-selection", "cautious"], ["stg_orders_run"])
    step(
        "stg_payments_run", ["run", "--select", "fqn:shop.staging.stg_payments"],
        ["raw_payments__seed"])
    step(
        "stg_payments_test", ["test", "--select", "fqn:shop.staging.stg_payments",
        "--indirect-selection", "cautious"], ["stg_payments_run"])
    step(
        "stg_products_run", ["run", "--select", "fqn:shop.staging.stg_products"],
        ["raw_products__seed"])
    step(
        "stg_products_test", ["test", "--select", "fqn:shop.staging.stg_products",
        "--indirect-selection", "cautious"], ["stg_products_run"])
    step(
        "order_lines_run", ["run", "--select", "fqn:shop.marts.order_lines"],
        ["stg_order_lines_test", "stg_orders_test", "stg_products_test"])
    step(
        "order_lines_test", ["test", "--select", "fqn:shop.marts.order_lines",
        "--indirect-selection", "cautious"], ["order_lines_run"])
    step(
        "orders_run", ["run", "--select", "fqn:shop.marts.orders"], ["stg_order_lines_test",
        "stg_orders_test", "stg_payments_test", "stg_products_test"])
    step(
        "orders_test", ["test", "--select", "fqn:shop.marts.orders", "--indirect-selection",
        "cautious"], ["orders_run"])
    step(
        "payments_belong_to_orders__test", ["test", "--select",
        "fqn:shop.payments_belong_to_orders"], ["stg_payments_run", "orders_run"])
    step(
        "customers_run", ["run", "--select", "fqn:shop.marts.customers"], ["stg_customers_test",
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test",
        "orders_test", "payments_belong_to_orders__test"])
    step(
        "customers_test", ["test", "--select", "fqn:shop.marts.customers", "--indirect-selection",
        "cautious", "--exclude", "resource_type:unit_test"], ["customers_run"])
    step(
        "daily_revenue_run", ["run", "--select", "fqn:shop.marts.finance.daily_revenue"],
        ["orders_test", "payments_belong_to_orders__test"])
    step(
        "daily_revenue_test", ["test", "--select", "fqn:shop.marts.finance.daily_revenue",
        "--indirect-selection", "cautious"], ["daily_revenue_run"])
    step(
        "monthly_revenue_run", ["run", "--select", "fqn:shop.marts.finance.monthly_revenue"],
        ["daily_revenue_test"])
    step(
        "product_prices__snapshot", ["snapshot", "--select", "fqn:shop.product_prices"],
        ["stg_products_test"])
    step(
        "product_sales__v2_run", ["run", "--select", "fqn:shop.marts.product_sales.v2"],
        ["order_lines_test", "product_prices__snapshot"])
    step(
        "product_sales__v2_test", ["test", "--select", "fqn:shop.marts.product_sales.v2",
        "--indirect-selection", "cautious"], ["product_sales__v2_run"])
    step(
        "returns_run", ["run", "--select", "fqn:shop.marts.returns"], ["orders_test",
        "payments_belong_to_orders__test"])
    step(
        "returns_test", ["test", "--select", "fqn:shop.marts.returns", "--indirect-selection",
        "cautious"], ["returns_run"])
    step(
        "web__visits__source_test", ["test", "--select",
        "fqn:shop.staging.source_not_null_web_visits_visit_id",
        "fqn:shop.staging.source_unique_web_visits_visit_id", "--indirect-selection", "empty"])
    step(
        "stg_visits_run", ["run", "--select", "fqn:shop.staging.stg_visits"],
        ["web__visits__source_test"])
    step(
        "visitors_run", ["run", "--select", "fqn:shop.marts.visitors"], ["customers_test",
        "stg_visits_run"])
    return list(runs.values())  # a failed one fails the flow


if __name__ == "__main__":
    pipeline.serve(name="shop", cron="0 6 * * *", global_limit=1)  # two runs would build the same tables

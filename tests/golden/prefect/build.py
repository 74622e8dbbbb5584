"""Prefect flow of the dbt project shop nightly: one task run per node.  Prefect 3.

Made by: heddle export prefect --name=shop%20nightly --tests=build --unit-tests --schedule=0%206%20*%20*%201-5 --timezone=Europe/Berlin --slots=3 --retries=1 plan=14f9a8e8eb727814
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
from prefect.schedules import Cron
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

DBT = ["dbt"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
TIMEOUT = 3600  # seconds


@task(
    retries=1,
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


@flow(name="shop_nightly_676e6777", task_runner=ThreadPoolTaskRunner(max_workers=3))
def pipeline(full_refresh: bool = False):
    runs = {}

    def step(name, words, after=(), timeout_seconds=TIMEOUT, **options):
        if full_refresh and words[0] not in ("snapshot", "test"):
            words = [*words, "--full-refresh"]
        run = run_dbt.with_options(task_run_name=name, timeout_seconds=timeout_seconds, **options)
        before = [runs[up] for up in after]
        runs[name] = run.submit(words, timeout_seconds, wait_for=before)

    step(
        "days_build", ["build", "--select", "fqn:shop.semantic.days", "--indirect-selection",
        "cautious"])
    step(
        "raw_customers__seed", ["build", "--select", "fqn:shop.raw_customers",
        "--indirect-selection", "cautious"])
    step(
        "raw_order_lines__seed", ["build", "--select", "fqn:shop.raw_order_lines",
        "--indirect-selection", "cautious"])
    step(
        "raw_orders__seed", ["build", "--select", "fqn:shop.raw_orders", "--indirect-selection",
        "cautious"])
    step(
        "raw_payments__seed", ["build", "--select", "fqn:shop.raw_payments", "--indirect-selection",
        "cautious"])
    step(
        "raw_products__seed", ["build", "--select", "fqn:shop.raw_products", "--indirect-selection",
        "cautious"])
    step(
        "stg_customers_build", ["build", "--select", "fqn:shop.staging.stg_customers",
        "--indirect-selection", "cautious"], ["raw_customers__seed"])
    step(
        "stg_order_lines_build", ["build", "--select", "fqn:shop.staging.stg_order_lines",
        "--indirect-selection", "cautious"], ["raw_order_lines__seed"])
    step(
        "stg_orders_build", ["build", "--select", "fqn:shop.staging.stg_orders",
        "--indirect-selection", "cautious"], ["raw_orders__seed"])
    step(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", ["test",
        "--select",
        "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_"],
        ["stg_customers_build", "stg_orders_build"])
    step(
        "stg_payments_build", ["build", "--select", "fqn:shop.staging.stg_payments",
        "--indirect-selection", "cautious"], ["raw_payments__seed"])
    step(
        "stg_products_build", ["build", "--select", "fqn:shop.staging.stg_products",
        "--indirect-selection", "cautious"], ["raw_products__seed"])
    step(
        "order_lines_build", ["build", "--select", "fqn:shop.marts.order_lines",
        "--indirect-selection", "cautious"], ["stg_order_lines_build", "stg_orders_build",
        "stg_products_build"])
    step(
        "orders_build", ["build", "--select", "fqn:shop.marts.orders", "--indirect-selection",
        "cautious"], ["stg_order_lines_build", "stg_orders_build", "stg_payments_build",
        "stg_products_build"])
    step(
        "payments_belong_to_orders__test", ["test", "--select",
        "fqn:shop.payments_belong_to_orders"], ["stg_payments_build", "orders_build"])
    step(
        "customers_unit_test", ["test", "--select",
        "fqn:shop.marts.customers.returned_orders_do_not_count"], ["stg_customers_build",
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test",
        "orders_build", "payments_belong_to_orders__test"])
    step(
        "customers_build", ["build", "--select", "fqn:shop.marts.customers", "--indirect-selection",
        "cautious", "--exclude", "resource_type:unit_test"], ["stg_customers_build", "orders_build",
        "customers_unit_test"])
    step(
        "daily_revenue_build", ["build", "--select", "fqn:shop.marts.finance.daily_revenue",
        "--indirect-selection", "cautious"], ["orders_build", "payments_belong_to_orders__test"])
    step(
        "monthly_revenue_build", ["build", "--select", "fqn:shop.marts.finance.monthly_revenue",
        "--indirect-selection", "cautious"], ["daily_revenue_build"])
    step(
        "product_prices__snapshot", ["build", "--select", "fqn:shop.product_prices",
        "--indirect-selection", "cautious"], ["stg_products_build"])
    step(
        "product_sales__v2_build", ["build", "--select", "fqn:shop.marts.product_sales.v2",
        "--indirect-selection", "cautious"], ["order_lines_build", "product_prices__snapshot"])
    step(
        "returns_build", ["build", "--select", "fqn:shop.marts.returns", "--indirect-selection",
        "cautious"], ["orders_build", "payments_belong_to_orders__test"])
    step(
        "web__visits__source_test", ["test", "--select",
        "fqn:shop.staging.source_not_null_web_visits_visit_id",
        "fqn:shop.staging.source_unique_web_visits_visit_id", "--indirect-selection", "empty"])
    step(
        "stg_visits_build", ["build", "--select", "fqn:shop.staging.stg_visits",
        "--indirect-selection", "cautious"], ["web__visits__source_test"])
    step(
        "visitors_build", ["build", "--select", "fqn:shop.marts.visitors", "--indirect-selection",
        "cautious"], ["customers_build", "stg_visits_build"])
    return list(runs.values())  # a failed one fails the flow


if __name__ == "__main__":
    pipeline.serve(name="shop_nightly_676e6777", schedule=Cron("0 6 * * 1-5", timezone="Europe/Berlin"), global_limit=1)  # two runs would build the same tables

"""Dagster definitions of the dbt project shop: one asset per dbt node.  Dagster 1.9+.

Made by: heddle export dagster --schedule=0%206%20*%20*%20* plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed check of severity error holds back what reads its asset, if the asset is all the test reads.
"""
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path

import dagster as dg

DBT = ["dbt"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
KINDS = {"dbt", "duckdb"}
TIMEOUT = 3600  # seconds; of each command
RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
KEY = cache(dg.AssetKey.from_user_string)
LEVEL = dg.AssetCheckSeverity


def run_dbt(words, timeout):
    """One dbt command; its exit code, and what it says of each node if it gets that far."""
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
        written = Path(target, "run_results.json")
        return code, json.loads(written.read_text())["results"] if written.exists() else []


def fault(words, code, results):
    """What went wrong but for verdicts of tests: that may be tried again."""
    good = ("success", "pass", "warn", "fail", "skipped", "no-op")
    wrong = [r for r in results if r["status"] not in good]
    if code and (wrong or not any(r["status"] == "fail" for r in results)):
        said = "".join(f"\n{r['message']}" for r in wrong)
        raise dg.Failure(f"dbt {' '.join(words)}: exit code {code}{said}")


def dbt(words, timeout):
    """The same; what is no verdict of a test is raised."""
    code, results = run_dbt(words, timeout)
    fault(words, code, results)
    return code, results


def once(context, words, timeout):
    """What belongs to several ops: the first of them in a run does it."""
    folder = Path(tempfile.gettempdir(), f"dbt-{context.run.run_id}")
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(" ".join(words).encode()).hexdigest()
    with open(folder / name, "a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        if mark.seek(0, os.SEEK_END):
            return
        code, _ = dbt(words, timeout)
        if code:
            raise dg.Failure(f"dbt {' '.join(words)} failed", allow_retries=False)
        mark.write("done")


def verdicts(context, code, results):
    """What dbt says of each test; if it says nothing at all, its exit code."""
    said = defaultdict(list)
    for result in results:
        kind, _, name = result["unique_id"].split(".", 2)  # test.package.name.hash
        if kind == "test" and result["status"] != "skipped":
            for name in (name, name.rpartition(".")[0]):
                said[name].append(result)
    for check in sorted(context.selected_asset_check_keys):
        mine = said[check.name]
        if results and not mine:
            continue
        warn = mine and all(r["status"] in ("pass", "warn") for r in mine)
        yield dg.AssetCheckResult(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=all(r["status"] == "pass" for r in mine) if mine else code == 0,
            severity=LEVEL.WARN if warn else LEVEL.ERROR,
            metadata={"failures": sum(r["failures"] or 0 for r in mine)} if mine else None,
        )


def spec_of(key, deps, about):
    return dg.AssetSpec(key, deps=[*map(KEY, deps)], kinds=KINDS, **about)


def checks_of(key, checks, warns):
    specs = [dg.AssetCheckSpec(check, asset=key, blocking=True) for check in checks]
    return specs + [dg.AssetCheckSpec(check, asset=key) for check in warns]


def asset(
    name, key, run, deps=(), checks=(), warns=(), test=None, before=(), retry=RETRY, timeout=TIMEOUT, **about
):
    """One dbt node; its own tests are checks of the same op."""
    key = KEY(key)
    specs = checks_of(key, checks, warns)

    @dg.multi_asset(
        name=name,
        specs=[spec_of(key, deps, about)],
        check_specs=specs,
        can_subset=bool(specs),
        retry_policy=retry,
    )
    def build(context: dg.AssetExecutionContext):
        if key in context.selected_asset_keys:
            for words in before:
                once(context, words, timeout)
            dbt(run, timeout)
            yield dg.MaterializeResult(asset_key=key)
        if context.selected_asset_check_keys:
            yield from verdicts(context, *dbt(test, timeout))

    return build


def check(name, specs, test, retry=RETRY, timeout=TIMEOUT):
    """A test that reads several nodes. It holds nothing back."""
    specs = [
        dg.AssetCheckSpec(check, asset=KEY(key), additional_deps=[*map(KEY, deps)])
        for key, check, deps in specs
    ]

    @dg.multi_asset_check(
        name=name,
        specs=specs,
        retry_policy=retry,
    )
    def run(context: dg.AssetCheckExecutionContext):
        yield from verdicts(context, *dbt(test, timeout))

    return run


ASSETS = [
    asset(
        "days_run", "days", ["run", "--select", "fqn:shop.semantic.days"],
        description="One row per day, for metrics.",
    ),
    asset(
        "raw_customers__seed", "raw/raw_customers", ["seed", "--select", "fqn:shop.raw_customers"],
        tags={"raw": ""},
        description="As the till exports them.",
    ),
    asset(
        "raw_order_lines__seed", "raw/raw_order_lines", ["seed", "--select", "fqn:shop.raw_order_lines"],
        tags={"raw": ""},
    ),
    asset(
        "raw_orders__seed", "raw/raw_orders", ["seed", "--select", "fqn:shop.raw_orders"],
        tags={"raw": ""},
    ),
    asset(
        "raw_payments__seed", "raw/raw_payments", ["seed", "--select", "fqn:shop.raw_payments"],
        tags={"raw": ""},
    ),
    asset(
        "raw_products__seed", "raw/raw_products", ["seed", "--select", "fqn:shop.raw_products"],
        tags={"raw": ""},
        description="The price list, in cents.",
    ),
    asset(
        "stg_customers_run", "stg_customers", ["run", "--select", "fqn:shop.staging.stg_customers"],
        deps=["raw/raw_customers"],
        checks=["not_null_stg_customers_customer_id", "unique_stg_customers_customer_id"],
        test=["test", "--select", "fqn:shop.staging.stg_customers", "--indirect-selection", "cautious"],
        tags={"staging": ""},
        description="One row per customer.",
    ),
    asset(
        "stg_order_lines_run", "stg_order_lines", ["run", "--select", "fqn:shop.staging.stg_order_lines"],
        deps=["raw/raw_order_lines"],
        checks=["not_null_stg_order_lines_line_id", "positive_stg_order_lines_quantity", "unique_stg_order_lines_line_id"],
        test=["test", "--select", "fqn:shop.staging.stg_order_lines", "--indirect-selection", "cautious"],
        tags={"staging": ""},
        description="One row per product in an order.",
    ),
    asset(
        "stg_orders_run", "stg_orders", ["run", "--select", "fqn:shop.staging.stg_orders"],
        deps=["raw/raw_orders"],
        checks=["accepted_values_stg_orders_status__placed__shipped__delivered__returned", "not_null_stg_orders_order_id", "unique_stg_orders_order_id"],
        test=["test", "--select", "fqn:shop.staging.stg_orders", "--indirect-selection", "cautious"],
        tags={"staging": ""},
        description="One row per order.",
    ),
    asset(
        "stg_payments_run", "stg_payments", ["run", "--select", "fqn:shop.staging.stg_payments"],
        deps=["raw/raw_payments"],
        checks=["unique_stg_payments_payment_id"],
        warns=["accepted_values_stg_payments_method__card__transfer__voucher"],
        test=["test", "--select", "fqn:shop.staging.stg_payments", "--indirect-selection", "cautious"],
        tags={"staging": ""},
        description="One row per payment; an order may be paid in parts.",
    ),
    asset(
        "stg_products_run", "stg_products", ["run", "--select", "fqn:shop.staging.stg_products"],
        deps=["raw/raw_products"],
        checks=["not_null_stg_products_product_id", "positive_stg_products_price_cents", "unique_stg_products_product_id"],
        test=["test", "--select", "fqn:shop.staging.stg_products", "--indirect-selection", "cautious"],
        tags={"staging": ""},
        description="One row per product. Those no longer sold stay.",
    ),
    asset(
        "order_lines_run", "order_lines", ["run", "--select", "fqn:shop.marts.order_lines"],
        deps=["stg_order_lines", "stg_orders", "stg_products"],
        checks=["unique_order_lines_line_id"],
        test=["test", "--select", "fqn:shop.marts.order_lines", "--indirect-selection", "cautious"],
        tags={"marts": "", "nightly": ""},
        description="All lines ever ordered; each run adds those of new days.",
    ),
    asset(
        "orders_run", "orders", ["run", "--select", "fqn:shop.marts.orders"],
        deps=["stg_order_lines", "stg_orders", "stg_payments", "stg_products"],
        checks=["not_null_orders_order_id", "positive_orders_total", "unique_orders_order_id"],
        warns=["orders_are_paid"],
        test=["test", "--select", "fqn:shop.marts.orders", "--indirect-selection", "cautious"],
        tags={"marts": "", "nightly": ""},
        description="One row per order, with its total and what has been paid.",
    ),
    asset(
        "customers_run", "customers", ["run", "--select", "fqn:shop.marts.customers"],
        deps=["orders", "stg_customers"],
        checks=["not_null_customers_customer_id", "unique_customers_customer_id"],
        test=["test", "--select", "fqn:shop.marts.customers", "--indirect-selection", "cautious", "--exclude", "resource_type:unit_test"],
        before=[["test", "--select", "fqn:shop.payments_belong_to_orders"]],
        tags={"marts": "", "nightly": "", "people": ""},
        description="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n",
    ),
    asset(
        "daily_revenue_run", "daily_revenue", ["run", "--select", "fqn:shop.marts.finance.daily_revenue"],
        deps=["orders"],
        checks=["not_null_daily_revenue_ordered_on", "unique_daily_revenue_ordered_on"],
        test=["test", "--select", "fqn:shop.marts.finance.daily_revenue", "--indirect-selection", "cautious"],
        before=[["test", "--select", "fqn:shop.payments_belong_to_orders"]],
        group_name="finance",
        owners=["team:finance", "money@shop.example"],
        tags={"marts": "", "nightly": ""},
        description="Revenue by day; returned orders do not count.",
    ),
    asset(
        "monthly_revenue_run", "monthly_revenue", ["run", "--select", "fqn:shop.marts.finance.monthly_revenue"],
        deps=["daily_revenue"],
        group_name="finance",
        owners=["money@shop.example"],
        tags={"marts": "", "nightly": ""},
        description="Revenue by month.",
    ),
    asset(
        "product_prices__snapshot", "history/product_prices", ["snapshot", "--select", "fqn:shop.product_prices"],
        deps=["stg_products"],
        description="Every price a product ever had.",
    ),
    asset(
        "product_sales__v2_run", "product_sales_v2", ["run", "--select", "fqn:shop.marts.product_sales.v2"],
        deps=["history/product_prices", "order_lines"],
        checks=["unique_product_sales_v2_product_id"],
        test=["test", "--select", "fqn:shop.marts.product_sales.v2", "--indirect-selection", "cautious"],
        tags={"marts": "", "nightly": ""},
        description="What was sold of each product.",
    ),
    asset(
        "returns_run", "returns", ["run", "--select", "fqn:shop.marts.returns"],
        deps=["orders"],
        checks=["unique_returns_order_id"],
        test=["test", "--select", "fqn:shop.marts.returns", "--indirect-selection", "cautious"],
        before=[["test", "--select", "fqn:shop.payments_belong_to_orders"]],
        tags={"marts": "", "nightly": ""},
        description="Orders that came back.",
    ),
    asset(
        "stg_visits_run", "stg_visits", ["run", "--select", "fqn:shop.staging.stg_visits"],
        deps=["web/visits"],
        before=[["test", "--select", "fqn:shop.staging.source_not_null_web_visits_visit_id", "fqn:shop.staging.source_unique_web_visits_visit_id", "--indirect-selection", "empty"]],
        tags={"staging": ""},
        description="Page visits of the days we look at.",
    ),
    asset(
        "visitors_run", "visitors", ["run", "--select", "fqn:shop.marts.visitors"],
        deps=["customers", "stg_visits"],
        tags={"marts": "", "nightly": "", "web": ""},
        description="Customers who came to the web pages.",
    ),
]
CHECKS = [
    check(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", [("stg_orders", "relationships_stg_orders_customer_id__customer_id__ref_stg_customers_", ["stg_customers"])],
        ["test", "--select", "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_"],
    ),
]
job = dg.define_asset_job(
    "shop_job",
    selection=ASSETS,
    executor_def=dg.multiprocess_executor.configured({"max_concurrent": 8}),
)
schedule = dg.ScheduleDefinition(job=job, cron_schedule="0 6 * * *")
defs = dg.Definitions(assets=ASSETS, asset_checks=CHECKS, jobs=[job], schedules=[schedule])

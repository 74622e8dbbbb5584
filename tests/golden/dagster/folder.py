"""Dagster definitions of the dbt project shop: one asset per dbt node, one op per folder.  Dagster 1.9+.

Made by: heddle export dagster --granularity=folder --unit-tests --runner=heddle plan=576c78f1178c3890
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

Inside an op dbt decides what a failed test holds back; a failed op holds back what reads its assets.
"""
import json
import os
import signal
import subprocess
import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import dagster as dg

DBT = ["heddle"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
KINDS = {"dbt", "duckdb"}
TIMEOUT = 3600  # seconds; of each command
RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
KEY = cache(dg.AssetKey.from_user_string)
LEVEL = dg.AssetCheckSeverity
STATE = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target", "heddle")


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


class Node(NamedTuple):
    unique_id: str
    select: str  # None: dbt cannot select it alone
    spec: dg.AssetSpec
    checks: list


def node(unique_id, key, select, deps=(), checks=(), warns=(), **about):
    """One dbt node of a part."""
    key = KEY(key)
    spec = spec_of(key, deps, about)
    return Node(unique_id, select, spec, checks_of(key, checks, warns))


def chosen(context, nodes):
    """What of them is to be built, or, if nothing is, to be tested."""
    tested = {check.asset_key for check in context.selected_asset_check_keys}
    built = [node for node in nodes if node.spec.key in context.selected_asset_keys]
    return built, built or [node for node in nodes if node.spec.key in tested]


def part(name, verb, select, flags, nodes, retry=RETRY, timeout=TIMEOUT):
    """Several dbt nodes by one command, which selects what is wanted."""

    @dg.multi_asset(
        name=name,
        specs=[node.spec for node in nodes],
        check_specs=[check for node in nodes for check in node.checks],
        can_subset=True,
        retry_policy=retry,
    )
    def build(context: dg.AssetExecutionContext):
        wanted, some = chosen(context, nodes)
        words = [node.select for node in some]
        if len(some) == len(nodes) or None in words:
            words = select
        words = ["--select", *words] if words else []
        words = [verb if wanted else "test", *words, *flags]
        # The next try builds what this one left; other machines need it shared.
        words += ["--state-dir", str(STATE / name)]
        words += ["--resume"] if context.retry_number else []
        code, results = run_dbt(words, timeout)
        done = [r["unique_id"] for r in results if r["status"] == "success"]
        for node in wanted:
            if node.unique_id in done or not (results or code):
                yield dg.MaterializeResult(asset_key=node.spec.key)
        yield from verdicts(context, code, results)
        fault(words, code, results)
        if code:
            raise dg.Failure(f"{name}: tests failed", allow_retries=False)

    return build


ASSETS = [
    part(
        "seeds", "seed", [], [], [
            node(
                "seed.shop.raw_customers", "raw/raw_customers", "fqn:shop.raw_customers",
                tags={"raw": ""},
                description="As the till exports them.",
            ),
            node(
                "seed.shop.raw_order_lines", "raw/raw_order_lines", "fqn:shop.raw_order_lines",
                tags={"raw": ""},
            ),
            node(
                "seed.shop.raw_orders", "raw/raw_orders", "fqn:shop.raw_orders",
                tags={"raw": ""},
            ),
            node(
                "seed.shop.raw_payments", "raw/raw_payments", "fqn:shop.raw_payments",
                tags={"raw": ""},
            ),
            node(
                "seed.shop.raw_products", "raw/raw_products", "fqn:shop.raw_products",
                tags={"raw": ""},
                description="The price list, in cents.",
            ),
        ],
        timeout=18000,
    ),
    part(
        "semantic", "run", ["fqn:shop.semantic"], [], [
            node(
                "model.shop.days", "days", "fqn:shop.semantic.days",
                description="One row per day, for metrics.",
            ),
        ],
    ),
    part(
        "staging", "build", ["fqn:shop.staging"], ["--indirect-selection", "cautious"], [
            node(
                "model.shop.stg_customers", "stg_customers", "fqn:shop.staging.stg_customers",
                deps=["raw/raw_customers"],
                checks=["not_null_stg_customers_customer_id", "unique_stg_customers_customer_id"],
                tags={"staging": ""},
                description="One row per customer.",
            ),
            node(
                "model.shop.stg_order_lines", "stg_order_lines", "fqn:shop.staging.stg_order_lines",
                deps=["raw/raw_order_lines"],
                checks=["not_null_stg_order_lines_line_id", "positive_stg_order_lines_quantity", "unique_stg_order_lines_line_id"],
                tags={"staging": ""},
                description="One row per product in an order.",
            ),
            node(
                "model.shop.stg_orders", "stg_orders", "fqn:shop.staging.stg_orders",
                deps=["raw/raw_orders"],
                checks=["accepted_values_stg_orders_status__placed__shipped__delivered__returned", "not_null_stg_orders_order_id", "relationships_stg_orders_customer_id__customer_id__ref_stg_customers_", "unique_stg_orders_order_id"],
                tags={"staging": ""},
                description="One row per order.",
            ),
            node(
                "model.shop.stg_payments", "stg_payments", "fqn:shop.staging.stg_payments",
                deps=["raw/raw_payments"],
                checks=["unique_stg_payments_payment_id"],
                warns=["accepted_values_stg_payments_method__card__transfer__voucher"],
                tags={"staging": ""},
                description="One row per payment; an order may be paid in parts.",
            ),
            node(
                "model.shop.stg_products", "stg_products", "fqn:shop.staging.stg_products",
                deps=["raw/raw_products"],
                checks=["not_null_stg_products_product_id", "positive_stg_products_price_cents", "unique_stg_products_product_id"],
                tags={"staging": ""},
                description="One row per product. Those no longer sold stay.",
            ),
            node(
                "model.shop.stg_visits", "stg_visits", "fqn:shop.staging.stg_visits",
                deps=["web/visits"],
                tags={"staging": ""},
                description="Page visits of the days we look at.",
            ),
        ],
        timeout=21600,
    ),
    part(
        "snapshots", "snapshot", [], [], [
            node(
                "snapshot.shop.product_prices", "history/product_prices", "fqn:shop.product_prices",
                deps=["stg_products"],
                description="Every price a product ever had.",
            ),
        ],
    ),
    part(
        "marts", "build", ["fqn:shop.marts.customers", "fqn:shop.marts.order_lines", "fqn:shop.marts.orders", "fqn:shop.marts.product_sales", "fqn:shop.marts.returns", "fqn:shop.marts.visitors", "fqn:shop.payments_belong_to_orders"], ["--indirect-selection", "cautious"], [
            node(
                "model.shop.order_lines", "order_lines", "fqn:shop.marts.order_lines",
                deps=["stg_order_lines", "stg_orders", "stg_products"],
                checks=["unique_order_lines_line_id"],
                tags={"marts": "", "nightly": ""},
                description="All lines ever ordered; each run adds those of new days.",
            ),
            node(
                "model.shop.orders", "orders", "fqn:shop.marts.orders",
                deps=["stg_order_lines", "stg_orders", "stg_payments", "stg_products"],
                checks=["not_null_orders_order_id", "positive_orders_total", "unique_orders_order_id"],
                warns=["orders_are_paid"],
                tags={"marts": "", "nightly": ""},
                description="One row per order, with its total and what has been paid.",
            ),
            node(
                "model.shop.product_sales.v2", "product_sales_v2", "fqn:shop.marts.product_sales.v2",
                deps=["history/product_prices", "order_lines"],
                checks=["unique_product_sales_v2_product_id"],
                tags={"marts": "", "nightly": ""},
                description="What was sold of each product.",
            ),
            node(
                "model.shop.returns", "returns", "fqn:shop.marts.returns",
                deps=["orders"],
                checks=["unique_returns_order_id"],
                tags={"marts": "", "nightly": ""},
                description="Orders that came back.",
            ),
            node(
                "model.shop.customers", "customers", "fqn:shop.marts.customers",
                deps=["orders", "stg_customers"],
                checks=["not_null_customers_customer_id", "unique_customers_customer_id"],
                tags={"marts": "", "nightly": "", "people": ""},
                description="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n",
            ),
            node(
                "model.shop.visitors", "visitors", "fqn:shop.marts.visitors",
                deps=["customers", "stg_visits"],
                tags={"marts": "", "nightly": "", "web": ""},
                description="Customers who came to the web pages.",
            ),
        ],
        timeout=21600,
    ),
    part(
        "marts__finance", "build", ["fqn:shop.marts.finance"], ["--indirect-selection", "cautious"], [
            node(
                "model.shop.daily_revenue", "daily_revenue", "fqn:shop.marts.finance.daily_revenue",
                deps=["orders"],
                checks=["not_null_daily_revenue_ordered_on", "unique_daily_revenue_ordered_on"],
                group_name="finance",
                owners=["team:finance", "money@shop.example"],
                tags={"marts": "", "nightly": ""},
                description="Revenue by day; returned orders do not count.",
            ),
            node(
                "model.shop.monthly_revenue", "monthly_revenue", "fqn:shop.marts.finance.monthly_revenue",
                deps=["daily_revenue"],
                group_name="finance",
                owners=["money@shop.example"],
                tags={"marts": "", "nightly": ""},
                description="Revenue by month.",
            ),
        ],
        timeout=7200,
    ),
]
job = dg.define_asset_job(
    "shop_job",
    selection=ASSETS,
    executor_def=dg.multiprocess_executor.configured({"max_concurrent": 8}),
)
defs = dg.Definitions(assets=ASSETS, jobs=[job])

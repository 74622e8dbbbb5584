"""Dagster definitions of the dbt project shop: one asset per dbt node.  Dagster 1.9+.

Made by: heddle export dagster --tests=none --command=poetry%20run%20dbt --target=prod --select=+orders plan=c7f70cb16d6b1271
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import json
import os
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import dagster as dg

DBT = ["poetry", "run", "dbt"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--target", "prod", "--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
KINDS = {"dbt", "duckdb"}
TIMEOUT = 3600  # seconds; of each command
RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
KEY = cache(dg.AssetKey.from_user_string)


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


def spec_of(key, deps, about):
    return dg.AssetSpec(key, deps=[*map(KEY, deps)], kinds=KINDS, **about)


def asset(
    name, key, run, deps=(), retry=RETRY, timeout=TIMEOUT, **about
):
    """One dbt node."""
    key = KEY(key)

    @dg.multi_asset(
        name=name,
        specs=[spec_of(key, deps, about)],
        retry_policy=retry,
    )
    def build(context: dg.AssetExecutionContext):
        dbt(run, timeout)
        yield dg.MaterializeResult(asset_key=key)

    return build


ASSETS = [
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
        "stg_order_lines_run", "stg_order_lines", ["run", "--select", "fqn:shop.staging.stg_order_lines"],
        deps=["raw/raw_order_lines"],
        tags={"staging": ""},
        description="One row per product in an order.",
    ),
    asset(
        "stg_orders_run", "stg_orders", ["run", "--select", "fqn:shop.staging.stg_orders"],
        deps=["raw/raw_orders"],
        tags={"staging": ""},
        description="One row per order.",
    ),
    asset(
        "stg_payments_run", "stg_payments", ["run", "--select", "fqn:shop.staging.stg_payments"],
        deps=["raw/raw_payments"],
        tags={"staging": ""},
        description="One row per payment; an order may be paid in parts.",
    ),
    asset(
        "stg_products_run", "stg_products", ["run", "--select", "fqn:shop.staging.stg_products"],
        deps=["raw/raw_products"],
        tags={"staging": ""},
        description="One row per product. Those no longer sold stay.",
    ),
    asset(
        "orders_run", "orders", ["run", "--select", "fqn:shop.marts.orders"],
        deps=["stg_order_lines", "stg_orders", "stg_payments", "stg_products"],
        tags={"marts": "", "nightly": ""},
        description="One row per order, with its total and what has been paid.",
    ),
]
job = dg.define_asset_job(
    "shop_job",
    selection=ASSETS,
    executor_def=dg.multiprocess_executor.configured({"max_concurrent": 8}),
)
defs = dg.Definitions(assets=ASSETS, jobs=[job])

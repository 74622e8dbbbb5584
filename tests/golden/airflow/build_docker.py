"""Airflow DAG of the dbt project shop: one task per dbt node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --group-by=none --tests=build --schedule=@daily --timezone=Europe/Berlin --image=ghcr.io/example/shop:1 --operator=docker --assets plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from datetime import datetime, timedelta

import pendulum
from airflow.providers.docker.operators.docker import DockerOperator

try:
    from airflow.sdk import Asset, DAG, Param, TaskGroup
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.models.param import Param
    from airflow.utils.task_group import TaskGroup

DBT = "dbt"
FLAGS = ""
# A selection that finds nothing is an error, unless the run was narrowed on purpose.
STRICT = "{% if not params.select %} --warn-error-options '{\"error\": [\"NoNodesForSelectionCriteria\"]}'{% endif %}"
ONLY = "{{ ',' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"
IMAGE = "ghcr.io/example/shop:1"


def dbt(verb, select, after=(), flags="", task_id=None, **kwargs):
    """One dbt command as a task that waits for others."""
    words = " ".join(word + ONLY for word in ([select] if isinstance(select, str) else select))
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{words and ' --select '}{words}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = DockerOperator(task_id=task_id or verb, image=IMAGE, command=command, auto_remove="success", **kwargs)
    for upstream in after:
        # `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.
        task.upstream_task_ids.add(upstream.task_id)
        upstream.downstream_task_ids.add(task.task_id)
    return task


with DAG(
    "shop",
    description="dbt, one task per node",
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,  # two runs would build the same tables
    max_active_tasks=8,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True, "max_retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=1), "weight_rule": "absolute"},
    tags=["dbt"],
) as dag:
    folder = {"": None}

    with TaskGroup("days", parent_group=folder[""]):
        days_build = dbt("build", "fqn:shop.semantic.days", [], "--indirect-selection cautious", priority_weight=1, outlets=[Asset("dbt://shop/days")], doc_md="One row per day, for metrics.")
    with TaskGroup("raw_customers__seed", parent_group=folder[""]):
        raw_customers__seed = dbt("build", "fqn:shop.raw_customers", [], "--indirect-selection cautious", priority_weight=6, outlets=[Asset("dbt://shop/raw_customers__seed")], doc_md="As the till exports them.")
    with TaskGroup("raw_order_lines__seed", parent_group=folder[""]):
        raw_order_lines__seed = dbt("build", "fqn:shop.raw_order_lines", [], "--indirect-selection cautious", priority_weight=9, outlets=[Asset("dbt://shop/raw_order_lines__seed")])
    with TaskGroup("raw_orders__seed", parent_group=folder[""]):
        raw_orders__seed = dbt("build", "fqn:shop.raw_orders", [], "--indirect-selection cautious", priority_weight=9, outlets=[Asset("dbt://shop/raw_orders__seed")])
    with TaskGroup("raw_payments__seed", parent_group=folder[""]):
        raw_payments__seed = dbt("build", "fqn:shop.raw_payments", [], "--indirect-selection cautious", priority_weight=9, outlets=[Asset("dbt://shop/raw_payments__seed")])
    with TaskGroup("raw_products__seed", parent_group=folder[""]):
        raw_products__seed = dbt("build", "fqn:shop.raw_products", [], "--indirect-selection cautious", priority_weight=9, outlets=[Asset("dbt://shop/raw_products__seed")], doc_md="The price list, in cents.")
    with TaskGroup("stg_customers", parent_group=folder[""]):
        stg_customers_build = dbt("build", "fqn:shop.staging.stg_customers", [raw_customers__seed], "--indirect-selection cautious", priority_weight=5, outlets=[Asset("dbt://shop/stg_customers")], doc_md="One row per customer.")
    with TaskGroup("stg_order_lines", parent_group=folder[""]):
        stg_order_lines_build = dbt("build", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed], "--indirect-selection cautious", priority_weight=8, outlets=[Asset("dbt://shop/stg_order_lines")], doc_md="One row per product in an order.")
    with TaskGroup("stg_orders", parent_group=folder[""]):
        stg_orders_build = dbt("build", "fqn:shop.staging.stg_orders", [raw_orders__seed], "--indirect-selection cautious", priority_weight=8, outlets=[Asset("dbt://shop/stg_orders")], doc_md="One row per order.")
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt("test", "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_", [stg_customers_build, stg_orders_build], task_id="relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", priority_weight=4)
    with TaskGroup("stg_payments", parent_group=folder[""]):
        stg_payments_build = dbt("build", "fqn:shop.staging.stg_payments", [raw_payments__seed], "--indirect-selection cautious", priority_weight=8, outlets=[Asset("dbt://shop/stg_payments")], doc_md="One row per payment; an order may be paid in parts.")
    with TaskGroup("stg_products", parent_group=folder[""]):
        stg_products_build = dbt("build", "fqn:shop.staging.stg_products", [raw_products__seed], "--indirect-selection cautious", priority_weight=8, outlets=[Asset("dbt://shop/stg_products")], doc_md="One row per product. Those no longer sold stay.")
    with TaskGroup("order_lines", parent_group=folder[""]):
        order_lines_build = dbt("build", "fqn:shop.marts.order_lines", [stg_order_lines_build, stg_orders_build, stg_products_build], "--indirect-selection cautious", priority_weight=4, outlets=[Asset("dbt://shop/order_lines")], doc_md="All lines ever ordered; each run adds those of new days.")
    with TaskGroup("orders", parent_group=folder[""]):
        orders_build = dbt("build", "fqn:shop.marts.orders", [stg_order_lines_build, stg_orders_build, stg_payments_build, stg_products_build], "--indirect-selection cautious", priority_weight=6, outlets=[Asset("dbt://shop/orders")], doc_md="One row per order, with its total and what has been paid.")
    payments_belong_to_orders__test = dbt("test", "fqn:shop.payments_belong_to_orders", [stg_payments_build, orders_build], task_id="payments_belong_to_orders__test", priority_weight=5)
    with TaskGroup("customers", parent_group=folder[""]):
        customers_build = dbt("build", "fqn:shop.marts.customers", [stg_customers_build, relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test, orders_build, payments_belong_to_orders__test], "--indirect-selection cautious --exclude resource_type:unit_test", priority_weight=3, outlets=[Asset("dbt://shop/customers")], doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
    with TaskGroup("daily_revenue", parent_group=folder[""]):
        daily_revenue_build = dbt("build", "fqn:shop.marts.finance.daily_revenue", [orders_build, payments_belong_to_orders__test], "--indirect-selection cautious", priority_weight=4, outlets=[Asset("dbt://shop/daily_revenue")], owner="finance", doc_md="Revenue by day; returned orders do not count.")
    with TaskGroup("monthly_revenue", parent_group=folder[""]):
        monthly_revenue_build = dbt("build", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue_build], "--indirect-selection cautious", priority_weight=2, outlets=[Asset("dbt://shop/monthly_revenue")], doc_md="Revenue by month.")
    with TaskGroup("product_prices__snapshot", parent_group=folder[""]):
        product_prices__snapshot = dbt("build", "fqn:shop.product_prices", [stg_products_build], "--indirect-selection cautious", priority_weight=3, outlets=[Asset("dbt://shop/product_prices__snapshot")], doc_md="Every price a product ever had.")
    with TaskGroup("product_sales__v2", parent_group=folder[""]):
        product_sales__v2_build = dbt("build", "fqn:shop.marts.product_sales.v2", [order_lines_build, product_prices__snapshot], "--indirect-selection cautious", priority_weight=2, outlets=[Asset("dbt://shop/product_sales__v2")], doc_md="What was sold of each product.")
    with TaskGroup("returns", parent_group=folder[""]):
        returns_build = dbt("build", "fqn:shop.marts.returns", [orders_build, payments_belong_to_orders__test], "--indirect-selection cautious", priority_weight=2, outlets=[Asset("dbt://shop/returns")], doc_md="Orders that came back.")
    web__visits__source_test = dbt("test", ["fqn:shop.staging.source_not_null_web_visits_visit_id", "fqn:shop.staging.source_unique_web_visits_visit_id"], [], "--indirect-selection empty", task_id="web__visits__source_test", priority_weight=3)
    with TaskGroup("stg_visits", parent_group=folder[""]):
        stg_visits_build = dbt("build", "fqn:shop.staging.stg_visits", [web__visits__source_test], "--indirect-selection cautious", priority_weight=2, outlets=[Asset("dbt://shop/stg_visits")], doc_md="Page visits of the days we look at.")
    with TaskGroup("visitors", parent_group=folder[""]):
        visitors_build = dbt("build", "fqn:shop.marts.visitors", [customers_build, stg_visits_build], "--indirect-selection cautious", priority_weight=1, outlets=[Asset("dbt://shop/visitors")], doc_md="Customers who came to the web pages.")

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$"),
        "full_refresh": Param(False, type="boolean"),
    })

"""Airflow DAG of the dbt project shop: one task per node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --group-by=none --tests=build --schedule=@daily --timezone=Europe/Berlin --image=ghcr.io/example/shop:1 --operator=docker --assets plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from collections import namedtuple
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
SELECT = "{{ ' --select ' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"
IMAGE = "ghcr.io/example/shop:1"


def dbt(task_id, verb, select, after=(), flags="", **kwargs):
    """One dbt command as a task that waits for others."""
    words = [select] if isinstance(select, str) else select
    select = " --select " + " ".join(word + ONLY for word in words) if words else SELECT
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = DockerOperator(task_id=task_id, image=IMAGE, command=command, auto_remove="success", **kwargs)
    for upstream in after:
        # `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.
        task.upstream_task_ids.add(upstream.task_id)
        upstream.downstream_task_ids.add(task.task_id)
    return task


Model = namedtuple("Model", "run")


def model(name, verb, select, after=(), folder="", **kwargs):
    """A dbt node as a task group: what builds it."""
    with TaskGroup(name, parent_group=folders[folder]):
        run = dbt(verb, verb, select, after, **kwargs)
    return Model(run)


with DAG(
    dag_id="shop",
    description="dbt, one task per node",
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,  # two runs would build the same tables
    max_active_tasks=8,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=1),
        "weight_rule": "absolute",
    },
    tags=["dbt"],
) as dag:
    folders = {"": None}

    days = model(
        "days", "build", "fqn:shop.semantic.days", [], flags="--indirect-selection cautious",
        priority_weight=1, outlets=[Asset("dbt://shop/days")],
        doc_md="One row per day, for metrics.")
    raw_customers__seed = model(
        "raw_customers__seed", "build", "fqn:shop.raw_customers", [],
        flags="--indirect-selection cautious", priority_weight=6,
        outlets=[Asset("dbt://shop/raw_customers__seed")], doc_md="As the till exports them.")
    raw_order_lines__seed = model(
        "raw_order_lines__seed", "build", "fqn:shop.raw_order_lines", [],
        flags="--indirect-selection cautious", priority_weight=9,
        outlets=[Asset("dbt://shop/raw_order_lines__seed")])
    raw_orders__seed = model(
        "raw_orders__seed", "build", "fqn:shop.raw_orders", [],
        flags="--indirect-selection cautious", priority_weight=9,
        outlets=[Asset("dbt://shop/raw_orders__seed")])
    raw_payments__seed = model(
        "raw_payments__seed", "build", "fqn:shop.raw_payments", [],
        flags="--indirect-selection cautious", priority_weight=9,
        outlets=[Asset("dbt://shop/raw_payments__seed")])
    raw_products__seed = model(
        "raw_products__seed", "build", "fqn:shop.raw_products", [],
        flags="--indirect-selection cautious", priority_weight=9,
        outlets=[Asset("dbt://shop/raw_products__seed")], doc_md="The price list, in cents.")
    stg_customers = model(
        "stg_customers", "build", "fqn:shop.staging.stg_customers", [raw_customers__seed.run],
        flags="--indirect-selection cautious", priority_weight=5,
        outlets=[Asset("dbt://shop/stg_customers")], doc_md="One row per customer.")
    stg_order_lines = model(
        "stg_order_lines", "build", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed.run],
        flags="--indirect-selection cautious", priority_weight=8,
        outlets=[Asset("dbt://shop/stg_order_lines")], doc_md="One row per product in an order.")
    stg_orders = model(
        "stg_orders", "build", "fqn:shop.staging.stg_orders", [raw_orders__seed.run],
        flags="--indirect-selection cautious", priority_weight=8,
        outlets=[Asset("dbt://shop/stg_orders")], doc_md="One row per order.")
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", "test",
        "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
        [stg_customers.run, stg_orders.run], priority_weight=4)
    stg_payments = model(
        "stg_payments", "build", "fqn:shop.staging.stg_payments", [raw_payments__seed.run],
        flags="--indirect-selection cautious", priority_weight=8,
        outlets=[Asset("dbt://shop/stg_payments")],
        doc_md="One row per payment; an order may be paid in parts.")
    stg_products = model(
        "stg_products", "build", "fqn:shop.staging.stg_products", [raw_products__seed.run],
        flags="--indirect-selection cautious", priority_weight=8,
        outlets=[Asset("dbt://shop/stg_products")],
        doc_md="One row per product. Those no longer sold stay.")
    order_lines = model(
        "order_lines", "build", "fqn:shop.marts.order_lines", [stg_order_lines.run, stg_orders.run,
        stg_products.run], flags="--indirect-selection cautious", priority_weight=4,
        outlets=[Asset("dbt://shop/order_lines")],
        doc_md="All lines ever ordered; each run adds those of new days.")
    orders = model(
        "orders", "build", "fqn:shop.marts.orders", [stg_order_lines.run, stg_orders.run,
        stg_payments.run, stg_products.run], flags="--indirect-selection cautious",
        priority_weight=6, outlets=[Asset("dbt://shop/orders")],
        doc_md="One row per order, with its total and what has been paid.")
    payments_belong_to_orders__test = dbt(
        "payments_belong_to_orders__test", "test", "fqn:shop.payments_belong_to_orders",
        [stg_payments.run, orders.run], priority_weight=5)
    customers = model(
        "customers", "build", "fqn:shop.marts.customers", [stg_customers.run,
        relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test, orders.run,
        payments_belong_to_orders__test],
        flags="--indirect-selection cautious --exclude resource_type:unit_test", priority_weight=3,
        outlets=[Asset("dbt://shop/customers")],
        doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
    daily_revenue = model(
        "daily_revenue", "build", "fqn:shop.marts.finance.daily_revenue", [orders.run,
        payments_belong_to_orders__test], flags="--indirect-selection cautious", priority_weight=4,
        outlets=[Asset("dbt://shop/daily_revenue")], owner="finance",
        doc_md="Revenue by day; returned orders do not count.")
    monthly_revenue = model(
        "monthly_revenue", "build", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue.run],
        flags="--indirect-selection cautious", priority_weight=2,
        outlets=[Asset("dbt://shop/monthly_revenue")], doc_md="Revenue by month.")
    product_prices__snapshot = model(
        "product_prices__snapshot", "build", "fqn:shop.product_prices", [stg_products.run],
        flags="--indirect-selection cautious", priority_weight=3,
        outlets=[Asset("dbt://shop/product_prices__snapshot")],
        doc_md="Every price a product ever had.")
    product_sales__v2 = model(
        "product_sales__v2", "build", "fqn:shop.marts.product_sales.v2", [order_lines.run,
        product_prices__snapshot.run], flags="--indirect-selection cautious", priority_weight=2,
        outlets=[Asset("dbt://shop/product_sales__v2")], doc_md="What was sold of each product.")
    returns = model(
        "returns", "build", "fqn:shop.marts.returns", [orders.run, payments_belong_to_orders__test],
        flags="--indirect-selection cautious", priority_weight=2,
        outlets=[Asset("dbt://shop/returns")], doc_md="Orders that came back.")
    web__visits__source_test = dbt(
        "web__visits__source_test", "test", ["fqn:shop.staging.source_not_null_web_visits_visit_id",
        "fqn:shop.staging.source_unique_web_visits_visit_id"], [],
        flags="--indirect-selection empty", priority_weight=3)
    stg_visits = model(
        "stg_visits", "build", "fqn:shop.staging.stg_visits", [web__visits__source_test],
        flags="--indirect-selection cautious", priority_weight=2,
        outlets=[Asset("dbt://shop/stg_visits")], doc_md="Page visits of the days we look at.")
    visitors = model(
        "visitors", "build", "fqn:shop.marts.visitors", [customers.run, stg_visits.run],
        flags="--indirect-selection cautious", priority_weight=1,
        outlets=[Asset("dbt://shop/visitors")], doc_md="Customers who came to the web pages.")

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

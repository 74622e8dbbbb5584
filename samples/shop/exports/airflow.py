"""Airflow DAG of the dbt project shop: one task per node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --schedule=0%206%20*%20*%20* plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from collections import namedtuple
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param, TaskGroup
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.utils.task_group import TaskGroup

# Airflow gives each task an empty folder of its own. dbt's target folder and log go there, so
# that tasks side by side do not share them; the saved parse of the project is taken along.
DBT = 'cp "${DBT_PROJECT_DIR:-.}/target/partial_parse.msgpack" . 2>/dev/null; DBT_TARGET_PATH="$PWD" DBT_LOG_PATH="$PWD" dbt'
FLAGS = ""
# A selection that finds nothing is an error, unless the run was narrowed on purpose.
STRICT = "{% if not params.select %} --warn-error-options '{\"error\": [\"NoNodesForSelectionCriteria\"]}'{% endif %}"
ONLY = "{{ ',' ~ params.select if params.select }}"
SELECT = "{{ ' --select ' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"


def dbt(task_id, verb, select, after=(), flags="", **kwargs):
    """One dbt command as a task that waits for others."""
    words = [select] if isinstance(select, str) else select
    select = " --select " + " ".join(word + ONLY for word in words) if words else SELECT
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = BashOperator(task_id=task_id, bash_command=command, **kwargs)
    for upstream in after:
        # `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.
        task.upstream_task_ids.add(upstream.task_id)
        upstream.downstream_task_ids.add(task.task_id)
    return task


Model = namedtuple("Model", "run test")


def model(name, verb, select, after=(), folder="", test=None, **kwargs):
    """A dbt node as a task group: what builds it, then its tests."""
    with TaskGroup(name, parent_group=folders[folder]):
        run = dbt(verb, verb, select, after, **kwargs)
        if test is not None:
            test = dbt("test", "test", after=[run], **{"select": select, "flags": "--indirect-selection cautious", **test})
    return Model(run, test)


with DAG(
    dag_id="shop",
    description="dbt, one task per node",
    schedule="0 6 * * *",
    start_date=datetime(2024, 1, 1),
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
    for path in [
        "marts",
        "marts/finance",
        "marts/product_sales",
        "semantic",
        "staging",
    ]:
        parent, _, name = path.rpartition("/")
        folders[path] = TaskGroup(name, parent_group=folders[parent])

    days = model(
        "days", "run", "fqn:shop.semantic.days", [], folder="semantic", priority_weight=1,
        doc_md="One row per day, for metrics.")
    raw_customers__seed = model(
        "raw_customers__seed", "seed", "fqn:shop.raw_customers", [], priority_weight=6,
        doc_md="As the till exports them.")
    raw_order_lines__seed = model(
        "raw_order_lines__seed", "seed", "fqn:shop.raw_order_lines", [], priority_weight=9)
    raw_orders__seed = model(
        "raw_orders__seed", "seed", "fqn:shop.raw_orders", [], priority_weight=9)
    raw_payments__seed = model(
        "raw_payments__seed", "seed", "fqn:shop.raw_payments", [], priority_weight=9)
    raw_products__seed = model(
        "raw_products__seed", "seed", "fqn:shop.raw_products", [], priority_weight=9,
        doc_md="The price list, in cents.")
    stg_customers = model(
        "stg_customers", "run", "fqn:shop.staging.stg_customers", [raw_customers__seed.run],
        folder="staging", priority_weight=5, test={"priority_weight": 4},
        doc_md="One row per customer.")
    stg_order_lines = model(
        "stg_order_lines", "run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed.run],
        folder="staging", priority_weight=8, test={"priority_weight": 7},
        doc_md="One row per product in an order.")
    stg_orders = model(
        "stg_orders", "run", "fqn:shop.staging.stg_orders", [raw_orders__seed.run],
        folder="staging", priority_weight=8, test={"priority_weight": 7},
        doc_md="One row per order.")
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", "test",
        "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
        [stg_customers.run, stg_orders.run], task_group=folders["staging"], priority_weight=4)
    stg_payments = model(
        "stg_payments", "run", "fqn:shop.staging.stg_payments", [raw_payments__seed.run],
        folder="staging", priority_weight=8, test={"priority_weight": 7},
        doc_md="One row per payment; an order may be paid in parts.")
    stg_products = model(
        "stg_products", "run", "fqn:shop.staging.stg_products", [raw_products__seed.run],
        folder="staging", priority_weight=8, test={"priority_weight": 7},
        doc_md="One row per product. Those no longer sold stay.")
    order_lines = model(
        "order_lines", "run", "fqn:shop.marts.order_lines", [stg_order_lines.test, stg_orders.test,
        stg_products.test], folder="marts", priority_weight=4, test={"priority_weight": 3},
        doc_md="All lines ever ordered; each run adds those of new days.")
    orders = model(
        "orders", "run", "fqn:shop.marts.orders", [stg_order_lines.test, stg_orders.test,
        stg_payments.test, stg_products.test], folder="marts", priority_weight=6,
        test={"priority_weight": 5},
        doc_md="One row per order, with its total and what has been paid.")
    payments_belong_to_orders__test = dbt(
        "payments_belong_to_orders__test", "test", "fqn:shop.payments_belong_to_orders",
        [stg_payments.run, orders.run], priority_weight=5)
    customers = model(
        "customers", "run", "fqn:shop.marts.customers", [stg_customers.test,
        relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test, orders.test,
        payments_belong_to_orders__test], folder="marts", priority_weight=3,
        test={"flags": "--indirect-selection cautious --exclude resource_type:unit_test",
        "priority_weight": 2},
        doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
    daily_revenue = model(
        "daily_revenue", "run", "fqn:shop.marts.finance.daily_revenue", [orders.test,
        payments_belong_to_orders__test], folder="marts/finance", priority_weight=4,
        test={"priority_weight": 3}, owner="finance",
        doc_md="Revenue by day; returned orders do not count.")
    monthly_revenue = model(
        "monthly_revenue", "run", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue.test],
        folder="marts/finance", priority_weight=2, doc_md="Revenue by month.")
    product_prices__snapshot = model(
        "product_prices__snapshot", "snapshot", "fqn:shop.product_prices", [stg_products.test],
        priority_weight=3, doc_md="Every price a product ever had.")
    product_sales__v2 = model(
        "product_sales__v2", "run", "fqn:shop.marts.product_sales.v2", [order_lines.test,
        product_prices__snapshot.run], folder="marts/product_sales", priority_weight=2,
        test={"priority_weight": 1}, doc_md="What was sold of each product.")
    returns = model(
        "returns", "run", "fqn:shop.marts.returns", [orders.test, payments_belong_to_orders__test],
        folder="marts", priority_weight=2, test={"priority_weight": 1},
        doc_md="Orders that came back.")
    web__visits__source_test = dbt(
        "web__visits__source_test", "test", ["fqn:shop.staging.source_not_null_web_visits_visit_id",
        "fqn:shop.staging.source_unique_web_visits_visit_id"], [], task_group=folders["staging"],
        flags="--indirect-selection empty", priority_weight=3)
    stg_visits = model(
        "stg_visits", "run", "fqn:shop.staging.stg_visits", [web__visits__source_test],
        folder="staging", priority_weight=2, doc_md="Page visits of the days we look at.")
    visitors = model(
        "visitors", "run", "fqn:shop.marts.visitors", [customers.test, stg_visits.run],
        folder="marts", priority_weight=1, doc_md="Customers who came to the web pages.")

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

"""Airflow DAG of the dbt project shop: one task per node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --tests=after_all --target=prod --vars=%7B%22day%22:%20%22%7B%7B%20ds%20%7D%7D%22%7D --image=ghcr.io/example/shop:1 --secret=shop-env --slots=3 --retries=4 --timeout=7200000ms --operator=kubernetes plan=e392faa3e8a09c51
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
from collections import namedtuple
from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

try:
    from airflow.sdk import DAG, Param, TaskGroup
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.utils.task_group import TaskGroup

DBT = "dbt"
FLAGS = " --target prod --vars '{\"day\": \"{{ ds }}\"}'"
# A selection that finds nothing is an error, unless the run was narrowed on purpose.
STRICT = "{% if not params.select %} --warn-error-options '{\"error\": [\"NoNodesForSelectionCriteria\"]}'{% endif %}"
ONLY = "{{ ',' ~ params.select if params.select }}"
SELECT = "{{ ' --select ' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"
IMAGE = "ghcr.io/example/shop:1"
SECRETS = [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="shop-env"))]


def dbt(task_id, verb, select, after=(), flags="", **kwargs):
    """One dbt command as a task that waits for others."""
    words = [select] if isinstance(select, str) else select
    select = " --select " + " ".join(word + ONLY for word in words) if words else SELECT
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = KubernetesPodOperator(task_id=task_id, image=IMAGE, cmds=["sh", "-c"], arguments=[command], env_from=SECRETS, **kwargs)
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
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,  # two runs would build the same tables
    max_active_tasks=3,
    default_args={
        "retries": 4,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=2),
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
        folder="staging", priority_weight=5, doc_md="One row per customer.")
    stg_order_lines = model(
        "stg_order_lines", "run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed.run],
        folder="staging", priority_weight=8, doc_md="One row per product in an order.")
    stg_orders = model(
        "stg_orders", "run", "fqn:shop.staging.stg_orders", [raw_orders__seed.run],
        folder="staging", priority_weight=8, doc_md="One row per order.")
    stg_payments = model(
        "stg_payments", "run", "fqn:shop.staging.stg_payments", [raw_payments__seed.run],
        folder="staging", priority_weight=8,
        doc_md="One row per payment; an order may be paid in parts.")
    stg_products = model(
        "stg_products", "run", "fqn:shop.staging.stg_products", [raw_products__seed.run],
        folder="staging", priority_weight=8,
        doc_md="One row per product. Those no longer sold stay.")
    order_lines = model(
        "order_lines", "run", "fqn:shop.marts.order_lines", [stg_order_lines.run, stg_orders.run,
        stg_products.run], folder="marts", priority_weight=4,
        doc_md="All lines ever ordered; each run adds those of new days.")
    orders = model(
        "orders", "run", "fqn:shop.marts.orders", [stg_order_lines.run, stg_orders.run,
        stg_payments.run, stg_products.run], folder="marts", priority_weight=6,
        doc_md="One row per order, with its total and what has been paid.")
    customers = model(
        "customers", "run", "fqn:shop.marts.customers", [stg_customers.run, orders.run],
        folder="marts", priority_weight=3,
        doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
    daily_revenue = model(
        "daily_revenue", "run", "fqn:shop.marts.finance.daily_revenue", [orders.run],
        folder="marts/finance", priority_weight=4, owner="finance",
        doc_md="Revenue by day; returned orders do not count.")
    monthly_revenue = model(
        "monthly_revenue", "run", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue.run],
        folder="marts/finance", priority_weight=2, doc_md="Revenue by month.")
    product_prices__snapshot = model(
        "product_prices__snapshot", "snapshot", "fqn:shop.product_prices", [stg_products.run],
        priority_weight=3, doc_md="Every price a product ever had.")
    product_sales__v2 = model(
        "product_sales__v2", "run", "fqn:shop.marts.product_sales.v2", [order_lines.run,
        product_prices__snapshot.run], folder="marts/product_sales", priority_weight=2,
        doc_md="What was sold of each product.")
    returns = model(
        "returns", "run", "fqn:shop.marts.returns", [orders.run], folder="marts", priority_weight=2,
        doc_md="Orders that came back.")
    stg_visits = model(
        "stg_visits", "run", "fqn:shop.staging.stg_visits", [], folder="staging", priority_weight=2,
        doc_md="Page visits of the days we look at.")
    visitors = model(
        "visitors", "run", "fqn:shop.marts.visitors", [customers.run, stg_visits.run],
        folder="marts", priority_weight=1, doc_md="Customers who came to the web pages.")
    tests__all = dbt(
        "tests__all", "test", [], [days.run, monthly_revenue.run, product_sales__v2.run,
        returns.run, visitors.run], flags="--exclude resource_type:unit_test", priority_weight=7)

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

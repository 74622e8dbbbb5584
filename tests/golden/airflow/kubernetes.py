"""Airflow DAG of the dbt project shop: one task per dbt node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --tests=after_all --target=prod --vars=%7B%22day%22:%20%22%7B%7B%20ds%20%7D%7D%22%7D --image=ghcr.io/example/shop:1 --secret=shop-env --slots=3 --retries=4 --timeout=7200000ms --operator=kubernetes plan=e392faa3e8a09c51
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
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
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"
IMAGE = "ghcr.io/example/shop:1"
SECRETS = [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="shop-env"))]


def dbt(verb, select, after=(), flags="", task_id=None, **kwargs):
    """One dbt command as a task that waits for others."""
    words = " ".join(word + ONLY for word in ([select] if isinstance(select, str) else select))
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{words and ' --select '}{words}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = KubernetesPodOperator(task_id=task_id or verb, image=IMAGE, cmds=["sh", "-c"], arguments=[command], env_from=SECRETS, **kwargs)
    for upstream in after:
        # `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.
        task.upstream_task_ids.add(upstream.task_id)
        upstream.downstream_task_ids.add(task.task_id)
    return task


with DAG(
    "shop",
    description="dbt, one task per node",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,  # two runs would build the same tables
    max_active_tasks=3,
    default_args={"retries": 4, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True, "max_retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=2), "weight_rule": "absolute"},
    tags=["dbt"],
) as dag:
    folder = {"": None}
    for path in [
        "marts",
        "marts/finance",
        "marts/product_sales",
        "semantic",
        "staging",
    ]:
        parent, _, name = path.rpartition("/")
        folder[path] = TaskGroup(name, parent_group=folder[parent])

    with TaskGroup("days", parent_group=folder["semantic"]):
        days_run = dbt("run", "fqn:shop.semantic.days", [], priority_weight=1, doc_md="One row per day, for metrics.")
    with TaskGroup("raw_customers__seed", parent_group=folder[""]):
        raw_customers__seed = dbt("seed", "fqn:shop.raw_customers", [], priority_weight=6, doc_md="As the till exports them.")
    with TaskGroup("raw_order_lines__seed", parent_group=folder[""]):
        raw_order_lines__seed = dbt("seed", "fqn:shop.raw_order_lines", [], priority_weight=9)
    with TaskGroup("raw_orders__seed", parent_group=folder[""]):
        raw_orders__seed = dbt("seed", "fqn:shop.raw_orders", [], priority_weight=9)
    with TaskGroup("raw_payments__seed", parent_group=folder[""]):
        raw_payments__seed = dbt("seed", "fqn:shop.raw_payments", [], priority_weight=9)
    with TaskGroup("raw_products__seed", parent_group=folder[""]):
        raw_products__seed = dbt("seed", "fqn:shop.raw_products", [], priority_weight=9, doc_md="The price list, in cents.")
    with TaskGroup("stg_customers", parent_group=folder["staging"]):
        stg_customers_run = dbt("run", "fqn:shop.staging.stg_customers", [raw_customers__seed], priority_weight=5, doc_md="One row per customer.")
    with TaskGroup("stg_order_lines", parent_group=folder["staging"]):
        stg_order_lines_run = dbt("run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed], priority_weight=8, doc_md="One row per product in an order.")
    with TaskGroup("stg_orders", parent_group=folder["staging"]):
        stg_orders_run = dbt("run", "fqn:shop.staging.stg_orders", [raw_orders__seed], priority_weight=8, doc_md="One row per order.")
    with TaskGroup("stg_payments", parent_group=folder["staging"]):
        stg_payments_run = dbt("run", "fqn:shop.staging.stg_payments", [raw_payments__seed], priority_weight=8, doc_md="One row per payment; an order may be paid in parts.")
    with TaskGroup("stg_products", parent_group=folder["staging"]):
        stg_products_run = dbt("run", "fqn:shop.staging.stg_products", [raw_products__seed], priority_weight=8, doc_md="One row per product. Those no longer sold stay.")
    with TaskGroup("order_lines", parent_group=folder["marts"]):
        order_lines_run = dbt("run", "fqn:shop.marts.order_lines", [stg_order_lines_run, stg_orders_run, stg_products_run], priority_weight=4, doc_md="All lines ever ordered; each run adds those of new days.")
    with TaskGroup("orders", parent_group=folder["marts"]):
        orders_run = dbt("run", "fqn:shop.marts.orders", [stg_order_lines_run, stg_orders_run, stg_payments_run, stg_products_run], priority_weight=6, doc_md="One row per order, with its total and what has been paid.")
    with TaskGroup("customers", parent_group=folder["marts"]):
        customers_run = dbt("run", "fqn:shop.marts.customers", [stg_customers_run, orders_run], priority_weight=3, doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
    with TaskGroup("daily_revenue", parent_group=folder["marts/finance"]):
        daily_revenue_run = dbt("run", "fqn:shop.marts.finance.daily_revenue", [orders_run], priority_weight=4, owner="finance", doc_md="Revenue by day; returned orders do not count.")
    with TaskGroup("monthly_revenue", parent_group=folder["marts/finance"]):
        monthly_revenue_run = dbt("run", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue_run], priority_weight=2, doc_md="Revenue by month.")
    with TaskGroup("product_prices__snapshot", parent_group=folder[""]):
        product_prices__snapshot = dbt("snapshot", "fqn:shop.product_prices", [stg_products_run], priority_weight=3, doc_md="Every price a product ever had.")
    with TaskGroup("product_sales__v2", parent_group=folder["marts/product_sales"]):
        product_sales__v2_run = dbt("run", "fqn:shop.marts.product_sales.v2", [order_lines_run, product_prices__snapshot], priority_weight=2, doc_md="What was sold of each product.")
    with TaskGroup("returns", parent_group=folder["marts"]):
        returns_run = dbt("run", "fqn:shop.marts.returns", [orders_run], priority_weight=2, doc_md="Orders that came back.")
    with TaskGroup("stg_visits", parent_group=folder["staging"]):
        stg_visits_run = dbt("run", "fqn:shop.staging.stg_visits", [], priority_weight=2, doc_md="Page visits of the days we look at.")
    with TaskGroup("visitors", parent_group=folder["marts"]):
        visitors_run = dbt("run", "fqn:shop.marts.visitors", [customers_run, stg_visits_run], priority_weight=1, doc_md="Customers who came to the web pages.")
    tests__all = dbt("test", [], [days_run, monthly_revenue_run, product_sales__v2_run, returns_run, visitors_run], "--exclude resource_type:unit_test", task_id="tests__all", priority_weight=7)

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$"),
        "full_refresh": Param(False, type="boolean"),
    })

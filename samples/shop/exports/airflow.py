"""Airflow DAG of the dbt project shop: one task per dbt node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --schedule=0%206%20*%20*%20* plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
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
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"


def dbt(verb, select, after=(), flags="", task_id=None, **kwargs):
    """One dbt command as a task that waits for others."""
    words = " ".join(word + ONLY for word in ([select] if isinstance(select, str) else select))
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{words and ' --select '}{words}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    task = BashOperator(task_id=task_id or verb, bash_command=command, **kwargs)
    for upstream in after:
        # `upstream >> task`, without the hash over the whole DAG that Airflow takes for each edge.
        task.upstream_task_ids.add(upstream.task_id)
        upstream.downstream_task_ids.add(task.task_id)
    return task


with DAG(
    "shop",
    description="dbt, one task per node",
    schedule="0 6 * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,  # two runs would build the same tables
    max_active_tasks=8,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True, "max_retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=1), "weight_rule": "absolute"},
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
        stg_customers_test = dbt("test", "fqn:shop.staging.stg_customers", [stg_customers_run], "--indirect-selection cautious", priority_weight=4)
    with TaskGroup("stg_order_lines", parent_group=folder["staging"]):
        stg_order_lines_run = dbt("run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed], priority_weight=8, doc_md="One row per product in an order.")
        stg_order_lines_test = dbt("test", "fqn:shop.staging.stg_order_lines", [stg_order_lines_run], "--indirect-selection cautious", priority_weight=7)
    with TaskGroup("stg_orders", parent_group=folder["staging"]):
        stg_orders_run = dbt("run", "fqn:shop.staging.stg_orders", [raw_orders__seed], priority_weight=8, doc_md="One row per order.")
        stg_orders_test = dbt("test", "fqn:shop.staging.stg_orders", [stg_orders_run], "--indirect-selection cautious", priority_weight=7)
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt("test", "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_", [stg_customers_run, stg_orders_run], task_id="relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", task_group=folder["staging"], priority_weight=4)
    with TaskGroup("stg_payments", parent_group=folder["staging"]):
        stg_payments_run = dbt("run", "fqn:shop.staging.stg_payments", [raw_payments__seed], priority_weight=8, doc_md="One row per payment; an order may be paid in parts.")
        stg_payments_test = dbt("test", "fqn:shop.staging.stg_payments", [stg_payments_run], "--indirect-selection cautious", priority_weight=7)
    with TaskGroup("stg_products", parent_group=folder["staging"]):
        stg_products_run = dbt("run", "fqn:shop.staging.stg_products", [raw_products__seed], priority_weight=8, doc_md="One row per product. Those no longer sold stay.")
        stg_products_test = dbt("test", "fqn:shop.staging.stg_products", [stg_products_run], "--indirect-selection cautious", priority_weight=7)
    with TaskGroup("order_lines", parent_group=folder["marts"]):
        order_lines_run = dbt("run", "fqn:shop.marts.order_lines", [stg_order_lines_test, stg_orders_test, stg_products_test], priority_weight=4, doc_md="All lines ever ordered; each run adds those of new days.")
        order_lines_test = dbt("test", "fqn:shop.marts.order_lines", [order_lines_run], "--indirect-selection cautious", priority_weight=3)
    with TaskGroup("orders", parent_group=folder["marts"]):
        orders_run = dbt("run", "fqn:shop.marts.orders", [stg_order_lines_test, stg_orders_test, stg_payments_test, stg_products_test], priority_weight=6, doc_md="One row per order, with its total and what has been paid.")
        orders_test = dbt("test", "fqn:shop.marts.orders", [orders_run], "--indirect-selection cautious", priority_weight=5)
    payments_belong_to_orders__test = dbt("test", "fqn:shop.payments_belong_to_orders", [stg_payments_run, orders_run], task_id="payments_belong_to_orders__test", priority_weight=5)
    with TaskGroup("customers", parent_group=folder["marts"]):
        customers_run = dbt("run", "fqn:shop.marts.customers", [stg_customers_test, relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test, orders_test, payments_belong_to_orders__test], priority_weight=3, doc_md="One row per customer, with what they bought.\n\n| column | type | description |\n|---|---|---|\n| customer_id | integer |  |\n| customer_name | varchar |  |\n| joined_on | date |  |\n| orders | bigint |  |\n| spent | numeric(12, 2) |  |\n| is_regular | boolean |  |\n")
        customers_test = dbt("test", "fqn:shop.marts.customers", [customers_run], "--indirect-selection cautious --exclude resource_type:unit_test", priority_weight=2)
    with TaskGroup("daily_revenue", parent_group=folder["marts/finance"]):
        daily_revenue_run = dbt("run", "fqn:shop.marts.finance.daily_revenue", [orders_test, payments_belong_to_orders__test], priority_weight=4, owner="finance", doc_md="Revenue by day; returned orders do not count.")
        daily_revenue_test = dbt("test", "fqn:shop.marts.finance.daily_revenue", [daily_revenue_run], "--indirect-selection cautious", priority_weight=3)
    with TaskGroup("monthly_revenue", parent_group=folder["marts/finance"]):
        monthly_revenue_run = dbt("run", "fqn:shop.marts.finance.monthly_revenue", [daily_revenue_test], priority_weight=2, doc_md="Revenue by month.")
    with TaskGroup("product_prices__snapshot", parent_group=folder[""]):
        product_prices__snapshot = dbt("snapshot", "fqn:shop.product_prices", [stg_products_test], priority_weight=3, doc_md="Every price a product ever had.")
    with TaskGroup("product_sales__v2", parent_group=folder["marts/product_sales"]):
        product_sales__v2_run = dbt("run", "fqn:shop.marts.product_sales.v2", [order_lines_test, product_prices__snapshot], priority_weight=2, doc_md="What was sold of each product.")
        product_sales__v2_test = dbt("test", "fqn:shop.marts.product_sales.v2", [product_sales__v2_run], "--indirect-selection cautious", priority_weight=1)
    with TaskGroup("returns", parent_group=folder["marts"]):
        returns_run = dbt("run", "fqn:shop.marts.returns", [orders_test, payments_belong_to_orders__test], priority_weight=2, doc_md="Orders that came back.")
        returns_test = dbt("test", "fqn:shop.marts.returns", [returns_run], "--indirect-selection cautious", priority_weight=1)
    web__visits__source_test = dbt("test", ["fqn:shop.staging.source_not_null_web_visits_visit_id", "fqn:shop.staging.source_unique_web_visits_visit_id"], [], "--indirect-selection empty", task_id="web__visits__source_test", task_group=folder["staging"], priority_weight=3)
    with TaskGroup("stg_visits", parent_group=folder["staging"]):
        stg_visits_run = dbt("run", "fqn:shop.staging.stg_visits", [web__visits__source_test], priority_weight=2, doc_md="Page visits of the days we look at.")
    with TaskGroup("visitors", parent_group=folder["marts"]):
        visitors_run = dbt("run", "fqn:shop.marts.visitors", [customers_test, stg_visits_run], priority_weight=1, doc_md="Customers who came to the web pages.")

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$"),
        "full_refresh": Param(False, type="boolean"),
    })

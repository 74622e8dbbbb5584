"""Airflow DAG of the dbt project shop: one task per dbt node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --group-by=tag --unit-tests --runner=heddle --command=poetry%20run%20heddle --task-project-dir=/opt/shop --select=+orders plan=dbdc4d4d99feeca8
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
DBT = 'cp /opt/shop/target/partial_parse.msgpack . 2>/dev/null; DBT_TARGET_PATH="$PWD" DBT_LOG_PATH="$PWD" poetry run heddle'
FLAGS = " --project-dir /opt/shop"
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
    schedule=None,
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
        "raw",
        "staging",
    ]:
        parent, _, name = path.rpartition("/")
        folder[path] = TaskGroup(name, parent_group=folder[parent])

    with TaskGroup("raw_order_lines__seed", parent_group=folder["raw"]):
        raw_order_lines__seed = dbt("seed", "fqn:shop.raw_order_lines", [], priority_weight=19)
    with TaskGroup("raw_orders__seed", parent_group=folder["raw"]):
        raw_orders__seed = dbt("seed", "fqn:shop.raw_orders", [], priority_weight=18)
    with TaskGroup("raw_payments__seed", parent_group=folder["raw"]):
        raw_payments__seed = dbt("seed", "fqn:shop.raw_payments", [], priority_weight=24)
    with TaskGroup("raw_products__seed", parent_group=folder["raw"]):
        raw_products__seed = dbt("seed", "fqn:shop.raw_products", [], priority_weight=29, doc_md="The price list, in cents.")
    with TaskGroup("stg_order_lines", parent_group=folder["staging"]):
        stg_order_lines_run = dbt("run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed], priority_weight=13, doc_md="One row per product in an order.")
        stg_order_lines_test = dbt("test", "fqn:shop.staging.stg_order_lines", [stg_order_lines_run], "--indirect-selection cautious", priority_weight=13)
    with TaskGroup("stg_orders", parent_group=folder["staging"]):
        stg_orders_run = dbt("run", "fqn:shop.staging.stg_orders", [raw_orders__seed], priority_weight=17, doc_md="One row per order.")
        stg_orders_test = dbt("test", "fqn:shop.staging.stg_orders", [stg_orders_run], "--indirect-selection cautious", priority_weight=13)
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt("test", "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_", [stg_orders_run], task_id="relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", task_group=folder["staging"], priority_weight=2)
    with TaskGroup("stg_payments", parent_group=folder["staging"]):
        stg_payments_run = dbt("run", "fqn:shop.staging.stg_payments", [raw_payments__seed], priority_weight=16, doc_md="One row per payment; an order may be paid in parts.")
        stg_payments_test = dbt("test", "fqn:shop.staging.stg_payments", [stg_payments_run], "--indirect-selection cautious", priority_weight=12)
    with TaskGroup("stg_products", parent_group=folder["staging"]):
        stg_products_run = dbt("run", "fqn:shop.staging.stg_products", [raw_products__seed], priority_weight=24, doc_md="One row per product. Those no longer sold stay.")
        stg_products_test = dbt("test", "fqn:shop.staging.stg_products", [stg_products_run], "--indirect-selection cautious", priority_weight=14)
    with TaskGroup("orders", parent_group=folder["marts"]):
        orders_run = dbt("run", "fqn:shop.marts.orders", [stg_order_lines_test, stg_orders_test, stg_payments_test, stg_products_test], priority_weight=11, doc_md="One row per order, with its total and what has been paid.")
        orders_test = dbt("test", "fqn:shop.marts.orders", [orders_run], "--indirect-selection cautious", priority_weight=2)
    payments_belong_to_orders__test = dbt("test", "fqn:shop.payments_belong_to_orders", [stg_payments_run, orders_run], task_id="payments_belong_to_orders__test", priority_weight=1)

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$"),
        "full_refresh": Param(False, type="boolean"),
    })

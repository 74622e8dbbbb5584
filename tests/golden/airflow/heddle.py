"""Airflow DAG of the dbt project shop: one task per node.  Airflow 2.10+ and 3.

Made by: heddle export airflow --group-by=tag --unit-tests --runner=heddle --command=poetry%20run%20heddle --task-project-dir=/opt/shop --select=+orders plan=dbdc4d4d99feeca8
Out of date?  heddle export --check FILE

The first task runs the on-run-start hooks, the last one on-run-end; the others leave them out.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from collections import namedtuple
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param, TaskGroup
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.empty import EmptyOperator
    from airflow.utils.task_group import TaskGroup

# Airflow gives each task an empty folder of its own. dbt's target folder and log go there, so
# that tasks side by side do not share them; the saved parse of the project is taken along.
DBT = 'cp /opt/shop/target/partial_parse.msgpack . 2>/dev/null; DBT_TARGET_PATH="$PWD" DBT_LOG_PATH="$PWD" poetry run heddle'
FLAGS = " --project-dir /opt/shop"
NODES = " --no-hooks"
NO_NODES = ("on-run-start", "on-run-end", "docs generate")
# A selection that finds nothing is an error, unless the run was narrowed on purpose.
STRICT = "{% if not params.select %} --warn-error-options '{\"error\": [\"NoNodesForSelectionCriteria\"]}'{% endif %}"
ONLY = "{{ ',' ~ params.select if params.select }}"
SELECT = "{{ ' --select ' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"


def dbt(task_id, verb, select, after=(), flags="", **kwargs):
    """One dbt command as a task that waits for others."""
    words = [select] if isinstance(select, str) else select
    select = " --select " + " ".join(word + ONLY for word in words) if words else SELECT
    refresh = FULL_REFRESH if verb in ("run", "seed", "build", "on-run-start", "on-run-end") else ""
    nodes = "" if verb in NO_NODES else NODES
    command = f"{DBT} {verb}{nodes}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
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
    schedule=None,
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
        "raw",
        "staging",
    ]:
        parent, _, name = path.rpartition("/")
        folders[path] = TaskGroup(name, parent_group=folders[parent])

    on_run_start = dbt("on_run_start", "on-run-start", "+orders", [], priority_weight=30)
    raw_order_lines__seed = model(
        "raw_order_lines__seed", "seed", "fqn:shop.raw_order_lines", [on_run_start], folder="raw",
        priority_weight=19)
    raw_orders__seed = model(
        "raw_orders__seed", "seed", "fqn:shop.raw_orders", [on_run_start], folder="raw",
        priority_weight=18)
    raw_payments__seed = model(
        "raw_payments__seed", "seed", "fqn:shop.raw_payments", [on_run_start], folder="raw",
        priority_weight=24)
    raw_products__seed = model(
        "raw_products__seed", "seed", "fqn:shop.raw_products", [on_run_start], folder="raw",
        priority_weight=29, doc_md="The price list, in cents.")
    stg_order_lines = model(
        "stg_order_lines", "run", "fqn:shop.staging.stg_order_lines", [raw_order_lines__seed.run],
        folder="staging", priority_weight=13, test={"priority_weight": 13},
        doc_md="One row per product in an order.")
    stg_orders = model(
        "stg_orders", "run", "fqn:shop.staging.stg_orders", [raw_orders__seed.run],
        folder="staging", priority_weight=17, test={"priority_weight": 13},
        doc_md="One row per order.")
    relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test = dbt(
        "relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test", "test",
        "fqn:shop.staging.relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
        [stg_orders.run], task_group=folders["staging"], priority_weight=2)
    stg_payments = model(
        "stg_payments", "run", "fqn:shop.staging.stg_payments", [raw_payments__seed.run],
        folder="staging", priority_weight=16, test={"priority_weight": 12},
        doc_md="One row per payment; an order may be paid in parts.")
    stg_products = model(
        "stg_products", "run", "fqn:shop.staging.stg_products", [raw_products__seed.run],
        folder="staging", priority_weight=24, test={"priority_weight": 14},
        doc_md="One row per product. Those no longer sold stay.")
    orders = model(
        "orders", "run", "fqn:shop.marts.orders", [stg_order_lines.test, stg_orders.test,
        stg_payments.test, stg_products.test], folder="marts", priority_weight=11,
        test={"priority_weight": 2},
        doc_md="One row per order, with its total and what has been paid.")
    payments_belong_to_orders__test = dbt(
        "payments_belong_to_orders__test", "test", "fqn:shop.payments_belong_to_orders",
        [stg_payments.run, orders.run], priority_weight=1)
    on_run_end = dbt(
        "on_run_end", "on-run-end", "+orders",
        [relationships_stg_orders_customer_id__customer_id__ref_stg_customers___test, orders.test,
        payments_belong_to_orders__test], trigger_rule="all_done")
    # on_run_end ends well whatever became of the others: a run is as good as they are.
    done = EmptyOperator(task_id="done")
    [dag.get_task(i) for i in sorted({"on_run_end", *on_run_end.upstream_task_ids})] >> done

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

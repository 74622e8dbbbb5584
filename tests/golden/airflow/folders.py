"""Airflow DAG of the dbt project shop: one task per folder.  Airflow 2.10+ and 3.

Made by: heddle export airflow --tests=build --granularity=folder plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator

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


with DAG(
    dag_id="shop",
    description="dbt, one task per folder",
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
    seeds = dbt("seeds", "seed", [], [], priority_weight=9, execution_timeout=timedelta(hours=5))
    semantic = dbt("semantic", "run", "fqn:shop.semantic", [], priority_weight=1)
    staging = dbt(
        "staging", "build", "fqn:shop.staging", [seeds], flags="--indirect-selection cautious",
        priority_weight=8, execution_timeout=timedelta(hours=6))
    snapshots = dbt("snapshots", "snapshot", [], [staging], priority_weight=3)
    marts = dbt(
        "marts", "build", ["fqn:shop.marts.customers", "fqn:shop.marts.order_lines",
        "fqn:shop.marts.orders", "fqn:shop.marts.product_sales", "fqn:shop.marts.returns",
        "fqn:shop.marts.visitors", "fqn:shop.payments_belong_to_orders"], [staging, snapshots],
        flags="--indirect-selection cautious --exclude resource_type:unit_test", priority_weight=6,
        execution_timeout=timedelta(hours=6))
    marts__finance = dbt(
        "marts__finance", "build", "fqn:shop.marts.finance", [marts],
        flags="--indirect-selection cautious", priority_weight=4,
        execution_timeout=timedelta(hours=2))

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

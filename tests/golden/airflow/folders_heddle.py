"""Airflow DAG of the dbt project shop: one task per folder.  Airflow 2.10+ and 3.

Made by: heddle export airflow --granularity=folder --unit-tests --runner=heddle plan=576c78f1178c3890
Out of date?  heddle export --check FILE

The first task runs the on-run-start hooks, the last one on-run-end; the others leave them out.

A failed test holds back what reads its model; a test of severity warn never does.
"""
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.empty import EmptyOperator

# Each task has a target folder of its own, so that tasks side by side do not share one. It stays:
# the next try of a task builds what the last one left. Workers on other machines need it shared.
DBT = 'T="${DBT_PROJECT_DIR:-.}/target"/{{ task.task_id }}; mkdir -p "$T"; cp -n "${DBT_PROJECT_DIR:-.}/target/partial_parse.msgpack" "$T" 2>/dev/null; DBT_TARGET_PATH="$T" DBT_LOG_PATH="$T" heddle'
FLAGS = ""
# The next try of a task goes on where the last one ended; the next run does not.
NODES = " --no-hooks{{ ' --resume' if ti.try_number > 1 }}"
NO_NODES = ("on-run-start", "on-run-end", "docs generate")
# Hooks have the project's target folder, in which on-run-end finds the tasks' own.
HEDDLE = "heddle"
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
    program, nodes = (HEDDLE, "") if verb in NO_NODES else (DBT, NODES)
    command = f"{program} {verb}{nodes}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
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
    on_run_start = dbt("on_run_start", "on-run-start", [], [], priority_weight=10)
    seeds = dbt(
        "seeds", "seed", [], [on_run_start], priority_weight=9, execution_timeout=timedelta(hours=5))
    semantic = dbt("semantic", "run", "fqn:shop.semantic", [on_run_start], priority_weight=1)
    staging = dbt(
        "staging", "build", "fqn:shop.staging", [seeds], flags="--indirect-selection cautious",
        priority_weight=8, execution_timeout=timedelta(hours=6))
    snapshots = dbt("snapshots", "snapshot", [], [staging], priority_weight=3)
    marts = dbt(
        "marts", "build", ["fqn:shop.marts.customers", "fqn:shop.marts.order_lines",
        "fqn:shop.marts.orders", "fqn:shop.marts.product_sales", "fqn:shop.marts.returns",
        "fqn:shop.marts.visitors", "fqn:shop.payments_belong_to_orders"], [staging, snapshots],
        flags="--indirect-selection cautious", priority_weight=6,
        execution_timeout=timedelta(hours=6))
    marts__finance = dbt(
        "marts__finance", "build", "fqn:shop.marts.finance", [marts],
        flags="--indirect-selection cautious", priority_weight=4,
        execution_timeout=timedelta(hours=2))
    on_run_end = dbt(
        "on_run_end", "on-run-end", [], [semantic, marts__finance], trigger_rule="all_done")
    # on_run_end ends well whatever became of the others: a run is as good as they are.
    done = EmptyOperator(task_id="done")
    [dag.get_task(i) for i in sorted({"on_run_end", *on_run_end.upstream_task_ids})] >> done

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

"""Airflow DAG of the dbt project shop: one task per layer.  Airflow 2.10+ and 3.

Made by: heddle export airflow --schedule=0%206%20*%20*%20* --style=layers plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import json
import os
import urllib.request
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param, chain
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.baseoperator import chain
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import PythonOperator

DBT = "dbt"
FLAGS = ""
# A selection that finds nothing is an error, unless the run was narrowed on purpose.
STRICT = "{% if not params.select %} --warn-error-options '{\"error\": [\"NoNodesForSelectionCriteria\"]}'{% endif %}"
ONLY = "{{ ',' ~ params.select if params.select }}"
SELECT = "{{ ' --select ' ~ params.select if params.select }}"
FULL_REFRESH = "{{ ' --full-refresh' if params.full_refresh }}"


def dbt(task_id, verb, select, flags="", **kwargs):
    """One dbt command as a task."""
    words = [select] if isinstance(select, str) else select
    select = " --select " + " ".join(word + ONLY for word in words) if words else SELECT
    refresh = FULL_REFRESH if verb in ("run", "seed", "build") else ""
    command = f"{DBT} {verb}{select}{flags and ' '}{flags}{FLAGS}{STRICT}{refresh} "
    return BashOperator(task_id=task_id, bash_command=command, **kwargs)


def notify(context):
    """Tells the webhook in the workers' environment, if there is one, how the run ended."""
    url, run = os.environ.get("DBT_NOTIFY_URL"), context["dag_run"]
    text = f"{run.dag_id} {run.run_id}: {context.get('reason') or 'success'}"
    print(text)
    if url:
        body = json.dumps({"text": text}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30).close()


with DAG(
    dag_id="shop",
    description="dbt, one task per layer",
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
    on_failure_callback=notify,
) as dag:
    chain(
        dbt("freshness", "source freshness", []),
        dbt("seed", "seed", [], execution_timeout=timedelta(hours=5)),
        dbt("staging", "run", "fqn:shop.staging", execution_timeout=timedelta(hours=6)),
        dbt("snapshot", "snapshot", []),
        dbt(
            "marts", "run", ["fqn:shop.marts", "fqn:shop.semantic"],
            execution_timeout=timedelta(hours=9)),
        dbt("test", "test", [], flags="--exclude resource_type:unit_test"),
        dbt("docs", "docs generate", []),
        PythonOperator(task_id="notify", python_callable=lambda **context: notify(context)),
    )

    # Set last, or Airflow would copy them into every task. What a run may be started with:
    # select narrows it, in dbt's selection syntax without blanks; full_refresh rebuilds.
    dag.params.update({
        "select": Param("", type="string", pattern=r"^[\w.:+@*/,-]*$", maxLength=10000),
        "full_refresh": Param(False, type="boolean"),
    })

"""Airflow DAG of the dbt project shop, which Cosmos makes from the project's manifest.

Made by: heddle export airflow --target=prod --profile=shop --schedule=0%206%20*%20*%20* --style=cosmos plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Needs astronomer-cosmos, and the project with target/manifest.json wherever Airflow loads it.
"""
import os
from datetime import datetime, timedelta
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import LoadMode, TestBehavior

PROJECT = Path(os.environ["DBT_PROJECT_DIR"])
PROFILES = Path(os.environ.get("DBT_PROFILES_DIR", PROJECT))

dag = DbtDag(
    dag_id="shop",
    project_config=ProjectConfig(PROJECT, manifest_path=PROJECT / "target" / "manifest.json"),
    profile_config=ProfileConfig(
        profile_name="shop",
        target_name="prod",
        profiles_yml_filepath=PROFILES / "profiles.yml",
    ),
    execution_config=ExecutionConfig(dbt_executable_path="dbt"),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_MANIFEST,
        test_behavior=TestBehavior.AFTER_EACH,
        should_detach_multiple_parents_tests=True,  # else they run before all they read is built
        group_nodes_by_folder=True,
        emit_datasets=False,
    ),
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
)

"""Dagster definitions of the dbt project shop, read by dagster-dbt.

Made by: heddle export dagster --target=prod --schedule=@daily --style=dbt_assets --select=tag:nightly+ --exclude=stg_customers plan=d30af78845fc7f24
Out of date?  heddle export --check FILE

One op runs `dbt build` for what is selected: retried is the op as a whole.
"""
import os

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

PROJECT = DbtProject(
    project_dir=os.environ.get("DBT_PROJECT_DIR", "."),
    target="prod",
)
# `dagster dev` parses it; elsewhere the manifest has to be there.
PROJECT.prepare_if_dev()
SETTINGS = DagsterDbtTranslatorSettings(enable_asset_checks=True)


@dbt_assets(
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    name="shop_assets",
    select="tag:nightly+",
    exclude="stg_customers",
    dagster_dbt_translator=DagsterDbtTranslator(SETTINGS),
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS),
)
def build(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context).stream()


ASSETS = [build]
DBT = DbtCliResource(project_dir=PROJECT)
job = dg.define_asset_job(
    "shop_job",
    selection=ASSETS,
    executor_def=dg.multiprocess_executor.configured({"max_concurrent": 8}),
)
schedule = dg.ScheduleDefinition(job=job, cron_schedule="@daily")
defs = dg.Definitions(assets=ASSETS, resources={"dbt": DBT}, jobs=[job], schedules=[schedule])

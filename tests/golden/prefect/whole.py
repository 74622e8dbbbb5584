"""Prefect flow of the dbt project shop: one task run per run.  Prefect 3.

Made by: heddle export prefect --tests=after_all --granularity=all --exclude=newsletter plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import signal
import subprocess

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

DBT = ["dbt"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
TIMEOUT = 82800  # seconds


@task(
    retries=2,
    retry_delay_seconds=exponential_backoff(5),
    retry_jitter_factor=0.2,
    timeout_seconds=82800,
    cache_policy=NO_CACHE,  # what was built before is built again
)
def run_dbt(words, timeout):
    """One dbt command; an exit code other than 0 is raised."""
    with subprocess.Popen([*DBT, *words, *FLAGS]) as process:
        try:
            code = process.wait(timeout)
        except BaseException:  # too late, or cancelled: dbt gets the chance to cancel its queries
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise subprocess.CalledProcessError(code, [*DBT, *words])


@flow(name="shop", task_runner=ThreadPoolTaskRunner(max_workers=8))
def pipeline(full_refresh: bool = False):
    runs = {}

    def step(name, words, after=(), timeout_seconds=TIMEOUT, **options):
        if full_refresh and words[0] not in ("snapshot", "test"):
            words = [*words, "--full-refresh"]
        run = run_dbt.with_options(task_run_name=name, timeout_seconds=timeout_seconds, **options)
        before = [runs[up] for up in after]
        runs[name] = run.submit(words, timeout_seconds, wait_for=before)

    step(
        "dbt_build", ["build", "--exclude", "newsletter", "resource_type:test",
        "resource_type:unit_test"])
    step(
        "tests__all", ["test", "--exclude", "newsletter", "resource_type:unit_test"], ["dbt_build"],
        timeout_seconds=3600)
    return list(runs.values())  # a failed one fails the flow


if __name__ == "__main__":
    pipeline.serve(name="shop", global_limit=1)  # two runs would build the same tables

"""The mage export in Mage itself, its commands run by dbt, by hand:

    VENV/bin/python tests/long/mage_runs.py [--dbt DBT] [--heddle HEDDLE] [--only WHAT]
        [--forms TEXT] PROJECT...

VENV has mage-ai; DBT (default: the one on PATH) has the adapter of the projects. Each project is copied,
parsed if it is not yet, and run in every form of the export, twice: by Pipeline.execute(), as `mage run` does
it in one process, and by the scheduler, which runs the export's trigger with a process a block and keeps what
becomes of them in a database (SQLite here). The project's database is empty before each. Seen is: pipeline run
and block runs are completed, each block is one command; each node is built once, each test runs once, both
after all they read, and nothing else does; a node that fails is tried again, fails the run and holds back what
reads it. Only the scheduler tries again: Pipeline.execute() asks for no retry_config and ends with the first error.

The scheduler is asked what to start when all it started has ended, not every ten seconds: a block that ends
or starts just then it takes for crashed, and may start it twice.
"""
import asyncio
import logging
import os
import sys
import tempfile
import time
import warnings

from recorded import FAILURES, FORMS, arguments, broken_model, check, check_failure, check_work, prove

warnings.simplefilter("ignore")
HOME = tempfile.mkdtemp(prefix="mage-home-")
os.environ.update(MAGE_DATA_DIR=HOME, MAGE_REPO_PATH=HOME, DISABLE_TELEMETRY="1",
                  MAGE_DATABASE_CONNECTION_URL="sqlite:///%s/mage.db" % HOME)
from mage_ai.data_preparation.models.pipeline import Pipeline  # noqa: E402
from mage_ai.orchestration.db import db_connection  # noqa: E402
from mage_ai.orchestration.db.database_manager import database_manager  # noqa: E402
from mage_ai.orchestration.db.models.schedules import PipelineSchedule  # noqa: E402
from mage_ai.orchestration.job_manager import get_job_manager  # noqa: E402
from mage_ai.orchestration.pipeline_scheduler import PipelineScheduler, sync_schedules  # noqa: E402
from mage_ai.orchestration.triggers.utils import create_and_start_pipeline_run  # noqa: E402
from mage_ai.settings.repo import set_repo_path  # noqa: E402

NEVER = "0 0 1 1 *"    # the trigger is there; the time it names is not waited for
LONGEST = 3600


def export(project, *options):
    folder = project.export("mage", "mage", "--schedule", NEVER, *options)
    set_repo_path(folder)
    [name] = os.listdir(os.path.join(folder, "pipelines"))
    pipeline = Pipeline.get(name, repo_path=folder, check_if_exists=True)
    pipeline.validate()
    return pipeline


def schedule(pipeline):
    """A run of the pipeline's trigger, by the scheduler: how it ended, and how its blocks did."""
    sync_schedules([pipeline.uuid])
    [trigger] = PipelineSchedule.repo_query.filter(PipelineSchedule.pipeline_uuid == pipeline.uuid).all()
    run = create_and_start_pipeline_run(pipeline, trigger)
    PipelineScheduler(run).start()
    end = time.monotonic() + LONGEST
    while run.status in ("initial", "running") and time.monotonic() < end:
        time.sleep(0.2)
        db_connection.session.expire_all()
        if not run.queued_or_running_block_runs:
            PipelineScheduler(run).schedule()
    get_job_manager().queue.worker_pool_proc.join(60)    # else it takes the next run for one of this project
    return run.status.value, {b.block_uuid: b.status.value for b in run.block_runs}


def prove_execute(project, options):
    what = "%s %s, executed" % (project.name, " ".join(options))
    project.fresh()
    pipeline, error = export(project, *options), ""
    try:
        asyncio.run(pipeline.execute(update_status=False))
    except Exception as e:
        error = "%s: %s" % (type(e).__name__, e)
    check(not error, "%s: the pipeline ends well" % what, error[:500])
    check_calls(project, what, pipeline)


def prove_schedule(project, options):
    what = "%s %s, scheduled" % (project.name, " ".join(options))
    project.fresh()
    pipeline = export(project, *options)
    status, blocks = schedule(pipeline)
    check(status == "completed" and set(blocks.values()) == {"completed"},
          "%s: the run and all its blocks are completed" % what, (status, blocks))
    check_calls(project, what, pipeline)


def check_calls(project, what, pipeline):
    check(len(project.calls()) == len(pipeline.blocks_by_uuid), "%s: each block is one command (%d)" % (
        what, len(project.calls())), len(pipeline.blocks_by_uuid))
    check_work(project, what)


def prove_failure(project, options):
    """A model that cannot be built in jaffle_classic."""
    what = "%s %s, a failure" % (project.name, " ".join(options))
    project.fresh()
    pipeline = export(project, "--retries", "1", "--retry-delay", "1s", *options)
    with broken_model():
        status, blocks = schedule(pipeline)
    check(status == "failed", "%s: the run fails" % what, status)
    ends = sorted(blocks.values())
    check(ends.count("failed") == 1 and set(ends) == {"completed", "failed", "upstream_failed"},
          "%s: one block failed, the others are completed or held back" % what, blocks)
    check_failure(project, what, options)


def main():
    args = arguments(__doc__, "execute", "schedule", "failure")
    logging.disable(logging.CRITICAL)
    database_manager.run_migrations()
    get_job_manager().start()
    return prove(args, ("execute", FORMS, prove_execute), ("schedule", FORMS, prove_schedule),
                 ("failure", FAILURES, prove_failure))


if __name__ == "__main__":
    sys.exit(main())

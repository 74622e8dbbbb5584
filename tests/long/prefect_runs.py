"""The prefect export in Prefect itself, its commands run by dbt, by hand:

    VENV/bin/python tests/long/prefect_runs.py [--dbt DBT] [--heddle HEDDLE] [--only WHAT]
        [--forms TEXT] PROJECT...

VENV has prefect; DBT (default: the one on PATH) has the adapter of the projects. Each project is copied,
parsed if it is not yet, and run in every form of the export by a server that Prefect starts for this; its
database is empty before each. Seen is: flow run and task runs are completed, each task run is one command;
each node is built once, each test runs once, both after all they read, and nothing else does; a node that
fails is tried again, fails the flow and holds back what reads it.
"""
import asyncio
import logging
import os
import sys
import tempfile
import time
import warnings

from recorded import FAILURES, FORMS, arguments, broken_model, check, check_failure, check_work, load, prove

warnings.simplefilter("ignore")
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-home-")
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1",
                  PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="300")
from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.filters import FlowRunFilter  # noqa: E402
from prefect.client.schemas.objects import StateType  # noqa: E402

PAGE = 200    # as many task runs as Prefect gives at once


def execute(path):
    """Runs the flow in a file: how it ended, and its task runs."""
    flow = load(path).pipeline(return_state=True)
    states = flow.result(raise_on_failure=False)
    ends = {s.state_details.task_run_id: s.type for s in states} if isinstance(states, list) else {}
    return flow, asyncio.run(task_runs(flow.state_details.flow_run_id, ends))


async def task_runs(flow_run_id, ends):
    """They reach the database through a queue of events: asked for until they have ended as the flow says."""
    of_flow, end = FlowRunFilter(id={"any_": [flow_run_id]}), time.monotonic() + 120
    async with get_client() as client:
        while True:
            runs, page = [], None
            while page is None or len(page) == PAGE:
                page = await client.read_task_runs(flow_run_filter=of_flow, limit=PAGE, offset=len(runs))
                runs += page
            if {r.id: r.state_type for r in runs} == ends or time.monotonic() > end:
                return runs
            await asyncio.sleep(0.5)


def prove_form(project, options):
    what = "%s %s" % (project.name, " ".join(options))
    project.fresh()
    flow, runs = execute(project.export("prefect", "flow.py", *options))
    check(flow.is_completed(), "%s: the flow run is completed" % what, flow.message)
    ended = [(r.name, r.state_name, r.run_count) for r in runs]
    check(all(r.state_type == StateType.COMPLETED and r.run_count == 1 for r in runs) and
          len({r.name for r in runs}) == len(runs) == len(project.calls()),
          "%s: so is each task run, one a command (%d)" % (what, len(runs)), (len(project.calls()), ended))
    check_work(project, what)


def prove_failure(project, options):
    """A model that cannot be built in jaffle_classic."""
    what = "%s %s, a failure" % (project.name, " ".join(options))
    project.fresh()
    path = project.export("prefect", "flow.py", "--retries", "1", "--retry-delay", "1s", *options)
    with broken_model():
        flow, runs = execute(path)
    check(flow.is_failed(), "%s: the flow run fails" % what, flow)
    failed = [r for r in runs if r.state_type == StateType.FAILED]
    check(len(failed) == 1 and failed[0].run_count == 2, "%s: one task run failed, at its second try" % what,
          [(r.name, r.run_count) for r in failed])
    rest = {r.state_name for r in runs if r not in failed}
    check(rest == {"Completed", "NotReady"}, "%s: the others are completed or did not start" % what, rest)
    check_failure(project, what, options)


def main():
    args = arguments(__doc__, "forms", "failure")
    logging.disable(logging.CRITICAL)
    return prove(args, ("forms", FORMS, prove_form), ("failure", FAILURES, prove_failure))


if __name__ == "__main__":
    sys.exit(main())

"""The dagster export in Dagster itself, its commands run by dbt, by hand:

    VENV/bin/python tests/long/dagster_runs.py [--dbt DBT] [--heddle HEDDLE] [--only WHAT]
        [--forms TEXT] PROJECT...

VENV has dagster and dagster-dbt; DBT (default: the one on PATH) has the adapter of the projects. Each
project is copied, parsed if it is not yet, built in every form of the export, and its database is empty before each. Seen is:
keys, dependencies, groups and checks are those of the first form; each node is built once, each test
runs once, both after all they read; a node that fails is tried again and holds back what reads it; one
asset of a part is built alone.
"""
import logging
import os
import sys
import tempfile
import warnings

from recorded import CUTS, Project, arguments, broken_model, check, check_work, load

warnings.simplefilter("ignore")
os.environ.setdefault("DAGSTER_HOME", tempfile.mkdtemp(prefix="dagster-home-"))
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
import dagster as dg  # noqa: E402

FORMS = [["--tests", "after_each"], ["--tests", "build"], ["--style", "dbt_assets"]] + CUTS


def export(project, *options):
    module = load(project.export("dagster", "definitions.py", *options))
    dg.Definitions.validate_loadable(module.defs)
    return module.defs


def shape(defs):
    graph = defs.get_repository_def().asset_graph
    nodes = {key: graph.get(key) for key in graph.get_all_asset_keys()}
    assets = {key: (node.parent_keys, node.group_name) for key, node in nodes.items() if node.is_materializable}
    return assets, {(c.asset_key, c.name) for c in graph.asset_check_keys}


def execute(defs, **more):
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.get_implicit_global_asset_job_def().execute_in_process(instance=instance, raise_on_error=False, **more)
        made = [event.asset_key for event in result.get_asset_materialization_events()]
        return result, made, result.get_asset_check_evaluations()


def without_asset(project):
    """What runs in the ops of assets, if there are any it belongs to."""
    return {u for u in project.work() if project.nodes[u]["resource_type"] == "function" or
            project.nodes[u]["resource_type"] == "test" and not list(project.above(u))}


def prove_forms(project, chosen):
    first = shape(export(project, *FORMS[0]))
    for options in FORMS:
        if chosen not in " ".join(options):
            continue
        what = "%s %s" % (project.name, " ".join(options))
        project.fresh()
        defs = export(project, *options)
        found = shape(defs)
        check(found[0] == first[0], "%s: assets, dependencies, groups as in the first form (%d)" % (what, len(first[0])),
              {k.to_user_string() for k in set(first[0]) | set(found[0]) if first[0].get(k) != found[0].get(k)})
        check(found[1] == first[1], "%s: the same checks (%d)" % (what, len(first[1])), found[1] ^ first[1])
        result, made, checks = execute(defs)
        check(result.success, "%s: it runs" % what, [str(e.event_specific_data.error)[:500] for e in result.all_events
                                                     if e.event_type_value == "STEP_FAILURE"])
        check(sorted(made) == sorted(first[0]), "%s: each asset is materialized once" % what, len(made))
        evaluated = sorted((c.asset_key, c.check_name) for c in checks)
        check(evaluated == sorted(first[1]) and all(c.passed or c.severity == dg.AssetCheckSeverity.WARN for c in checks),
              "%s: each check is evaluated once and passes" % what, [c.check_name for c in checks if not c.passed] or len(checks))
        check_work(project, what, maybe=without_asset(project))


def prove_failure(project, runner):
    """A model that cannot be built: folders of jaffle_classic."""
    what = "%s, a failure, %s" % (project.name, runner)
    project.fresh()
    defs = export(project, "--granularity", "folder", "--runner", runner, "--retries", "1", "--retry-delay", "1s")
    with broken_model():
        result, made, checks = execute(defs)
    made = {key.to_user_string() for key in made}
    tried = [c["words"] for c in project.calls() if c["code"]]
    check(not result.success, "%s: the run fails" % what)
    check({"stg_customers", "stg_orders", "raw_payments"} <= made, "%s: what is beside it is built" % what, made)
    check(not made & {"stg_payments", "customers", "orders"}, "%s: what reads it is not" % what, made)
    check(len(tried) == 2, "%s: it is tried twice" % what, tried)
    check(all(c.passed for c in checks) and not any("stg_payments" in c.check_name for c in checks),
          "%s: no verdict on what was not built" % what, [c.check_name for c in checks])
    if runner == "heddle":    # the second try goes on with what was left
        again = [r["unique_id"] for r in project.calls()[-1]["results"] if r["status"] == "success"]
        print("     the last command built or had built: %s" % again)


def prove_subset(project):
    what = "%s, one asset of a folder" % project.name
    project.fresh()
    defs = export(project, "--granularity", "folder")
    execute(defs)
    before = len(project.calls())
    result, made, checks = execute(defs, asset_selection=[dg.AssetKey("stg_orders")])
    call = project.calls()[before:]
    check(result.success and [k.to_user_string() for k in made] == ["stg_orders"], "%s: it alone is built" % what, made)
    built = [r["unique_id"] for c in call for r in c["results"] if not r["unique_id"].startswith("test.")]
    check(built == ["model.jaffle_shop.stg_orders"], "%s: dbt built nothing else" % what, built)
    check({c.asset_key.to_user_string() for c in checks} == {"stg_orders"}, "%s: with its checks" % what, checks)


def main():
    args = arguments(__doc__, "forms", "failure", "subset")
    logging.disable(logging.CRITICAL)
    for source in args.projects:
        project = Project(source, args)
        if args.only in (None, "forms"):
            prove_forms(project, args.forms)
        if project.name == "jaffle_classic" and args.only in (None, "failure"):
            prove_failure(project, "dbt")
            prove_failure(project, "heddle")
        if project.name == "jaffle_classic" and args.only in (None, "subset"):
            prove_subset(project)
    print("%d failed" % check.failed)
    return check.failed > 0


if __name__ == "__main__":
    sys.exit(main())

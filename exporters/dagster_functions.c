/* dagster_functions.c -- the Python that the rows of assets, parts and checks call. */
#include "exporters/dagster.h"

#include "exporters/pydbt.h"

/* ---- what all of them use ---- */

static const char of_failures[] =
	"def fault(words, code, results):\n"
	"    \"\"\"What went wrong but for verdicts of tests: that may be tried again.\"\"\"\n"
	"    good = (\"success\", \"pass\", \"warn\", \"fail\", \"skipped\", \"no-op\")\n"
	"    wrong = [r for r in results if r[\"status\"] not in good]\n"
	"    if code and (wrong or not any(r[\"status\"] == \"fail\" for r in results)):\n"
	"        said = \"\".join(f\"\\n{r['message']}\" for r in wrong)\n"
	"        raise dg.Failure(f\"dbt {' '.join(words)}: exit code {code}{said}\")\n"
	"\n"
	"\n";

static const char of_dbt[] =
	"def dbt(words, timeout):\n"
	"    \"\"\"The same; what is no verdict of a test is raised.\"\"\"\n"
	"    code, results = run_dbt(words, timeout)\n"
	"    fault(words, code, results)\n"
	"    return code, results\n"
	"\n"
	"\n";

/* Helpers: once a run on one machine, whichever op comes first. */
static const char of_once[] =
	"def once(context, words, timeout):\n"
	"    \"\"\"What belongs to several ops: the first of them in a run does it.\"\"\"\n"
	"    folder = Path(tempfile.gettempdir(), f\"dbt-{context.run.run_id}\")\n"
	"    folder.mkdir(mode=0o700, exist_ok=True)\n"
	"    name = hashlib.sha256(\" \".join(words).encode()).hexdigest()\n"
	"    with open(folder / name, \"a+\") as mark:\n"
	"        fcntl.flock(mark, fcntl.LOCK_EX)\n"
	"        if mark.seek(0, os.SEEK_END):\n"
	"            return\n"
	"        code, _ = dbt(words, timeout)\n"
	"        if code:\n"
	"            raise dg.Failure(f\"dbt {' '.join(words)} failed\", allow_retries=False)\n"
	"        mark.write(\"done\")\n"
	"\n"
	"\n";

static const char of_built[] =
	"def built(context, key):\n"
	"    \"\"\"In this run?\"\"\"\n"
	"    event = context.instance.get_latest_materialization_event(KEY(key))\n"
	"    return event is not None and event.run_id == context.run.run_id\n"
	"\n"
	"\n";

static const char of_verdicts[] =
	"def verdicts(context, code, results):\n"
	"    \"\"\"What dbt says of each test; if it says nothing at all, its exit code.\"\"\"\n"
	"    said = defaultdict(list)\n"
	"    for result in results:\n"
	"        kind, _, name = result[\"unique_id\"].split(\".\", 2)  # test.package.name.hash\n"
	"        if kind == \"test\" and result[\"status\"] != \"skipped\":\n"
	"            for name in (name, name.rpartition(\".\")[0]):\n";

static const char of_verdicts_told[] =
	"    for check in sorted(context.selected_asset_check_keys):\n"
	"        mine = said[check.name]\n"
	"        if results and not mine:\n"
	"            continue\n"
	"        warn = mine and all(r[\"status\"] in (\"pass\", \"warn\") for r in mine)\n"
	"        yield dg.AssetCheckResult(\n"
	"            asset_key=check.asset_key,\n"
	"            check_name=check.name,\n"
	"            passed=all(r[\"status\"] == \"pass\" for r in mine) if mine else code == 0,\n"
	"            severity=LEVEL.WARN if warn else LEVEL.ERROR,\n"
	"            metadata={\"failures\": sum(r[\"failures\"] or 0 for r in mine)}"
	" if mine else None,\n"
	"        )\n"
	"\n"
	"\n";

static const char of_spec[] =
	"def spec_of(key, deps, about):\n"
	"    return dg.AssetSpec(key, deps=[*map(KEY, deps)], kinds=KINDS, **about)\n"
	"\n"
	"\n";

static const char of_checks[] =
	"def checks_of(key, checks, warns):\n"
	"    specs = [dg.AssetCheckSpec(check, asset=key, blocking=True) for check in checks]\n"
	"    return specs + [dg.AssetCheckSpec(check, asset=key) for check in warns]\n"
	"\n"
	"\n";

static void
text(struct dagster *d, const char *lines)
{
	emit_add(&d->e, "%s", lines);
}

/* The arguments that only some files have. */
static void
write_options(struct dagster *d)
{
	text(d, d->nbefore ? ", before=()" : "");
	text(d, d->nafter ? ", after=()" : "");
	text(d, ", retry=RETRY, timeout=TIMEOUT");
	text(d, d->pools ? ", pool=None" : "");
}

/* Of a decorator. */
static void
write_policy(struct dagster *d)
{
	text(d, "        retry_policy=retry,\n");
	text(d, d->pools ? "        pool=pool,\n" : "");
}

/* ---- one node ---- */

static void
write_asset_body(struct dagster *d, bool checks, bool inside)
{
	bool asked = checks && !inside;    /* the op may be for the checks alone */

	text(d, "    def build(context: dg.AssetExecutionContext):\n");
	if (asked)
		text(d, "        if key in context.selected_asset_keys:\n");
	d->e.depth = asked ? 3 : 2;
	if (d->nbefore) {
		emit_open(&d->e, "for words in before:");
		emit_line(&d->e, "once(context, words, timeout)");
		d->e.depth--;
	}
	emit_line(&d->e, inside ? "code, results = dbt(run, timeout)" : "dbt(run, timeout)");
	emit_line(&d->e, "yield dg.MaterializeResult(asset_key=key)");
	d->e.depth = 0;
	if (asked)
		text(d,
		    "        if context.selected_asset_check_keys:\n"
		    "            yield from verdicts(context, *dbt(test, timeout))\n");
	else if (checks)
		text(d, "        yield from verdicts(context, code, results)\n");
	if (d->nafter)
		emit_add(&d->e,
		    "        for words, others in after:\n"
		    "            if %sall(built(context, other) for other in others):\n"
		    "                once(context, words, timeout)\n",
		    asked ? "key in context.selected_asset_keys and " : "");
	text(d, "\n    return build\n\n\n");
}

static void
write_asset(struct dagster *d)
{
	bool checks = dagster_tests_inside(d), inside = d->o->tests == TESTS_BUILD;

	text(d, "def asset(\n    name, key, run, deps=()");
	text(d, checks ? ", checks=(), warns=()" : "");
	text(d, checks && !inside ? ", test=None" : "");
	write_options(d);
	text(d, ", **about\n):\n");
	text(d, inside ? "    \"\"\"One dbt node, tested by the command that builds it.\"\"\"\n" :
	    checks ? "    \"\"\"One dbt node; its own tests are checks of the same op.\"\"\"\n" :
	    "    \"\"\"One dbt node.\"\"\"\n");
	text(d, "    key = KEY(key)\n");
	text(d, checks ? "    specs = checks_of(key, checks, warns)\n" : "");
	text(d,
	    "\n"
	    "    @dg.multi_asset(\n"
	    "        name=name,\n"
	    "        specs=[spec_of(key, deps, about)],\n");
	text(d, checks ? "        check_specs=specs,\n" : "");
	text(d, checks && !inside ? "        can_subset=bool(specs),\n" : "");
	write_policy(d);
	text(d, "    )\n");
	write_asset_body(d, checks, inside);
}

/* ---- several nodes ---- */

static const char of_chosen[] =
	"def chosen(context, nodes):\n"
	"    \"\"\"What of them is to be built, or, if nothing is, to be tested.\"\"\"\n"
	"    tested = {check.asset_key for check in context.selected_asset_check_keys}\n"
	"    built = [node for node in nodes if node.spec.key in context.selected_asset_keys]\n"
	"    return built, built or [node for node in nodes if node.spec.key in tested]\n"
	"\n"
	"\n";

static void
write_node(struct dagster *d)
{
	bool checks = dagster_tests_inside(d);

	text(d,
	    "class Node(NamedTuple):\n"
	    "    unique_id: str\n"
	    "    select: str  # None: dbt cannot select it alone\n"
	    "    spec: dg.AssetSpec\n"
	    "    checks: list\n"
	    "\n"
	    "\n");
	emit_add(&d->e, "def node(unique_id, key, select, deps=()%s, **about):\n",
	    checks ? ", checks=(), warns=()" : "");
	text(d,
	    "    \"\"\"One dbt node of a part.\"\"\"\n"
	    "    key = KEY(key)\n"
	    "    spec = spec_of(key, deps, about)\n");
	emit_add(&d->e, "    return Node(unique_id, select, spec, %s)\n\n\n",
	    checks ? "checks_of(key, checks, warns)" : "[]");
}

static void
write_part_body(struct dagster *d)
{
	text(d,
	    "    def build(context: dg.AssetExecutionContext):\n"
	    "        wanted, some = chosen(context, nodes)\n"
	    "        words = [node.select for node in some]\n"
	    "        if len(some) == len(nodes) or None in words:\n"
	    "            words = select\n"
	    "        words = [\"--select\", *words] if words else []\n"
	    "        words = [verb if wanted else \"test\", *words, *flags]\n");
	if (d->o->runner == RUNNER_HEDDLE)
		text(d,
		    "        # The next try builds what this one left; other machines need it "
		    "shared.\n"
		    "        words += [\"--state-dir\", str(STATE / name)]\n"
		    "        words += [\"--resume\"] if context.retry_number else []\n");
	if (d->nbefore)
		text(d,
		    "        for helper in before if wanted else ():\n"
		    "            once(context, helper, timeout)\n");
	text(d,
	    "        code, results = run_dbt(words, timeout)\n"
	    "        done = [r[\"unique_id\"] for r in results if r[\"status\"] == \"success\"]\n"
	    "        for node in wanted:\n"
	    "            if node.unique_id in done or not (results or code):\n"
	    "                yield dg.MaterializeResult(asset_key=node.spec.key)\n");
	if (dagster_tests_inside(d))
		text(d, "        yield from verdicts(context, code, results)\n");
	text(d,
	    "        fault(words, code, results)\n"
	    "        if code:\n"
	    "            raise dg.Failure(f\"{name}: tests failed\", allow_retries=False)\n");
	if (d->nafter)
		text(d,
		    "        for helper, others in after if wanted else ():\n"
		    "            if all(built(context, other) for other in others):\n"
		    "                once(context, helper, timeout)\n");
	text(d, "\n    return build\n\n\n");
}

static void
write_part(struct dagster *d)
{
	write_node(d);
	text(d, of_chosen);
	text(d, "def part(name, verb, select, flags, nodes");
	write_options(d);
	text(d,
	    "):\n"
	    "    \"\"\"Several dbt nodes by one command, which selects what is wanted.\"\"\"\n"
	    "\n"
	    "    @dg.multi_asset(\n"
	    "        name=name,\n"
	    "        specs=[node.spec for node in nodes],\n"
	    "        check_specs=[check for node in nodes for check in node.checks],\n"
	    "        can_subset=True,\n");
	write_policy(d);
	text(d, "    )\n");
	write_part_body(d);
}

/* ---- checks ---- */

static void
write_check(struct dagster *d)
{
	bool all = d->o->tests == TESTS_AFTER_ALL;

	text(d, "def check(name, specs, test, retry=RETRY, timeout=TIMEOUT");
	text(d, d->pools ? ", pool=None):\n" : "):\n");
	text(d, all ? "    \"\"\"All tests at once.\"\"\"\n" :
	    "    \"\"\"A test that reads several nodes. It holds nothing back.\"\"\"\n");
	text(d,
	    "    specs = [\n"
	    "        dg.AssetCheckSpec(check, asset=KEY(key), additional_deps=[*map(KEY, deps)])\n"
	    "        for key, check, deps in specs\n"
	    "    ]\n"
	    "\n"
	    "    @dg.multi_asset_check(\n"
	    "        name=name,\n"
	    "        specs=specs,\n");
	write_policy(d);
	text(d,
	    "    )\n"
	    "    def run(context: dg.AssetCheckExecutionContext):\n"
	    "        yield from verdicts(context, *dbt(test, timeout))\n"
	    "\n"
	    "    return run\n"
	    "\n"
	    "\n");
}

static void
write_verdicts(struct dagster *d)
{
	text(d, of_verdicts);
	text(d, d->renamed ? "                said[NAMES.get(name, name)].append(result)\n" :
	    "                said[name].append(result)\n");
	text(d, of_verdicts_told);
}

/* ---- all of them ---- */

void
dagster_write_functions(struct dagster *d)
{
	bool helpers = d->nbefore || d->nafter, parts = dagster_has_parts(d);

	pydbt_results_function(&d->e, d->o);
	text(d, "\n\n");
	text(d, of_failures);
	if (!parts || helpers || d->nchecks)
		text(d, of_dbt);
	if (helpers)
		text(d, of_once);
	if (d->nafter)
		text(d, of_built);
	if (d->o->tests != TESTS_NONE)
		write_verdicts(d);
	text(d, of_spec);
	if (dagster_tests_inside(d))
		text(d, of_checks);
	if (parts)
		write_part(d);
	else
		write_asset(d);
	if (d->nchecks)
		write_check(d);
}

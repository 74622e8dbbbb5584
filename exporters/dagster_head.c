/* dagster_head.c -- docstring, imports, and the functions the rows of assets and checks call. */
#include "exporters/dagster.h"

#include "exporters/policy.h"
#include "exporters/pydbt.h"

static void
write_docstring(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_line(e, "\"\"\"Dagster definitions of the dbt project %c: one asset per dbt node.  Dagster 1.9+.",
	    d->job->title);
	pydbt_docstring(e, d->job);
	if (d->o->tests == TESTS_AFTER_EACH || d->o->tests == TESTS_BUILD) {
		emit_line(e, "");
		emit_line(e, "A failed check of severity error holds back what reads its asset, if the asset is all the test reads.");
	}
	if (d->nhomeless) {
		emit_line(e, "");
		emit_line(e, "Not here, for they read no asset and no asset reads them; run them apart:");
		for (size_t i = 0; i < d->steps->n; i++)
			for (size_t k = 0; d->homeless[i] && k < d->steps->v[i].nselect; k++)
				emit_line(e, "    %s %c", d->steps->v[i].verb, d->steps->v[i].select[k]);
	}
	emit_line(e, "\"\"\"");
}

static void
write_imports(struct dagster *d)
{
	const char *more[6];
	size_t n = 0;

	more[n++] = "import json";
	more[n++] = "from functools import cache";
	if (d->nbefore || d->nafter) {
		more[n++] = "import fcntl";
		more[n++] = "import hashlib";
	}
	if (d->o->tests != TESTS_NONE)
		more[n++] = "from collections import defaultdict";
	more[n] = NULL;
	pydbt_imports(&d->e, d->o, more);
	emit_line(&d->e, "");
	emit_line(&d->e, "import dagster as dg");
	emit_line(&d->e, "");
}

/* seconds as Python has them: 60, 0.5 */
static double
seconds(int64_t ms)
{
	return (double)ms / 1000;
}

static void
write_constants(struct dagster *d)
{
	struct emit *e = &d->e;
	const char *adapter = d->job->graph->adapter_type;
	bool kind = adapter && *adapter;

	pydbt_constants(e, d->o);
	for (const char *c = adapter; kind && *c; c++)
		kind = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
	if (kind)
		emit_line(e, "KINDS = {\"dbt\", %q}", adapter);
	else
		emit_line(e, "KINDS = {\"dbt\"}");
	emit_line(e, "TIMEOUT = %f  # seconds; of each command", seconds(d->usual.timeout_ms));
	emit_indent(e);
	emit_add(e, "RETRY = ");
	dagster_write_retry(e, &d->usual);
	emit_add(e, "\n");
	emit_line(e, "KEY = cache(dg.AssetKey.from_user_string)");
	emit_line(e, "");
	emit_line(e, "");
}

void
dagster_write_retry(struct emit *e, const struct task_policy *p)
{
	emit_add(e, "dg.RetryPolicy(max_retries=%z, delay=%f", (size_t)(p->max_attempts - 1), seconds(p->delay_ms));
	if (p->factor > 1)
		emit_add(e, ", backoff=dg.Backoff.EXPONENTIAL");
	emit_add(e, ", jitter=dg.Jitter.PLUS_MINUS)");
}

static void
write_dbt(struct dagster *d)
{
	struct emit *e = &d->e;

	pydbt_results_function(e, d->o);
	emit_line(e, "");
	emit_line(e, "");
	emit_open(e, "def dbt(words, timeout):");
	emit_line(e, "\"\"\"The same; what is no verdict of a test is a failure that may be tried again.\"\"\"");
	emit_line(e, "code, results = run_dbt(words, timeout)");
	emit_line(e, "wrong = [r for r in results if r[\"status\"] not in (\"success\", \"pass\", \"warn\", \"fail\", \"no-op\")]");
	emit_open(e, "if code and (wrong or not results):");
	emit_line(e, "raise dg.Failure(f\"dbt {' '.join(words)}: exit code {code}\" + \"\".join(f\"\\n{r['message']}\" for r in wrong))");
	e->depth--;
	emit_line(e, "return code, results");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

/* Helpers: once a run on one machine, whichever asset comes first. */
static void
write_once(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "def once(context, words, timeout):");
	emit_line(e, "\"\"\"What belongs to several assets: the first of them in a run does it, the others find it done.\"\"\"");
	emit_line(e, "folder = Path(tempfile.gettempdir(), f\"dbt-{context.run.run_id}\")");
	emit_line(e, "folder.mkdir(mode=0o700, exist_ok=True)");
	emit_open(e, "with open(folder / hashlib.sha256(\" \".join(words).encode()).hexdigest(), \"a+\") as mark:");
	emit_line(e, "fcntl.flock(mark, fcntl.LOCK_EX)");
	emit_open(e, "if mark.seek(0, os.SEEK_END):");
	emit_line(e, "return");
	e->depth--;
	emit_line(e, "code, _ = dbt(words, timeout)");
	emit_open(e, "if code:");
	emit_line(e, "raise dg.Failure(f\"dbt {' '.join(words)} failed\", allow_retries=False)");
	e->depth--;
	emit_line(e, "mark.write(\"done\")");
	e->depth -= 2;
	emit_line(e, "");
	emit_line(e, "");
}

static void
write_built_all(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "def built(context, key):");
	emit_line(e, "\"\"\"In this run?\"\"\"");
	emit_line(e, "event = context.instance.get_latest_materialization_event(KEY(key))");
	emit_line(e, "return event is not None and event.run_id == context.run.run_id");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

static void
write_verdicts(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "def verdicts(context, code, results):");
	emit_line(e, "\"\"\"What dbt says of each test; where it says nothing, its exit code does.\"\"\"");
	emit_line(e, "said = defaultdict(list)");
	emit_open(e, "for result in results:");
	emit_line(e, "kind, _, name = result[\"unique_id\"].split(\".\", 2)  # test.package.name[.hash]");
	emit_open(e, "if kind == \"test\":");
	emit_line(e, "said[name].append(result)");
	emit_line(e, "said[name.rpartition(\".\")[0]].append(result)");
	e->depth -= 2;
	emit_open(e, "for check in sorted(context.selected_asset_check_keys):");
	emit_line(e, "mine = said[check.name]");
	emit_open(e, "yield dg.AssetCheckResult(");
	emit_line(e, "asset_key=check.asset_key,");
	emit_line(e, "check_name=check.name,");
	emit_line(e, "passed=all(r[\"status\"] == \"pass\" for r in mine) if mine else code == 0,");
	emit_line(e, "severity=dg.AssetCheckSeverity.WARN if mine and all(r[\"status\"] in (\"pass\", \"warn\") for r in mine)");
	emit_line(e, "else dg.AssetCheckSeverity.ERROR,");
	emit_line(e, "metadata={\"failures\": sum(r[\"failures\"] or 0 for r in mine)} if mine else None,");
	emit_close(e, ")");
	e->depth -= 2;
	emit_line(e, "");
	emit_line(e, "");
}

static void
write_asset(struct dagster *d)
{
	struct emit *e = &d->e;
	bool checks = d->o->tests == TESTS_AFTER_EACH || d->o->tests == TESTS_BUILD, inside = d->o->tests == TESTS_BUILD;

	emit_open(e, "def asset(");
	emit_line(e, "name, key, run, deps=()%s%s%s, retry=RETRY, timeout=TIMEOUT%s, **about", checks ? ", checks=(), warns=()" : "",
	    checks && !inside ? ", test=None" : "",
	    d->nbefore && d->nafter ? ", before=(), after=()" : d->nbefore ? ", before=()" : d->nafter ? ", after=()" : "",
	    d->pools ? ", pool=None" : "");
	emit_close(e, "):");
	e->depth++;
	emit_line(e, inside ? "\"\"\"One dbt node, tested by the command that builds it.\"\"\"" :
	    checks ? "\"\"\"One dbt node; its own tests are checks of the same op.\"\"\"" : "\"\"\"One dbt node.\"\"\"");
	emit_line(e, "key = KEY(key)");
	if (checks) {
		emit_line(e, "specs = [dg.AssetCheckSpec(check, asset=key, blocking=True) for check in checks]");
		emit_line(e, "specs += [dg.AssetCheckSpec(check, asset=key) for check in warns]");
	}
	emit_line(e, "");
	emit_open(e, "@dg.multi_asset(");
	emit_line(e, "name=name,");
	emit_line(e, "specs=[dg.AssetSpec(key, deps=[KEY(dep) for dep in deps], kinds=KINDS, **about)],");
	if (checks)
		emit_line(e, "check_specs=specs,");
	if (checks && !inside)
		emit_line(e, "can_subset=bool(specs),");
	emit_line(e, "retry_policy=retry,");
	if (d->pools)
		emit_line(e, "pool=pool,");
	emit_close(e, ")");
	emit_open(e, "def build(context: dg.AssetExecutionContext):");
	if (checks && !inside)
		emit_open(e, "if key in context.selected_asset_keys:");
	if (d->nbefore) {
		emit_open(e, "for words in before:");
		emit_line(e, "once(context, words, timeout)");
		e->depth--;
	}
	emit_line(e, "code, results = dbt(run, timeout)");
	emit_line(e, "yield dg.MaterializeResult(asset_key=key)");
	if (checks && !inside) {
		e->depth--;
		emit_open(e, "if context.selected_asset_check_keys:");
		emit_line(e, "yield from verdicts(context, *dbt(test, timeout))");
		e->depth--;
	} else if (checks) {
		emit_line(e, "yield from verdicts(context, code, results)");
	}
	if (d->nafter) {
		emit_open(e, "for words, others in after:");
		emit_open(e, "if %sall(built(context, other) for other in others):",
		    checks && !inside ? "key in context.selected_asset_keys and " : "");
		emit_line(e, "once(context, words, timeout)");
		e->depth -= 2;
	}
	e->depth--;
	emit_line(e, "");
	emit_line(e, "return build");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

static void
write_check(struct dagster *d)
{
	struct emit *e = &d->e;

	emit_open(e, "def check(name, specs, test, retry=RETRY, timeout=TIMEOUT%s):", d->pools ? ", pool=None" : "");
	emit_line(e, d->o->tests == TESTS_AFTER_ALL ? "\"\"\"All tests at once.\"\"\"" :
	    "\"\"\"A test that reads several nodes: it runs after all of them, and holds nothing back.\"\"\"");
	emit_line(e, "");
	emit_open(e, "@dg.multi_asset_check(");
	emit_line(e, "name=name,");
	emit_line(e, "specs=[dg.AssetCheckSpec(check, asset=KEY(key), additional_deps=[KEY(dep) for dep in deps]) for key, check, deps in specs],");
	emit_line(e, "retry_policy=retry,");
	if (d->pools)
		emit_line(e, "pool=pool,");
	emit_close(e, ")");
	emit_open(e, "def run(context: dg.AssetCheckExecutionContext):");
	emit_line(e, "yield from verdicts(context, *dbt(test, timeout))");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "return run");
	e->depth--;
	emit_line(e, "");
	emit_line(e, "");
}

void
dagster_write_head(struct dagster *d)
{
	write_docstring(d);
	write_imports(d);
	write_constants(d);
	write_dbt(d);
	if (d->nbefore || d->nafter)
		write_once(d);
	if (d->nafter)
		write_built_all(d);
	if (d->o->tests != TESTS_NONE)
		write_verdicts(d);
	write_asset(d);
	if (d->nchecks)
		write_check(d);
}

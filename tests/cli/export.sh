#!/bin/sh
# `heddle export` and `heddle plan` as programs: files, refusals, --check, what must not be in a file.
# Their output is compared by tests/golden/run.sh. Needs no dbt.
bad=0
say() {
	echo "$1" >&2
	bad=1
}
AFTER=$ROOT/samples/shop/manifests/after/manifest.json
BEFORE=$ROOT/samples/shop/manifests/before/manifest.json

# try CODE ARGUMENTS: runs heddle; out and err; says when it ended otherwise
try() {
	want=$1
	shift
	"$HEDDLE" "$@" >out 2>err
	code=$?
	[ $code = "$want" ] || say "heddle $*: exit code $code, not $want: $(cat err)"
}
has() { # has FILE TEXT
	grep -qF -- "$2" "$1" || say "no '$2' in $1: $(head -c 600 "$1")"
}
hasnt() {
	! grep -qF -- "$2" "$1" || say "'$2' is in $1: $(grep -F -- "$2" "$1" | head -n 3 | cut -c1-300)"
}

# ---- targets and files ----

try 0 export --list
cp out list
# Help of a target says which values its options have, and only of options it takes.
while read -r target _; do
	try 0 export "$target" --help
	has out "heddle export $target: "
done <list
try 0 export airflow --help
has out '--style          nodes (default), layers, cosmos'
has out 'asset:...'
try 0 export svg --help
hasnt out '--schedule'
try 0 export kubernetes --help
has out '--runner         dbt, heddle (default)'
hasnt out '--granularity    '
try 2 export svgg --help
try 0 export --help
has out '  openlineage OpenLineage events'
for target in airflow dagster prefect argo kubernetes github kestra html svg dot mermaid graphml json; do
	has list "$target"
	image=
	case $target in argo | kubernetes)
		try 2 export $target --manifest "$AFTER"
		has err "$target needs --image"
		image=--image=shop:1
		;;
	esac
	try 0 export $target --manifest "$AFTER" $image -o "file.$target"
	[ ! -s out ] || say "$target: -o, and something on standard output"
	try 0 export $target --manifest "$AFTER" $image
	cmp -s out "file.$target" || say "$target: standard output differs from the file"
	has "file.$target" "heddle export $target ${image:+$image }plan="
	hasnt "file.$target" "$ROOT"
	hasnt "file.$target" "$PWD"
	try 0 export --check "file.$target" --manifest "$AFTER"
	has out 'up to date'
done
# A target that is a folder: only what is its own is replaced, and only when an export made it.
has list mage
try 2 export mage --manifest "$AFTER"
has err 'it needs -o FOLDER'
try 0 export mage --manifest "$AFTER" -o mage
echo mine >mage/metadata.yaml
echo stale >mage/custom/shop/gone_run.py
mkdir mage/custom/shop/__pycache__
echo cached >mage/custom/shop/__pycache__/orders_run.pyc
echo elsewhere >elsewhere
ln -sf ../../../elsewhere mage/custom/shop/orders_test.py
echo '# edited' >>mage/custom/shop/orders_run.py
touch -d 2020-01-01 mage/custom/shop/*_run.py
try 0 export mage --manifest "$AFTER" -o mage
[ ! -e mage/custom/shop/__pycache__ ] || say 'a folder that is gone stayed'
[ "$(cat elsewhere)" = elsewhere ] || say 'an export was written through a link'
[ ! -L mage/custom/shop/orders_test.py ] || say 'a link stayed in the place of a block'
newer() { [ -n "$(find "$1" -newer "$2")" ]; }
newer mage/custom/shop/stg_orders_run.py "$HEDDLE" && say 'a block that did not change lost its time'
newer mage/custom/shop/orders_run.py elsewhere || say 'a block that was edited is not new'
[ "$(cat mage/metadata.yaml)" = mine ] || say "the project's own metadata.yaml was overwritten"
[ ! -e mage/custom/shop/gone_run.py ] || say 'a block that is gone stayed'
[ "$(find mage -name '*.heddle-*' | wc -l)" = 0 ] || say 'folders of the work stayed'
try 0 export --check mage --manifest "$AFTER"
has out 'mage: up to date'
try 0 export --check mage/pipelines/shop --manifest "$AFTER"
try 1 export --check mage --manifest "$BEFORE"
has err 'out of date'
echo '# edited' >>mage/custom/shop/orders_run.py
try 1 export --check mage --manifest "$AFTER"
has err 'custom/shop/orders_run.py'
# What Mage makes of its triggers.yaml when it reads it first: sorted, with values of its own.
try 0 export mage --manifest "$AFTER" --schedule '0 6 * * *' -o fired
cat >fired/pipelines/shop/triggers.yaml <<'END'
triggers:
- description: null
  last_enabled_at: 2026-11-30 06:39:58.043449+00:00
  name: schedule
  schedule_interval: 0 6 * * *
  schedule_type: time
  settings:
    allow_blocks_to_fail: true
    skip_if_previous_running: true
  start_time: 2024-01-01 00:00:00
  status: active
END
try 0 export --check fired --manifest "$AFTER"
sed -i 's/0 6/0 7/' fired/pipelines/shop/triggers.yaml
try 1 export --check fired --manifest "$AFTER"
has err 'pipelines/shop/triggers.yaml'
echo '[' >fired/pipelines/shop/triggers.yaml
try 1 export --check fired --manifest "$AFTER"
try 0 export mage --manifest "$AFTER" --name other -o mage
try 2 export --check mage --manifest "$AFTER"
has err 'holds 2 exports'
mkdir -p hand/pipelines/shop
echo 'name: shop' >hand/pipelines/shop/metadata.yaml
try 2 export mage --manifest "$AFTER" -o hand
has err 'was not made by heddle export'
has hand/pipelines/shop/metadata.yaml 'name: shop'
try 2 export --check hand --manifest "$AFTER"
for word in '--image=x' '--secret=x' '--assets' '--schedule=asset:x' '--timezone=Europe/Berlin'; do
	try 2 export mage --manifest "$AFTER" "$word" -o refused
	[ ! -e refused ] || say "mage $word: refused, and written"
done
mkdir dir
try 0 export svg --manifest "$AFTER" -o dir
[ -s dir/lineage.svg ] || say 'a folder given with -o: no dir/lineage.svg'
try 2 export svg --manifest "$AFTER" -o none/x.svg
has err 'none/x.svg'
if [ -w /dev/full ]; then
	"$HEDDLE" export svg --manifest "$AFTER" >/dev/full 2>err
	[ $? = 2 ] || say 'a full disk behind standard output: exit code is not 2'
fi
# A file that cannot be made leaves the old one alone.
echo old >keep.svg
try 2 export svg --manifest "$AFTER" --colour-by nothing -o keep.svg
[ "$(cat keep.svg)" = old ] || say 'a failed export changed its file'

# ---- refusals ----

try 2 export
has err 'no target given'
try 2 export svgg --manifest "$AFTER"
has err 'did you mean `heddle export svg`?'
try 2 export svg dot --manifest "$AFTER"
try 2 export svg --manifest "$AFTER" --colour-by mood
has err 'one of: kind, folder, status, time'
try 2 export svg --manifest "$AFTER" --group-by mood
try 2 export svg --manifest "$AFTER" --focus orders --select orders
try 2 export svg --manifest "$AFTER" --focus nomethod:orders
try 2 export svg --manifest "$AFTER" --colour-by status
has err 'run_results.json'
try 2 export svg --manifest "$AFTER" --limit 3
has err 'limit 3'
has err '--limit 29'
try 2 export svg --manifest none.json
try 0 export svg --manifest "$AFTER" --select no_such_model -o empty.svg
has err 'nothing is selected'
has empty.svg '</svg>'

# What a task's option cannot mean is refused before anything is written.
while IFS='|' read -r option said; do
	try 2 export airflow --manifest "$AFTER" "$option" -o refused.py
	has err "$said"
	[ ! -e refused.py ] || say "$option: refused, and written"
done <<'END'
--schedule=0 24 * * *|'24' is no hour (0 to 23)
--schedule=@yearlong|no schedule of this target
--timezone=../etc/passwd|no time zone
--timezone=|the name is empty
--image=shop image|no name of an image
--vars={day|--vars
--vars=[1, 2]|expected names and values
--command= |--command: it is empty
--slots=0|a whole number above 0
--retries=4294967295|expected a whole number
--timeout=0|a limit above 0
END
try 0 export airflow --manifest "$AFTER" --timezone Mars/Olympus --schedule @daily
[ ! -d /usr/share/zoneinfo ] || has err "warning: --timezone: this machine knows no zone 'Mars/Olympus'"
try 0 export airflow --manifest "$AFTER" --vars '{day: {{ ds }}}'    # what Airflow makes of it is YAML
try 0 export airflow --manifest "$AFTER" --retries 0 -o once.py
has once.py '"retries": 0,'
has once.py 'heddle export airflow --retries=0 plan='
try 0 export --check once.py --manifest "$AFTER"

# ---- selections ----

try 0 export json --manifest "$AFTER" --focus 1+orders
has out '"id": "model.shop.orders"'
hasnt out '"id": "model.shop.customers"'
try 0 export dot --manifest "$AFTER"
hasnt out 'test.shop.'
try 0 export dot --manifest "$AFTER" --resource-type test model
has out '"test.shop.'
# customers reads orders only over what is not selected here
try 0 export dot --manifest "$AFTER" --select stg_orders customers
has out '"model.shop.stg_orders" -> "model.shop.customers" [color="#e11d48", penwidth=2, style=dashed]'

# ---- targets whose tasks run dbt ----

try 2 export svg --manifest "$AFTER" --tests none
has err 'svg runs nothing'
try 2 export airflow --manifest "$AFTER" --tests sometimes
has err 'one of: after_each, after_all, none, build'
try 2 export airflow --manifest "$AFTER" --operator ssh
try 2 export airflow --manifest "$AFTER" --operator docker
has err '--operator docker needs --image'
try 2 export airflow --manifest "$AFTER" --tests after_all --resource-type model
mkdir project
printf 'name: shop\nflags:\n  warn_error_options: {error: [DeprecatedModel], silence: [NoNodesForSelectionCriteria2]}\n' >project/dbt_project.yml
printf 'retries: {attempts: 1}\nrules: [{select: stg_orders, pool: heavy, timeout: 2h}]\npools: {heavy: 1}\n' >project/heddle.yml
try 0 export airflow --manifest "$AFTER" --project-dir project
has out 'DeprecatedModel\", \"NoNodesForSelectionCriteria\"], \"silence\"'
has out 'pool="heavy", execution_timeout=timedelta(hours=2)'
has out '"retries": 0'
has out 'execution_timeout=timedelta(hours=2)'
try 0 export airflow --manifest "$AFTER" --select stg_orders --tests none
has out '"stg_orders", "run", "fqn:shop.staging.stg_orders", []'
hasnt out 'raw_orders'
try 2 export airflow --manifest "$AFTER" --style cosmos
has err '--style cosmos needs --profile and --target'
try 2 export airflow --manifest "$AFTER" --style cosmos --profile p --target t --runner heddle
try 2 export airflow --manifest "$AFTER" --style layers --granularity node
try 2 export airflow --manifest "$AFTER" --granularity all --resource-type model
has err 'granularity all says the selection again'
try 2 export dot --manifest "$AFTER" --granularity folder

# With --exclude dbt forgets the project's default selector: kinds are left out as resource types.
printf 'selectors:\n  - {name: it, default: true, definition: "tag:staging"}\n' >default.yml
d="--manifest $AFTER --selectors-file default.yml"
try 0 export prefect $d --granularity all
has out '["build", "--exclude-resource-type", "unit_test"]'
try 0 export airflow $d --granularity all --tests none
has out 'flags="--exclude-resource-type test unit_test"'
try 0 export argo $d --tests after_all --image shop:1
has out 'args: [test, "--exclude-resource-type", unit_test,'
try 0 export prefect $d --granularity all --exclude orders
has out '["build", "--exclude", "orders", "resource_type:unit_test"]'

# ---- a finished run ----

RUN=$ROOT/tests/golden/openlineage/run_results.json
has list openlineage
try 2 export openlineage --manifest "$AFTER"
has err 'run `heddle build` first'
echo '{}' >empty.json
try 2 export openlineage --manifest "$AFTER" --run-results empty.json
has err 'not the results of a run'
cat >profiles.yml <<'END'
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('SHOP_DB', 'shop.duckdb') }}", password: hidden}
END
printf 'name: shop\nprofile: shop\n' >dbt_project.yml
try 0 export openlineage --manifest "$AFTER" --run-results "$RUN" -o run.ndjson
has run.ndjson '"namespace":"duckdb://shop.duckdb"'
hasnt run.ndjson hidden
has run.ndjson 'heddle export openlineage plan='
SHOP_DB=other.duckdb "$HEDDLE" export openlineage --manifest "$AFTER" --run-results "$RUN" >out
has out '"namespace":"duckdb://other.duckdb"'
try 0 export --check run.ndjson --manifest "$AFTER" --run-results "$RUN"
rm dbt_project.yml    # profiles.yml stays, and nothing says which profile
try 0 export openlineage --manifest "$AFTER" --run-results "$RUN"
has out '"namespace":"duckdb"'
rm profiles.yml
try 0 export openlineage --manifest "$AFTER" --run-results "$RUN"
has out '"namespace":"duckdb"'
try 2 export openlineage --manifest "$AFTER" --run-results "$RUN" --tests none
try 2 export openlineage --manifest "$AFTER" --run-results "$RUN" --url http://127.0.0.1:1/api
has err 'event 1 of 20: '
hasnt err '127.0.0.1:1/api'
try 2 export svg --manifest "$AFTER" --url http://127.0.0.1:1/api

# ---- workflows ----

try 0 export github --manifest "$AFTER" --select '+orders' --name 'a: ${{ x }}' -o dir
has dir/dbt.yml 'dbt build --select +orders,state:modified+ --defer --state'
hasnt dir/dbt.yml 'a: ${{'
try 2 export github --manifest "$AFTER" --selector nightly --selectors-file "$ROOT/samples/shop/selectors.yml"
has err '--selector cannot be narrowed'
try 2 export github --manifest "$AFTER" --timezone Europe/Berlin
try 2 export github --manifest "$AFTER" --schedule @daily
try 2 export github --manifest "$AFTER" --secret 'A,B}}'
try 2 export kestra --manifest "$AFTER" --secret "A')}}"
has err 'no name of an environment variable'
try 0 export argo --manifest "$AFTER" --image shop:1 --project-dir project
has out 'synchronization: {semaphores: [{configMapKeyRef: {name: dbt-pools, key: heavy}}]}'
has out '{name: stg-orders-run, template: run-2,'
try 0 export kestra --manifest "$AFTER" --project-dir project
has out 'commands: ["dbt run --select fqn:shop.staging.stg_orders"], retry: {type: exponential, interval: PT5S, delayFactor: 2, maxInterval: PT5M, maxAttempts: 1}, timeout: PT2H'
try 0 export kubernetes --manifest "$AFTER" --image shop:1 --select stg_orders --resource-type model
has out 'args: [build, "--select", stg_orders, "--resource-type", model, "--exclude-resource-type", unit_test, "--resume"]'

# ---- --check ----

try 0 export svg --manifest "$AFTER" --focus '2+orders+1' --name "it's <hostile> --> \"x\"" -o check.svg
try 0 export --check check.svg --manifest "$AFTER"
try 1 export --check check.svg --manifest "$BEFORE"
has err 'the plan has changed'
sed 's/#2563eb/#000000/' check.svg >edited.svg
try 1 export --check edited.svg --manifest "$AFTER"
has err 'the plan is the same'
echo '<svg/>' >foreign.svg
try 2 export --check foreign.svg --manifest "$AFTER"
has err 'not made by heddle export'
echo 'heddle export nothing plan=0123456789abcdef' >unknown.svg
try 2 export --check unknown.svg --manifest "$AFTER"
try 2 export --check none.svg --manifest "$AFTER"
try 2 export svg --check check.svg --manifest "$AFTER"

# ---- larger tasks ----

# Without words dbt would take the default selector of the project: only who named nothing gets it.
parts="--granularity layer --tests after_all --image shop:1 --manifest $AFTER"
try 0 export argo $parts
has out '{name: seed, template: seed}'
try 0 export argo $parts --select 'fqn:*'
has out '{name: seed, template: seed, arguments: {parameters: [{name: select, value: "fqn:shop"}]}}'

# ---- secrets ----

DBT_ENV_SECRET_X=stg_customers "$HEDDLE" export svg --manifest "$AFTER" >out 2>err
hasnt out stg_customers

# ---- plan ----

try 0 plan --manifest "$AFTER" --threads 3
has out 'with 3 threads'
hasnt out 'with 4 threads'
try 0 plan --manifest "$AFTER" --output json
has out '"format": "heddle-plan"'
try 0 plan --manifest "$AFTER" --command seed
has out 'seed: 5 tasks (seeds 5) in 1 wave'
try 0 plan --manifest "$AFTER" --select no_such_model
has err 'nothing to do'
try 2 plan --manifest "$AFTER" --command compile
try 2 plan --manifest "$AFTER" --output yaml
try 2 plan --manifest "$AFTER" --run-results none.json
exit $bad

#!/bin/sh
# `heddle ls` over the sample shop's manifests: what dbt answered (tests/cases/select.txt), how the
# manifest is found, and what refusals say. Needs no dbt.
set -f
bad=0 cases=0
say() {
	echo "$1" >&2
	bad=1
}
manifests=$ROOT/samples/shop/manifests

# ---- dbt's answers ----

ask() { # ask ARGUMENTS: out, err, code; and `got` in the shape of select.txt
	form='--output unique-id'
	case $1 in *--output\ *) form= ;; esac
	eval "set -- $1"
	"$HEDDLE" ls --manifest "$manifest" --selectors-file "$ROOT/samples/shop/selectors.yml" \
		$state $form "$@" >out 2>err
	code=$?
	{
		if [ $code = 0 ]; then
			cat out
			sed -n "s/^heddle: warning: The selection criterion '\(.*\)' does not match.*/~ \1/p" err
		elif [ $code = 2 ] && [ ! -s out ] && grep -q '^heddle: error: ' err; then
			echo '!'
		else
			echo "exit $code"
			cat out err
		fi
	} >got
}

compare() {
	[ -n "$args" ] || return 0
	cases=$((cases + 1))
	ask "$args"
	diff want got >differs || say "ls $args ($which): dbt's answer is <, ours >
$(cat differs)"
	args=
}

args='' which=''
while IFS= read -r line; do
	case $line in
	'#'* | '') ;;
	'@ '*)
		compare
		which=${line#@ } state=
		manifest=$manifests/$which/manifest.json
		[ "$which" = after ] && state="--state $manifests/before" ;;
	'$'*)
		compare
		args=${line#$ }
		: >want ;;
	*)  printf '%s\n' "$line" >>want ;;
	esac
done <"$ROOT/tests/cases/select.txt"
compare
[ $cases -gt 90 ] || say "only $cases cases were read"

# ---- where the manifest comes from ----

mkdir -p proj/models/deep proj/target proj/out
printf 'name: shop\ntarget-path: out   # not target\nflags:\n  indirect_selection: "empty"\n' >proj/dbt_project.yml
touch -d '2020-01-01' proj/dbt_project.yml
cp "$manifests/before/manifest.json" proj/target/
cp "$manifests/after/manifest.json" proj/out/
count() { # count CASE WANT ARGS...: number of lines
	name=$1 want=$2
	shift 2
	"$HEDDLE" ls "$@" >out 2>err
	code=$?
	[ $code = 0 ] || say "$name: exit code $code: $(cat err)"
	[ "$(wc -l <out)" -eq "$want" ] || say "$name: expected $want lines, found: $(cat out)"
}
quiet() { [ -s err ] && say "$name: said $(cat err)"; return 0; }

(cd proj && "$HEDDLE" ls -s returns --output name) >out 2>err
[ "$(cat out)" = returns ] || say "target-path and flags of dbt_project.yml: found $(cat out err)"
(cd proj/models/deep && "$HEDDLE" ls -s returns --output name) >out 2>err
[ "$(cat out)" = returns ] || say "the project above: found $(cat out err)"
mkdir -p proj/prod
cp "$manifests/before/manifest.json" proj/prod/
(cd proj/models/deep && DBT_STATE=prod "$HEDDLE" ls -s state:new --output name --exclude resource_type:test) >out 2>err
[ "$(tr '\n' ' ' <out)" = 'product_sales_v1 returns ' ] || say "--state is relative to the project: found $(cat out err)"
count project-dir 1 --project-dir proj -s returns
quiet
count target-path 0 --project-dir proj --target-path target -s returns
count given-manifest 1 --manifest proj/target/manifest.json -s stg_visits --indirect-selection empty
count mode-of-command-line 5 --project-dir proj --target-path target -s orders --resource-type test \
	--indirect-selection eager
DBT_TARGET_PATH=target DBT_PROJECT_DIR=proj DBT_INDIRECT_SELECTION=eager \
	"$HEDDLE" ls -s orders --resource-type test >out 2>err
[ "$(wc -l <out)" -eq 5 ] || say "environment: found $(cat out err)"
DBT_PROJECT_DIR=proj DBT_RESOURCE_TYPES='seed snapshot' "$HEDDLE" ls --output name >out 2>err
[ "$(wc -l <out)" -eq 6 ] || say "DBT_RESOURCE_TYPES: found $(cat out err)"

touch -d '2099-01-01' proj/models/deep/new.sql
count newer-file 1 --project-dir proj -s returns
grep -q 'proj/out/manifest.json is older than proj/models/deep/new.sql' err || say "newer file: said $(cat err)"
count quiet 1 --project-dir proj -s returns --quiet
quiet
rm proj/models/deep/new.sql
mkdir -p proj/dbt_packages/x proj/venv proj/dags proj/models/.git
# An export in the project, notes and scripts are none of dbt's.
touch -d '2099-01-01' proj/dbt_packages/x/a.sql proj/target/b.sql proj/out/c.sql proj/venv/d.py proj/notes.txt \
	proj/README.md proj/definitions.py proj/dags/shop.py proj/models/.git/e.sql proj/models/f.txt
touch proj/venv/pyvenv.cfg
rm -r proj/target
count foreign-files 1 --project-dir proj -s returns
quiet
touch -d '2099-01-01' proj/packages.yml
count newer-packages 1 --project-dir proj -s returns
grep -q 'is older than proj/packages.yml' err || say "newer packages.yml: said $(cat err)"
rm proj/packages.yml
# The folders are those that the project names.
mkdir -p proj/sql
touch -d '2099-01-01' proj/sql/g.sql
printf 'model-paths: ["sql"]\nseed-paths: ["{{ env_var(1) }}"]\n' >>proj/dbt_project.yml
touch -d '2020-01-01' proj/dbt_project.yml
count newer-in-named-folder 1 --project-dir proj -s returns
grep -q 'is older than proj/sql/g.sql' err || say "newer file of model-paths: said $(cat err)"
touch -d '2020-01-01' proj/sql/g.sql
touch -d '2099-01-01' proj/models/deep/h.sql    # not read any more
count folder-not-named 1 --project-dir proj -s returns
quiet
rm -r proj/sql proj/models/deep/h.sql
printf 'name: shop\ntarget-path: out\nflags: {indirect_selection: "empty"}\n' >proj/dbt_project.yml
touch -d '2020-01-01' proj/dbt_project.yml
count flags-in-one-line 1 --project-dir proj -s returns

# ---- a default selector ----

printf 'selectors:\n  - name: it\n    default: true\n    definition: {intersection: ["tag:staging", "resource_type:model"]}\n' \
	>default.yml
d="--manifest $manifests/before/manifest.json --selectors-file default.yml --indirect-selection empty"
count default 6 $d
count default-and-select 1 $d -s orders --resource-type model
count default-and-exclude 3 $d --exclude tag:marts tag:staging resource_type:test resource_type:seed \
	resource_type:source path:models/semantic path:models/intermediate
count default-and-type 0 $d --resource-type seed

# ---- what refusals say ----

m="--manifest $manifests/before/manifest.json"
refused() { # refused TEXT ARGS...
	want=$1
	shift
	"$HEDDLE" ls "$@" >out 2>err
	code=$?
	[ $code = 2 ] || say "$*: exit code $code, not 2"
	[ -s out ] && say "$*: wrote $(cat out)"
	[ "$(cat err)" = "$want" ] || say "$*: expected
$want
found
$(cat err)"
}
refused "heddle: error: selection criterion 'tags:x': 'tags' is not a selection method
heddle: hint: did you mean 'tag'?" $m -s tags:x
refused "heddle: error: --resource-type: 'models' is not a resource type
heddle: hint: did you mean 'model'?" $m --resource-type models
refused "heddle: error: --output: 'names' is not a form of output
heddle: hint: did you mean 'name'?" $m --output names
refused "heddle: error: --indirect-selection: 'eagre' is not a mode
heddle: hint: did you mean 'eager'?" $m --indirect-selection eagre
refused "heddle: error: selector 'x': the project has no selectors.yml
heddle: hint: name the file with --selectors-file FILE" $m --selector x
refused "heddle: error: unknown option '--exclud'
heddle: hint: did you mean --exclude?" $m --exclud x
refused "heddle: error: absent/manifest.json: cannot open: No such file or directory
heddle: hint: \`dbt parse\` writes it; or name another with --manifest FILE" --target-path absent

# ---- text from outside ----

sed 's/"name": "stg_visits"/"name": "stg\\u001b[2Jvisits"/' "$manifests/before/manifest.json" >hostile.json
"$HEDDLE" ls --manifest hostile.json -s stg_visits.sql --output name >out 2>err
[ "$(cat out)" = 'stg\x1b[2Jvisits' ] || say "hostile name: $(cat out err)"

[ $bad = 0 ] && echo "$cases of dbt's answers"
exit $bad

#!/bin/sh
# Manifests and arguments that must be refused: exit 2, one message on standard error that says
# where and why, nothing on standard output. Needs no dbt.
bad=0
say() {
	echo "$1" >&2
	bad=1
}
refused() { # refused CASE REGEX ARGS...
	name=$1 pattern=$2
	shift 2
	"$HEDDLE" "$@" >out 2>err
	code=$?
	[ $code = 2 ] || say "$name: exit code $code, not 2: $(cat err)"
	grep -qE "$pattern" err || say "$name: expected $pattern, found: $(cat err)"
	grep -qE '^heddle: error: ' err || say "$name: not heddle's way to say it: $(cat err)"
	[ -s out ] && say "$name: wrote to standard output: $(head -c 300 out)"
	[ "$(wc -l <err)" -le 3 ] || say "$name: more than an error and a hint: $(cat err)"
}

head='"metadata":{"dbt_schema_version":"https://schemas.getdbt.com/dbt/manifest/v12.json","dbt_version":"1.11.0","project_name":"p","adapter_type":"duckdb"}'
maps='"sources":{},"macros":{},"docs":{},"exposures":{},"metrics":{},"groups":{},"selectors":{},"disabled":{},"parent_map":{},"child_map":{},"group_map":{},"saved_queries":{},"semantic_models":{},"unit_tests":{}'
node() { # node NAME PARENT...: a model; with no PARENT a root
	name=$1
	shift
	list=
	for p; do list="$list${list:+,}\"model.p.$p\""; done
	printf '"model.p.%s":{"unique_id":"model.p.%s","name":"%s","resource_type":"model","package_name":"p","path":"%s.sql","original_file_path":"models/%s.sql","fqn":["p","%s"],"config":{"materialized":"view","enabled":true},"tags":[],"depends_on":{"macros":[],"nodes":[%s]}}' \
		"$name" "$name" "$name" "$name" "$name" "$name" "$list"
}
manifest() { printf '{%s,"nodes":{%s},%s}\n' "$head" "$1" "$maps"; }

# The way of asking works: a good one is taken.
manifest "$(node a),$(node b a)" >good.json
"$HEDDLE" ls --manifest good.json >out 2>err || say "good: $(cat err)"
[ "$(sort out | tr '\n' ' ')" = 'p.a p.b ' ] || say "good: lists $(cat out)"

refused missing 'none\.json: .*No such file' ls --manifest none.json
: >empty.json
refused empty 'empty\.json: ' ls --manifest empty.json
echo 'select 1' >sql.json
refused 'not JSON' 'sql\.json: .*' ls --manifest sql.json
echo '[1, 2]' >list.json
refused 'not an object' 'list\.json: ' ls --manifest list.json
echo '{"results": [], "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"}}' >results.json
refused 'another of dbt files' 'results\.json: .*' ls --manifest results.json
echo '{}' >object.json
refused 'another object' 'object\.json: .*not a dbt manifest' ls --manifest object.json
sed 's#manifest/v12#manifest/v8#' good.json >old.json
refused 'dbt 1.4' 'old\.json: .*v8' ls --manifest old.json

# Cut off anywhere: a prefix is never taken for the whole.
size=$(wc -c <good.json)
at=1
while [ $at -lt $((size - 1)) ]; do
	head -c $at good.json >cut.json
	refused "cut off after $at bytes" 'cut\.json: ' ls --manifest cut.json
	at=$((at + 97))
done

wrong() { # wrong CASE SED REGEX
	sed "$2" good.json >wrong.json
	cmp -s good.json wrong.json && say "$1: the fault was not planted"
	refused "$1" "$3" ls --manifest wrong.json
}
wrong 'nodes is a list' 's/"nodes":{"model.*"sources"/"nodes":[],"sources"/' 'wrong\.json: .*nodes'
wrong 'a name is a number' 's/"name":"b"/"name":7/' 'wrong\.json: .*model\.p\.b.*name'
wrong 'parents are a text' 's/"nodes":\["model\.p\.a"\]/"nodes":"model.p.a"/' 'wrong\.json: .*model\.p\.b.*depends_on'
wrong 'a parent is a number' 's/"nodes":\["model\.p\.a"\]/"nodes":[1]/' 'wrong\.json: .*model\.p\.b.*depends_on'
wrong 'text after the end' 's/$/{"more":1}/' 'wrong\.json: '

manifest "$(node a),$(node b c)" >unknown.json
refused 'unknown parent' "unknown\.json: .*'?model\.p\.b'?.*unknown parent '?model\.p\.c" ls --manifest unknown.json
manifest "$(node a),$(node b a),$(node a)" >twice.json
refused 'duplicate id' 'twice\.json: .*model\.p\.a' ls --manifest twice.json
manifest "$(node a c),$(node b a),$(node c b),$(node d a)" >cycle.json
refused 'cycle' 'cycle\.json: .*(model\.p\.[abc] -> ){3}model\.p\.[abc]' ls --manifest cycle.json
manifest "$(node a a)" >self.json
refused 'its own parent' 'self\.json: .*model\.p\.a -> model\.p\.a' ls --manifest self.json
deep=$(awk 'BEGIN { for (i = 0; i < 100000; i++) printf "["; for (i = 0; i < 100000; i++) printf "]" }')
printf '{"deep":%s,%s}\n' "$deep" "$head" >deep.json
refused 'absurd depth' 'deep\.json: ' ls --manifest deep.json

# A newer manifest warns and goes on.
sed 's#manifest/v12#manifest/v13#' good.json >newer.json
"$HEDDLE" ls --manifest newer.json >out 2>err || say "newer: refused: $(cat err)"
grep -q '^heddle: warning: .*v13' err || say "newer: no warning: $(cat err)"
[ "$(sort out | tr '\n' ' ')" = 'p.a p.b ' ] || say "newer: lists $(cat out)"

# 100,000 nodes in a chain.
awk -v head="$head" -v maps="$maps" 'BEGIN {
	printf "{%s,\"nodes\":{", head
	for (i = 0; i < 100000; i++)
		printf "%s\"model.p.m%d\":{\"unique_id\":\"model.p.m%d\",\"name\":\"m%d\",\"resource_type\":\"model\",\"package_name\":\"p\",\"path\":\"m.sql\",\"original_file_path\":\"models/m.sql\",\"fqn\":[\"p\",\"m%d\"],\"config\":{\"materialized\":\"view\",\"enabled\":true},\"tags\":[],\"depends_on\":{\"macros\":[],\"nodes\":[%s]}}", i ? "," : "", i, i, i, i, i ? "\"model.p.m" i - 1 "\"" : ""
	printf "},%s}\n", maps
}' >chain.json
n=$("$HEDDLE" ls --manifest chain.json --select m99999+ +m2 | wc -l)
[ "$n" = 4 ] || say "chain: $n nodes, not 4"
"$HEDDLE" plan --manifest chain.json >out 2>err || say "chain: no plan: $(cat err)"

# Arguments.
refused 'no command' 'no command' --threads 4
refused 'unknown command' "unknown command 'biuld'" biuld
grep -q 'heddle build' err || say "unknown command: no 'did you mean': $(cat err)"
refused 'unknown option' "unknown option '--selct'" ls --manifest good.json --selct a
grep -q -- '--select' err || say "unknown option: no 'did you mean': $(cat err)"
refused 'unknown method' 'nomethod' ls --manifest good.json --select nomethod:a
refused 'unknown export' 'nothing_like_it' export nothing_like_it --manifest good.json
refused 'no such state' 'nowhere' ls --manifest good.json --select state:new --state nowhere
refused 'unknown selector' 'no_such_selector' ls --manifest good.json --selector no_such_selector

# A reader that goes away is no fault of the input, and no endless loop.
"$HEDDLE" ls --manifest chain.json 2>err | head -n 1 >out
[ "$(cat out)" = p.m0 ] || say "closed pipe: $(cat out err)"
if [ -c /dev/full ]; then
	"$HEDDLE" ls --manifest good.json >/dev/full 2>err
	code=$?
	[ $code != 0 ] || say 'full device: exit code 0'
	grep -q '^heddle: error: ' err || say "full device: $(cat err)"
fi
exit $bad

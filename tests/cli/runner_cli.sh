#!/bin/sh
# --runner cli with a stand-in for dbt: one command a node, a target path of its own for each, dbt's
# results taken over, `dbt parse` quoted when it fails and ended when a signal comes. Needs no dbt.
bad=0
say() {
	echo "$1" >&2
	bad=1
}

mkdir bin project
cat >bin/dbt <<'END'
#!/bin/sh
echo "$*" >>"$OLDHOME/calls"
verb=$1
while [ $# -gt 0 ]; do
	case $1 in --select) s=$2 ;; --target-path) t=$2 ;; esac
	shift
done
case $verb,$s in
parse,) ;;
*) [ -e "$OLDHOME/long" ] && echo $$ >"$OLDHOME/long" && sleep 2 && echo ended >>"$OLDHOME/calls" ;;
esac
case $verb,$s in
parse,)
	[ -e broken ] && echo 'Compilation Error: not today' && exit 2
	[ -e slow ] && touch parsing && exec sleep 60
	mkdir -p "$t" && cp manifest.json "$t/manifest.json"
	exit ;;
*,*.b) id=model.p.b status=error code=1 ;;
*) id=model.p.${s##*.} status=success code=0 ;;
esac
printf '{"results":[{"unique_id":"%s","status":"%s","message":"by the stand-in","failures":null,"execution_time":0.1,"adapter_response":{}}]}' \
	"$id" "$status" >"$t/run_results.json"
exit $code
END
chmod +x bin/dbt
export PATH="$PWD/bin:$PATH" OLDHOME="$PWD"
cd project || exit 2
printf 'name: p\nversion: "1.0"\nprofile: p\n' >dbt_project.yml

node() { # node NAME PARENT...
	name=$1
	shift
	list=
	for p; do list="$list${list:+,}\"model.p.$p\""; done
	printf '"model.p.%s":{"unique_id":"model.p.%s","name":"%s","resource_type":"model","package_name":"p","path":"%s.sql","original_file_path":"models/%s.sql","fqn":["p","%s"],"config":{"materialized":"table","enabled":true},"tags":[],"depends_on":{"macros":[],"nodes":[%s]}}' \
		"$name" "$name" "$name" "$name" "$name" "$name" "$list"
}
cat >manifest.json <<END
{"metadata":{"dbt_schema_version":"https://schemas.getdbt.com/dbt/manifest/v12.json","dbt_version":"1.11.0","project_name":"p","adapter_type":"duckdb"},
"nodes":{$(node a),$(node b a),$(node c b),$(node d a)},"sources":{},"macros":{},"docs":{},"exposures":{},"metrics":{},"groups":{},"selectors":{},"disabled":{},"parent_map":{},"child_map":{},"group_map":{},"saved_queries":{},"semantic_models":{},"unit_tests":{}}
END
run() { # run ARGS...
	"$HEDDLE" run --runner cli "$@" >../out 2>&1
	code=$?
}

run --target ci --threads 2
[ $code = 1 ] || say "exit code $code, not 1: $(cat ../out)"
for want in '"unique_id":"model.p.a"[^}]*' '"unique_id": *"model.p.c"'; do
	grep -qE "$want" target/run_results.json || say "no $want in $(cat target/run_results.json)"
done
grep -qE 'ERROR +model b' ../out || say "b did not fail: $(cat ../out)"
grep -qE 'SKIP +model c' ../out || say "c was not skipped: $(cat ../out)"
grep -qE 'OK +model d' ../out || say "d did not run: $(cat ../out)"
grep -q 'by the stand-in' ../out || say "dbt's message is missing: $(cat ../out)"
calls=$(grep -c . ../calls)
[ "$calls" = 4 ] || say "a parse and three nodes make $calls calls: $(cat ../calls)"
grep -v '^parse' ../calls | grep -vqE -- "--target ci .*--select fqn:p.[abd] --target-path .*/target/heddle/nodes/[12]\$" &&
	say "calls: $(cat ../calls)"
ls target/heddle/nodes >/dev/null 2>&1 && say 'the target paths of nodes were left behind'

touch broken
run
[ $code = 2 ] || say "a failing parse: exit code $code"
grep -q 'Compilation Error: not today' ../out || say "dbt's words are missing: $(cat ../out)"
rm broken

touch slow
"$HEDDLE" run --runner cli >../out 2>&1 &
heddle=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e parsing ] || sleep 1; done
began=$(date +%s)
kill -TERM $heddle
wait $heddle
code=$?
[ $code = 143 ] || say "SIGTERM while dbt parses: exit code $code, not 143: $(cat ../out)"
[ $(($(date +%s) - began)) -le 5 ] || say "SIGTERM while dbt parses was answered after $(($(date +%s) - began)) s"
rm slow

# heddle and its guard are killed: dbt goes on with its node, and the next run waits for that.
touch "$OLDHOME/long"
: >../calls
"$HEDDLE" run --runner cli --select a >../out 2>&1 &
heddle=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$OLDHOME/long" ] || sleep 1; done
dbt=$(cat "$OLDHOME/long")
family=$(cat /proc/$heddle/task/*/children 2>/dev/null)
if [ -d /proc/self/task ]; then
	for one in $family; do
		[ "$one" = "$dbt" ] || kill -KILL "$one"
	done
	kill -KILL $heddle
	wait $heddle 2>/dev/null
	rm "$OLDHOME/long"
	"$HEDDLE" retry >../out 2>&1 || say "retry after a kill: exit code $?: $(cat ../out)"
	grep -q "waiting for process $dbt, left by a run that was killed" ../out || say "did not wait: $(cat ../out)"
	[ "$(grep -v '^parse' ../calls | cut -d' ' -f1 | tr '\n' ' ')" = 'run ended run ' ] ||
		say "retry after a kill: calls: $(cat ../calls)"
fi
rm -f "$OLDHOME/long"

PATH=/nonexistent "$HEDDLE" run --runner cli >../out 2>&1
code=$?
[ $code = 2 ] && grep -q "is dbt on PATH" ../out || say "no dbt: exit code $code: $(cat ../out)"
exit $bad

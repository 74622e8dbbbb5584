#!/bin/sh
# The shell runner as a whole: a command of the user's for each node, without any dbt.
set -u
fails=0
fail() { echo "$1"; fails=$((fails + 1)); }
expect() { # expect WHAT TEXT IN
	case $3 in
	*"$2"*) ;;
	*) fail "$1: expected '$2' in:
$3" ;;
	esac
}
export XDG_STATE_HOME="$PWD/state" NO_COLOR=1
mkdir -p shop/target
echo 'name: shop' >shop/dbt_project.yml

# Names that a shell would act on. ids are NAME's place, so that the JSON stays simple.
node() { # node KIND ID NAME-AS-JSON PARENTS
	printf '"%s.shop.%s": {"resource_type": "%s", "unique_id": "%s.shop.%s", "name": %s,
		"package_name": "shop", "fqn": ["shop", %s], "path": "x.sql", "original_file_path": "models/x.sql",
		"config": {"materialized": "view", "enabled": true}, "tags": [], "depends_on": {"nodes": [%s]}}' \
		"$1" "$2" "$1" "$1" "$2" "$3" "$3" "$4"
}
{
	printf '{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
		"dbt_version": "1.11.0", "adapter_type": "postgres", "project_name": "shop"}, "nodes": {'
	node model a '"plain"' ''; echo ,
	node model b '"$(touch${IFS}pwned)"' '"model.shop.a"'; echo ,
	node model c '"`touch pwned`; touch pwned"' '"model.shop.b"'; echo ,
	node model d '"it'"'"'s \"q\" \\ *"' '"model.shop.c"'; echo ,
	node model e '"-n --flag & > pwned"' '"model.shop.d"'; echo ,
	node test f '"\ttab\nline {name} ${HOME}"' '"model.shop.e"'
	printf '}, "sources": {}, "disabled": {}}'
} >shop/target/manifest.json
# What each command should see, one line a node: name and selector, in brackets.
cat >expected <<'END'
[plain] [fqn:shop.plain] run
[$(touch${IFS}pwned)] [fqn:shop.$(touch${IFS}pwned)] run
[`touch pwned`; touch pwned] [fqn:shop.`touch pwned`; touch pwned] run
[it's "q" \ *] [fqn:shop.it's "q" \ *] run
[-n --flag & > pwned] [fqn:shop.-n --flag & > pwned] run
[	tab
line {name} ${HOME}] [fqn:shop.	tab
line {name} ${HOME}] test
END
cat >shop/note <<'END'
#!/bin/sh
printf '[%s] [%s] %s\n' "$1" "$2" "$3" >>seen
END
cat >shop/in_container <<'END'
#!/bin/sh
# As `docker run --rm IMAGE WORDS`: the words are the command, as they are.
[ "$1 $2" = "--rm shop:1" ] || exit 125
shift 2
exec "$@"
END
cat >shop/far_away <<'END'
#!/bin/sh
# As `ssh HOST WORDS`: joined by blanks, read by a shell there.
shift
exec sh -c "$*"
END
chmod +x shop/note shop/in_container shop/far_away
saw() { # saw WHAT TEMPLATE
	rm -f shop/seen
	out=$("$HEDDLE" build --project-dir shop --command "$2" 2>&1) || fail "$1: exit $?: $out"
	cmp -s expected shop/seen || fail "$1: the commands saw other words: $(diff expected shop/seen)"
}
saw 'a container' './in_container --rm shop:1 ./note {name} {select} {verb}'
saw 'ssh' './far_away host ./note {name:q} {select:q} {verb}'
saw 'a shell of ours' 'true && ./note {name} "{select}" {verb} 2>&1'
saw 'variables' './note "$HEDDLE_NAME" "$HEDDLE_SELECT" $HEDDLE_VERB'
printf 'runner: shell\ncommand: ./note {name} {select} {verb}\nthreads: 2\n' >shop/heddle.yml
rm -f shop/seen
"$HEDDLE" build --project-dir shop >/dev/null || fail 'heddle.yml: exit'
cmp -s expected shop/seen || fail "heddle.yml: $(diff expected shop/seen)"
rm shop/heddle.yml
find . -name 'pwned*' | grep . && fail 'a name was run as a command'

# What a run leaves behind is what every run leaves.
out=$(tr -d ' \n' <shop/target/run_results.json)
expect 'run_results' '"status":"pass"' "$out"
expect 'run_results' '"which":"build"' "$out"
expect 'history' 'build' "$("$HEDDLE" history --project-dir shop 2>&1)"

# Retries by exit code, then `heddle retry` of what failed alone, with the same command.
cat >shop/flaky <<'END'
#!/bin/sh
echo "$HEDDLE_UNIQUE_ID $HEDDLE_ATTEMPT" >>seen
case $HEDDLE_UNIQUE_ID in
*.b) [ "$HEDDLE_ATTEMPT" = 3 ] || exit 75 ;;
*.d) [ -e mended ] || exit 9 ;;
esac
END
chmod +x shop/flaky
rm -f shop/seen
out=$("$HEDDLE" build --project-dir shop --command ./flaky --retry-delay 10ms 2>&1)
code=$?
[ $code = 1 ] || fail "a failed command: exit $code, not 1"
expect 'a failed command' 'exit code 9' "$out"
[ "$(tr '\n' ' ' <shop/seen)" = 'model.shop.a 1 model.shop.b 1 model.shop.b 2 model.shop.b 3 model.shop.c 1 model.shop.d 1 ' ] ||
	fail "tries: $(cat shop/seen)"
rm shop/seen
: >shop/mended
out=$("$HEDDLE" retry --project-dir shop 2>&1) || fail "retry: $out"
[ "$(tr '\n' ' ' <shop/seen)" = 'model.shop.d 1 model.shop.e 1 test.shop.f 1 ' ] || fail "retry ran: $(cat shop/seen)"

# A timeout ends the command and all it started.
out=$("$HEDDLE" build --project-dir shop --select plain --timeout 300ms --retries 0 --grace 1s \
	--command 'sh -c "echo \$\$ >child; exec sleep 60"; true' 2>&1)
expect 'timeout' 'timed out after 0.3 s' "$out"
kill -0 "$(cat shop/child)" 2>/dev/null && fail 'timeout: the child lives'
# So does a signal to heddle; what had not ended is skipped, and is on record.
rm -f shop/child
"$HEDDLE" build --project-dir shop --command 'sh -c "echo \$\$ >child; exec sleep 60"; true' >out 2>&1 &
pid=$!
waited=0
while [ ! -s shop/child ] && [ $((waited += 1)) -lt 300 ]; do sleep 0.1; done
kill -TERM $pid
wait $pid
[ $? = 143 ] || fail 'SIGTERM: exit code'
kill -0 "$(cat shop/child)" 2>/dev/null && fail 'SIGTERM: the child lives'
expect 'SIGTERM' '"skipped"' "$(cat shop/target/run_results.json)"

# When heddle and its guard are killed, the command goes on; it holds the lock of the target folder.
# The next run waits for it, interrupts it, and then begins. (What it holds is found by /proc.)
cat >shop/stubborn <<'END'
#!/bin/sh
[ -e again ] && echo "$HEDDLE_NAME" >>ran && exit
trap 'echo interrupted >>ran; exit 130' INT
echo $$ >child
while :; do sleep 0.1; done
END
chmod +x shop/stubborn
rm -f shop/child shop/ran
"$HEDDLE" build --project-dir shop --select plain --command ./stubborn >out 2>&1 &
pid=$!
waited=0
while [ ! -s shop/child ] && [ $((waited += 1)) -lt 300 ]; do sleep 0.1; done
child=$(cat shop/child)
family=$(cat /proc/$pid/task/*/children 2>/dev/null)
if [ -d /proc/self/task ]; then
	for one in $family; do
		[ "$one" = "$child" ] || kill -KILL "$one"
	done
	kill -KILL $pid
	wait $pid 2>/dev/null
	sleep 0.3
	kill -0 "$child" || fail 'killed: the command does not live'
	: >shop/again
	out=$("$HEDDLE" retry --project-dir shop 2>&1) || fail "retry after a kill: $out"
	expect 'retry after a kill' "waiting for process $child, left by a run that was killed" "$out"
	[ "$(tr '\n' ' ' <shop/ran)" = 'interrupted plain ' ] || fail "retry after a kill: $(cat shop/ran)"
fi

# Known before anything runs.
bad() { # bad WHAT TEXT OPTION...
	what=$1 text=$2
	shift 2
	out=$("$HEDDLE" build --project-dir shop "$@" 2>&1)
	code=$?
	[ $code = 2 ] || fail "$what: exit $code, not 2"
	expect "$what" "$text" "$out"
}
bad 'no command' 'which command?' --runner shell
bad 'unknown field' "did you mean '{name}'?" --command 'echo {nmae}'
bad 'an option of dbt' '--vars: the shell runner cannot hand an option of dbt on' --command true --vars '{}'
bad 'an inner shell' 'write {name:q} there' --command 'sh -c "echo {name}"'
bad 'unknown runner' "expected worker, cli or shell, found 'shel'" --runner shel
bad 'no manifest' 'no manifest' --command true --target-path nowhere
out=$("$HEDDLE" build --project-dir shop --dry-run --select plain --command 'true {verb} -s {select}' 2>/dev/null)
[ "$out" = 'true run -s fqn:shop.plain' ] || fail "dry: $out"
mv shop/target/manifest.json elsewhere.json
"$HEDDLE" build --project-dir shop --manifest elsewhere.json --command true >/dev/null || fail '--manifest'
exit $((fails > 0))

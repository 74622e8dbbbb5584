#!/bin/sh
# heddle config and heddle explain-error: what a node gets and why, on the sample's manifest.
set -u
fails=0
expect() { # expect WHAT TEXT IN
	case $3 in
	*"$2"*) ;;
	*) echo "$1: expected '$2' in:"; echo "$3"; fails=$((fails + 1)) ;;
	esac
}
M=$ROOT/samples/shop/manifests/before/manifest.json
mkdir project && : >project/dbt_project.yml
cat >project/heddle.yml <<'END'
retries: {delay: 7s}
timeout: 1h
pools: {heavy: {slots: 2, select: "config.materialized:incremental"}}
rules:
  - {select: "orders", retries: {attempts: 6}}
  - {select: "orders", timeout: 90s, priority: 3}
transient: ["quota exceeded"]
END
out=$("$HEDDLE" config orders --project-dir project --manifest "$M" 2>&1)
expect 'a rule' 'retries.attempts    6           heddle.yml:5' "$out"
expect 'a default of the file' 'retries.delay       7s          heddle.yml' "$out"
expect 'a later rule' 'timeout             90s         heddle.yml:6' "$out"
expect 'built in' 'retries.factor      2           built in' "$out"
out=$("$HEDDLE" config --select config.materialized:incremental --project-dir project --manifest "$M" 2>&1)
expect 'a pool that assigns' 'pool                heavy       heddle.yml:3' "$out"

echo 'rules: [{select: "tga:x"}]' >project/heddle.yml
out=$("$HEDDLE" config orders --project-dir project --manifest "$M" 2>&1)
code=$?
expect 'a rule that selects wrongly' "heddle.yml:1: selection criterion 'tga:x'" "$out"
[ $code = 2 ] || { echo "exit code $code, not 2"; fails=$((fails + 1)); }

echo 'transient: ["quota exceeded"]' >project/heddle.yml
out=$("$HEDDLE" explain-error --project-dir project 'Quota: quota exceeded for today')
expect 'a pattern' "because: it matches 'quota exceeded' of heddle.yml" "$out"
expect 'is retried' 'retried: yes' "$out"
out=$("$HEDDLE" explain-error --project-dir project --adapter postgres --code 40P01 'deadlock detected')
expect 'a deadlock' 'class:   transient' "$out"
out=$("$HEDDLE" explain-error --project-dir project --adapter postgres --code 42601 'syntax error at or near "x"')
expect 'a syntax error' 'retried: no, the database would refuse it again' "$out"
out=$("$HEDDLE" explain-error --project-dir project --adapter postgres --code 08006 'server closed the connection unexpectedly')
expect 'a lost connection' 'class:   connection lost' "$out"
expect 'an appending node' 'a node that appends is not retried' "$out"
out=$("$HEDDLE" explain-error --project-dir project "000625 (57014): Statement '1' has locked table 'T'")
expect 'words of one database' "because: too many statements wait for the table's lock (words '000625 (' of snowflake)" "$out"
expect 'a source' 'source:  docs.snowflake.com' "$out"
out=$("$HEDDLE" explain-error --project-dir project --adapter postgres "000625 (57014): Statement '1'")
expect 'another database' 'class:   database' "$out"
out=$("$HEDDLE" explain-error 2>&1)
expect 'no text' 'expected the text of one error' "$out"
exit $((fails > 0))

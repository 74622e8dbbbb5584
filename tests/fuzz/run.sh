#!/bin/sh
# run.sh BUILD_DIR NAME SECONDS -- one fuzz target with libFuzzer. What it finds on the way stays in
# BUILD_DIR/fuzz/NAME; an input that breaks something is written beside it, as NAME-crash-*.
cd "$(dirname "$0")/../.." || exit 2
found=$1/fuzz/$2
mkdir -p "$found"
dict=tests/fuzz/$2.dict
[ -f "$dict" ] && set -- "$1" "$2" "$3" "-dict=$dict"
b=$1 name=$2 seconds=$3
shift 3
echo "== $name for $seconds s"
"$b/tests/fuzz/live_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
	-print_final_stats=1 -artifact_prefix="$found-" "$@" "$found" "tests/fuzz/corpus/$name" \
	>"$found.log" 2>&1 || { tail -n 40 "$found.log"; exit 1; }
grep -E 'number_of_executed_units|Done' "$found.log"

#!/bin/sh
# run.sh BUILD_DIR TEST... -- SCRIPT... : runs unit tests, then whole-program scripts, each in its
# own temporary folder and a cleaned environment; keeps a log only of what failed.
# A script gets $HEDDLE (the program) and $ROOT (the source tree); exit 77 means skipped. Scripts in
# Python need dbt: they run with $HEDDLE_TEST_PYTHON, whose environment has it, or are skipped.
# The last line is `N passed, N failed`.
ROOT=$(cd "$(dirname "$0")/.." && pwd)
case $1 in /*) B=$1 ;; *) B=$ROOT/$1 ;; esac
shift
passed=0 failed=0 skipped=0
LOGS=$B/test-logs
rm -rf "$LOGS"
mkdir -p "$LOGS"

run_one() { # run_one NAME COMMAND...
	name=$1
	shift
	tmp=$(mktemp -d) || exit 2
	log=$LOGS/$(echo "$name" | tr / _).log
	(
		cd "$tmp" || exit 2
		env -i PATH="$PATH" HOME="$tmp" TMPDIR="$tmp" LANG=C.UTF-8 ROOT="$ROOT" HEDDLE="$B/heddle" \
			HEDDLE_TEST_PYTHON="${HEDDLE_TEST_PYTHON-}" CI="${CI-}" HEDDLE_SHARED="${HEDDLE_SHARED-}" \
			PYTHONDONTWRITEBYTECODE=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=die_after_fork=0 \
			timeout "${TEST_TIMEOUT:-900}" "$@"
	) >"$log" 2>&1
	code=$?
	rm -rf "$tmp"
	ok=$(grep -cE '^\[ +OK \]' "$log")
	bad=$(grep -cE '^\[  FAILED  \] [a-zA-Z0-9_]+$' "$log")
	case $code in
	0)  passed=$((passed + (ok > 0 ? ok : 1)))
	    printf 'ok    %s%s\n' "$name" "$([ "$ok" -gt 0 ] && echo " ($ok)")"
	    rm -f "$log" ;;
	77) skipped=$((skipped + 1))
	    printf 'skip  %s: %s\n' "$name" "$(tail -n 1 "$log")" ;;
	*)  passed=$((passed + ok))
	    failed=$((failed + (bad > 0 ? bad : 1)))
	    printf 'FAIL  %s (exit %s)\n' "$name" "$code"
	    sed 's/^/      /' "$log" | tail -n 60 ;;
	esac
}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	run_one "$1" "$B/$1"
	shift
done
[ $# -gt 0 ] && shift
for script; do
	case $script in
	*.py)
		if [ -z "${HEDDLE_TEST_PYTHON-}" ]; then
			skipped=$((skipped + 1))
			printf 'skip  %s: HEDDLE_TEST_PYTHON names no Python with dbt\n' "$script"
		else
			run_one "$script" "$HEDDLE_TEST_PYTHON" "$ROOT/$script"
		fi ;;
	*)  run_one "$script" sh "$ROOT/$script" ;;
	esac
done
[ $skipped = 0 ] || echo "$skipped skipped, each with its reason above"
echo "$passed passed, $failed failed"
[ $failed = 0 ]

#!/bin/sh
# run.sh BUILD_DIR TEST... -- SCRIPT... : runs unit tests, then whole-program scripts, $TEST_JOBS at
# once (as many as there are processors, unless it is set), each in its own temporary folder and a
# cleaned environment; keeps a log only of what failed.
# A script gets $HEDDLE (the program) and $ROOT (the source tree); exit 77 means skipped. Scripts in
# Python need dbt: they run with $HEDDLE_TEST_PYTHON, whose environment has it, or are skipped.
# The last line is `N passed, N failed`.
ROOT=$(cd "$(dirname "$0")/.." && pwd)

count() { # count PASSED FAILED SKIPPED: of the test at hand
	echo "$1 $2 $3" >"$LOGS/$file.count"
}

# run_one NAME COMMAND...: one test. Its log is shown in one piece, so that tests beside it do not mix in.
run_one() {
	name=$1
	shift
	tmp=$(mktemp -d) || exit 2
	log=$LOGS/$file.log
	began=$(date +%s)
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
	0)  count $((ok > 0 ? ok : 1)) 0 0
	    seconds=$(($(date +%s) - began))
	    printf 'ok    %s%s%s\n' "$name" "$([ "$ok" -gt 0 ] && echo " ($ok)")" \
	        "$([ $seconds -ge 10 ] && echo ", $seconds s")"
	    rm -f "$log" ;;
	77) count 0 0 1
	    printf 'skip  %s: %s\n' "$name" "$(tail -n 1 "$log")" ;;
	*)  count "$ok" $((bad > 0 ? bad : 1)) 0
	    printf 'FAIL  %s (exit %s)\n%s\n' "$name" "$code" "$(sed 's/^/      /' "$log" | tail -n 60)" ;;
	esac
}

if [ "$1" = --one ]; then # run.sh --one BUILD_DIR TEST|SCRIPT
	B=$2 LOGS=$2/test-logs file=$(echo "$3" | tr / _)
	case $3 in
	*.py)
		if [ -n "${HEDDLE_TEST_PYTHON-}" ]; then
			run_one "$3" "$HEDDLE_TEST_PYTHON" "$ROOT/$3"
		else
			count 0 0 1
			printf 'skip  %s: HEDDLE_TEST_PYTHON names no Python with dbt\n' "$3"
		fi ;;
	*.sh) run_one "$3" sh "$ROOT/$3" ;;
	*)  run_one "$3" "$B/$3" ;;
	esac
	exit 0
fi

case $1 in /*) B=$1 ;; *) B=$ROOT/$1 ;; esac
shift
rm -rf "$B/test-logs"
mkdir -p "$B/test-logs"
n=0
for test; do
	[ "$test" = -- ] || { n=$((n + 1)) && echo "$test"; }
done >"$B/test-logs/list"
xargs -n 1 -P "${TEST_JOBS:-$(getconf _NPROCESSORS_ONLN)}" sh "$ROOT/tests/run.sh" --one "$B" <"$B/test-logs/list"
cat "$B"/test-logs/*.count | awk -v all="$n" '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		if (NR < all) failed += all - NR       # it did not even get to say so
		if (skipped) print skipped " skipped, each with its reason above"
		printf "%d passed, %d failed\n", passed, failed
		exit failed > 0
	}'

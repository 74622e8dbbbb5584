#!/bin/sh
# Projects under other names give the same answers under other names (tests/cases/renamed).
set --
for dir in "${HEDDLE_SHARED:-}/conformance" "$ROOT/../shared/conformance"; do
	[ -f "$dir/cases.jsonl" ] && set -- "$dir/cases.jsonl"
done
exec python3 "$ROOT/tests/cases/renamed" "$HEDDLE" "$@"

#!/bin/sh
# run.sh: what the cases of cases.txt write, beside what they wrote before. RENEW=1 takes the new.
ROOT=${ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
HEDDLE=${HEDDLE:-$ROOT/build/heddle}
MANIFEST=samples/shop/manifests/after/manifest.json
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
cd "$ROOT" || exit 2
export XDG_STATE_HOME="$tmp"    # no history of this machine's own runs
unset HEDDLE_HISTORY
bad=0 n=0
while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	file=${line%%: *}
	n=$((n + 1))
	case $file in
	*/) # a folder
		eval "set -- ${line#*: }"
		rm -rf "$tmp/folder"
		if ! "$HEDDLE" "$@" --manifest $MANIFEST -o "$tmp/folder" 2>"$tmp/err"; then
			echo "$line: exit code $?: $(cat "$tmp/err")" >&2
			bad=1
		elif [ -n "$RENEW" ]; then
			diff -r "$tmp/folder" "$file" >/dev/null 2>&1 || {
				rm -rf "$file" && cp -R "$tmp/folder" "$file" && echo "renewed $file"
			}
		elif ! diff -r "$file" "$tmp/folder" >"$tmp/diff" 2>&1; then
			echo "$line: differs from what it was (make golden renews it):" >&2
			cut -c1-300 "$tmp/diff" | head -n 20 >&2
			bad=1
		fi
		continue
		;;
	esac
	if ! eval "set -- ${line#*: }" || ! "$HEDDLE" "$@" --manifest $MANIFEST >"$tmp/out" 2>"$tmp/err"; then
		echo "$line: exit code $?: $(cat "$tmp/err")" >&2
		bad=1
	elif [ -n "$RENEW" ]; then
		mkdir -p "$(dirname "$file")"
		cmp -s "$tmp/out" "$file" || { cp "$tmp/out" "$file" && echo "renewed $file"; }
	elif ! cmp -s "$tmp/out" "$file"; then
		echo "$line: differs from what it was (make golden renews it):" >&2
		diff "$file" "$tmp/out" | cut -c1-300 | head -n 20 >&2
		bad=1
	fi
done <tests/golden/cases.txt
echo "$n exports compared"
exit $bad

#!/bin/sh
# The interactive lineage in a real browser: tests/exporters/page.py drives it. Needs chromium and python3.
for browser in chromium chromium-browser google-chrome; do
	command -v $browser >/dev/null 2>&1 && break
	browser=
done
[ -n "$browser" ] || { echo "no chromium"; exit 77; }
command -v python3 >/dev/null 2>&1 || { echo "no python3"; exit 77; }
"$HEDDLE" export html --manifest "$ROOT/samples/shop/manifests/after/manifest.json" \
	--run-results "$ROOT/tests/golden/run_results.json" --resource-type all -o page.html || exit 1
exec timeout 120 python3 "$ROOT/tests/exporters/page.py" "$browser" page.html

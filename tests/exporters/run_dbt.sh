#!/bin/sh
# What the Python of the dagster and prefect exports does with dbt: run_dbt.py runs it, with stand-ins
# for the two orchestrators and for dbt.
command -v python3 >/dev/null || {
	echo 'no python3'
	exit 77
}
AFTER=$ROOT/samples/shop/manifests/after/manifest.json
"$HEDDLE" export dagster --manifest "$AFTER" --target prod -o dagster_file.py || exit 1
"$HEDDLE" export prefect --manifest "$AFTER" --target prod -o prefect_file.py || exit 1
exec python3 "$ROOT/tests/exporters/run_dbt.py"

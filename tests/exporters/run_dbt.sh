#!/bin/sh
# What the Python of the dagster, prefect and mage exports does with dbt: run_dbt.py runs it, with
# stand-ins for the orchestrators and for dbt.
command -v python3 >/dev/null || {
	echo 'no python3'
	exit 77
}
AFTER=$ROOT/samples/shop/manifests/after/manifest.json
written() {
	"$HEDDLE" export "$@" --manifest "$AFTER" || exit 1
}
written dagster --target prod -o dagster_file.py
written prefect --target prod -o prefect_file.py
written prefect --granularity folder --runner heddle -o prefect_folders.py
written prefect --granularity all -o prefect_whole.py
written mage --command "$PWD/dbt" -o mage_nodes
written mage --command "$PWD/dbt" --granularity folder --runner heddle -o mage_folders
exec python3 "$ROOT/tests/exporters/run_dbt.py"

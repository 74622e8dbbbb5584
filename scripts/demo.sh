#!/bin/sh
# demo.sh HEDDLE PYTHON -- builds samples/shop in build/demo and draws its lineage.
cd "$(dirname "$0")/.." || exit 2
root=$PWD
heddle=$root/$1
demo=build/demo
rm -rf $demo
mkdir -p build
cp -R samples/shop $demo || exit 2
rm -rf $demo/manifests $demo/exports $demo/target $demo/*.duckdb*
HEDDLE_PYTHON=$root/$2
DBT_SEND_ANONYMOUS_USAGE_STATS=false
HEDDLE_HISTORY=$root/$demo/history.db
export HEDDLE_PYTHON HEDDLE_HISTORY DBT_SEND_ANONYMOUS_USAGE_STATS
cd $demo || exit 2

echo "\$ heddle build                           (in $demo, a copy of samples/shop)"
"$heddle" build || exit
echo
echo "\$ heddle export svg -o lineage.svg"
"$heddle" export svg -o lineage.svg || exit
cat <<END

Look at
  $demo/lineage.svg                the lineage, in any browser
  $demo/target/run_results.json    what dbt would have written
  $demo/shop.duckdb                the tables: orders, customers, daily_revenue ...
and try, after \`. .venv/bin/activate && cd $demo\`,
  ../heddle plan                       the tasks in their order, and the critical path
  ../heddle ls --select +customers     dbt's selection language
  ../heddle build --select 2+orders
END

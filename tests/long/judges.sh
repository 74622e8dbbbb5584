#!/bin/sh
# judges.sh TARGET...: exports judged by the real systems (by hand: they are not part of the build).
#
#   JUDGES=/path/to/judges AIRFLOW=/venv3/bin/python:/venv2/bin/python PYTHON=/venv/bin/python \
#       tests/long/judges.sh -m lantern_tea/target/manifest.json -m large.json airflow argo kestra
#
# A line for each target, manifest and test behaviour: bytes, seconds of the judge, its verdict; what
# it found below. Exit code 1 when a judge found anything.
#
#   -m FILE   a manifest; several: each in turn (default: that of the sample)
#   -t MODE   a test behaviour; several (default: all four)
#   -x ARGS   more for the export, in words: -x '--runner heddle'
#   -j ARGS   more for the judge:  -j '--run'
#
# From the environment, what a target does not have is left out with a word:
#   JUDGES     the folder of the judges
#   PYTHON     with PyYAML, kubernetes-validate, jsonschema, openlineage-python (python3)
#   AIRFLOW    interpreters of Airflow environments, with ':' between
#   ARGOLINT   Argo's own validator          ACTIONLINT  the linter of GitHub workflows
#   KESTRA     folder of Kestra's validator  JAVA        21 or later, for it
#   OPENLINEAGE_SPEC  the folder of its schemas
#   HEDDLE     the program (build/heddle)
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HEDDLE=${HEDDLE:-$ROOT/build/heddle} PYTHON=${PYTHON:-python3}
: "${JUDGES:?names the folder of the judges}"
manifests='' modes='' export_args='' judge_args='' bad=0
while getopts m:t:x:j: o; do
	case $o in
	m) manifests="$manifests $OPTARG" ;;
	t) modes="$modes $OPTARG" ;;
	x) export_args=$OPTARG ;;
	j) judge_args=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
manifests=${manifests:-$ROOT/samples/shop/manifests/before/manifest.json}
modes=${modes:-after_each after_all none build}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# judge NAME INTERPRETER SCRIPT FILE ARGS...: one verdict. $manifest, $mode are those of the loop.
judge() {
	name=$1 python=$2 script=$3 file=$4
	shift 4
	began=$(date +%s)
	# shellcheck disable=SC2086  # words are meant
	"$python" "$JUDGES/$script" "$file" --manifest "$manifest" "$@" $judge_args >"$tmp/out" 2>&1
	code=$?
	printf '%-14s %s %s: %s bytes, %s s, %s\n' "$name" "$(basename "$(dirname "$(dirname "$manifest")")")/$(basename "$manifest" .json)" \
		"$mode" "$(wc -c <"$file")" $(($(date +%s) - began)) "$(tail -n 1 "$tmp/out")"
	grep -E '^ *(note|ok).*(Airflow|parses in|tasks,|serialized|exit code)' "$tmp/out" | cut -c1-160 | sed 's/^/    /'
	[ $code = 0 ] && return
	bad=1
	grep -E 'FAIL|Error|Traceback' "$tmp/out" | cut -c1-500 | sed 's/^/    /'
}

# without NAME WHAT: why a target, or a part of its judging, is left out.
without() {
	echo "$1 left out: $2 is not given"
}

judge_airflow() {
	[ -n "$AIRFLOW" ] || { without airflow AIRFLOW && return; }
	rest=$AIRFLOW:
	while [ -n "$rest" ]; do
		python=${rest%%:*} rest=${rest#*:}
		judge airflow "$python" judge_airflow.py "$1" --test-behavior "$mode" --strict
	done
}

judge_argo() {
	judge argo "$PYTHON" judge_argo.py "$1" --test-behavior "$mode" --strict ${ARGOLINT:+--argolint "$ARGOLINT"}
}

judge_kestra() {
	judge kestra "$PYTHON" judge_kestra.py "$1" --test-behavior "$mode" --strict \
		${KESTRA:+--kestra "$KESTRA" --java "${JAVA:-java}"}
}

judge_kubernetes() {
	judge kubernetes "$PYTHON" judge_k8s.py "$1" --test-behavior "$mode" --strict
}

judge_github() {
	judge github "$PYTHON" judge_gha.py "$1" --test-behavior "$mode" --strict ${ACTIONLINT:+--actionlint "$ACTIONLINT"}
}

# Of a run: run_results.json stands beside the manifest. Test behaviours are none of it.
judge_openlineage() {
	judge openlineage "$PYTHON" judge_openlineage.py "$1" ${OPENLINEAGE_SPEC:+--spec "$OPENLINEAGE_SPEC"}
}

# write TARGET FILE: what an export of the target needs besides what is said here.
write() {
	target=$1 file=$2
	case $target in
	argo | kubernetes) set -- --image registry.example/shop:1 --secret shop-env ;;
	kestra) set -- --image registry.example/shop:1 --secret DBT_PASSWORD ;;
	github) set -- --secret DBT_PASSWORD ;;
	*) set -- ;;
	esac
	[ "$target" = openlineage ] || set -- "$@" --tests "$mode" --schedule '0 6 * * *'
	# shellcheck disable=SC2086  # words are meant
	"$HEDDLE" export "$target" --manifest "$manifest" "$@" $export_args -o "$file"
}

for target; do
	for manifest in $manifests; do
		for mode in $modes; do
			file=$tmp/$target.yaml
			[ "$target" = airflow ] && file=$tmp/$target.py
			if write "$target" "$file" 2>"$tmp/err"; then
				"judge_$target" "$file"
			else
				echo "$target $manifest $mode: no export: $(cat "$tmp/err")"
				bad=1
			fi
			[ "$target" = openlineage ] && break
		done
	done
done
exit $bad

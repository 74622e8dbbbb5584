#!/bin/sh
# The layer rules (docs/design.md): includes never point up or sideways, and each library has its rooms.
# And no line past 100 columns.
cd "$(dirname "$0")/.." || exit 2
bad=0
rule() { # rule TEXT PATTERN FOLDER...
	text=$1 pattern=$2
	shift 2
	if found=$(grep -nE "$pattern" -r "$@" --include='*.[ch]'); then
		printf 'layer rule broken: %s\n%s\n' "$text" "$found" >&2
		bad=1
	fi
}
fence() { # fence TEXT PATTERN ALLOWED_FILES_REGEX
	if found=$(grep -nE "$2" -r util graph executor exporters cli --include='*.[ch]' | grep -vE "^($3):"); then
		printf 'layer rule broken: %s\n%s\n' "$1" "$found" >&2
		bad=1
	fi
}
rule 'util knows nobody' '#include "(graph|executor|exporters|cli|tests)/' util
rule 'graph knows util only' '#include "(executor|exporters|cli|tests)/' graph
rule 'executor knows graph and util' '#include "(exporters|cli|tests)/' executor
rule 'exporters know graph and util' '#include "(executor|cli|tests)/' exporters
rule 'nothing includes tests' '#include "tests/' cli
fence 'igraph lives in graph/dag.c and exporters/layout.c' '#include <igraph' 'graph/dag\.c|exporters/layout\.c'
fence 'libuv lives in executor/pool.c' '#include <uv\.h' 'executor/pool\.c'
fence 'libyaml lives in the YAML readers' '#include <yaml\.h' 'util/ytree\.c'
fence 'SQLite lives in executor/history*.c' '#include <sqlite3\.h' 'executor/history[a-z_]*\.c'
fence 'libcurl lives in executor/http.c' '#include <curl/' 'executor/http\.c'
fence 'no library type in headers' '#include <(igraph|uv\.h|yaml\.h|sqlite3\.h|curl/|cjson)' '[a-z]*/[a-z_]*\.c'
fence 'unsafe libc call' '(^|[^a-z_])(strcpy|strcat|sprintf|strtok|atoi|gmtime|localtime|system) ?\(' 'none'
long=$(find util graph executor exporters cli tests bench -name '*.[ch]' | while read -r file; do
	expand -t8 "$file" | awk -v file="$file" 'length > 100 { print file ":" NR ": " length " columns" }'
done)
[ -z "$long" ] || { printf 'past 100 columns (a tab is 8):\n%s\n' "$long" >&2; bad=1; }
exit $bad

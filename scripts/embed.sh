#!/bin/sh
# embed.sh NAME FILE: a C file that holds FILE's bytes as `const char NAME[]`, ended by a NUL that
# `const size_t NAME_len` does not count. Its users declare both `extern`.
set -e
[ -r "$2" ] || { echo "embed.sh: cannot read $2" >&2; exit 2; }
echo "/* Made from $2 by scripts/embed.sh. */"
echo '#include <stddef.h>'
echo "extern const char $1[];"
echo "extern const size_t $1_len;"
echo "const char $1[] = {"
od -An -v -tx1 "$2" | sed 's/ *\([0-9a-f][0-9a-f]\)/(char)0x\1,/g'
echo '0};'
echo "const size_t $1_len = sizeof($1) - 1;"

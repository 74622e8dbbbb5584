#!/bin/sh
# check_libs.sh PKG... -- says every missing library, with the package that holds it.
command -v pkg-config >/dev/null 2>&1 || {
	echo "heddle: error: pkg-config is missing" >&2
	echo "heddle: hint: apt install pkg-config | dnf install pkgconf | brew install pkgconf" >&2
	exit 2
}
missing=0
for pkg; do
	pkg-config --exists "$pkg" && continue
	case $pkg in
	libcjson) names="libcjson-dev cjson-devel cjson" ;;
	libuv)    names="libuv1-dev libuv-devel libuv" ;;
	igraph)   names="libigraph-dev igraph-devel igraph" ;;
	yaml-0.1) names="libyaml-dev libyaml-devel libyaml" ;;
	sqlite3)  names="libsqlite3-dev sqlite-devel sqlite" ;;
	cmocka)   names="libcmocka-dev libcmocka-devel cmocka" ;;
	libcurl)  names="libcurl4-openssl-dev libcurl-devel curl" ;;
	*)        names="$pkg $pkg $pkg" ;;
	esac
	# shellcheck disable=SC2086
	set_names() { apt=$1 dnf=$2 brew=$3; }
	# shellcheck disable=SC2086
	set_names $names
	echo "heddle: error: library '$pkg' is missing" >&2
	echo "heddle: hint: apt install $apt | dnf install $dnf | brew install $brew" >&2
	missing=1
done
[ $missing = 0 ] || exit 2

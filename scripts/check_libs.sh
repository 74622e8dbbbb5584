#!/bin/sh
# check_libs.sh PKG...               says every missing library, with the package that holds it.
# check_libs.sh --packages apt PKG...   prints the packages (apt, dnf or brew) of the missing ones.
packages() { # packages PKG: sets apt, dnf, brew
	case $1 in
	libcjson) set -- libcjson-dev cjson-devel cjson ;;
	libuv)    set -- libuv1-dev libuv-devel libuv ;;
	igraph)   set -- libigraph-dev igraph-devel igraph ;;
	yaml-0.1) set -- libyaml-dev libyaml-devel libyaml ;;
	sqlite3)  set -- libsqlite3-dev sqlite-devel sqlite ;;
	cmocka)   set -- libcmocka-dev libcmocka-devel cmocka ;;
	libcurl)  set -- libcurl4-openssl-dev libcurl-devel curl ;;
	*)        set -- "$1" "$1" "$1" ;;
	esac
	apt=$1 dnf=$2 brew=$3
}

manager=
if [ "$1" = --packages ]; then
	manager=$2
	shift 2
elif ! command -v pkg-config >/dev/null 2>&1; then
	echo "heddle: error: pkg-config is missing" >&2
	echo "heddle: hint: apt install pkg-config | dnf install pkgconf | brew install pkgconf" >&2
	exit 2
fi
missing=0
for pkg; do
	pkg-config --exists "$pkg" 2>/dev/null && continue
	packages "$pkg"
	missing=1
	case $manager in
	'')   echo "heddle: error: library '$pkg' is missing" >&2
	      echo "heddle: hint: apt install $apt | dnf install $dnf | brew install $brew" >&2 ;;
	apt)  echo "$apt" ;;
	dnf)  echo "$dnf" ;;
	brew) echo "$brew" ;;
	esac
done
[ $missing = 0 ] || [ -n "$manager" ] || exit 2

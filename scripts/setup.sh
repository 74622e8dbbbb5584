#!/bin/sh
# setup.sh build|test PKG...
# Installs what is missing to build heddle (a C compiler, make, the libraries PKG...) and to run the
# sample (.venv with the dbt of requirements.txt); `test` adds cmocka and PostgreSQL. What is there
# already is not touched, and nothing is said unless something is installed or fails.
cd "$(dirname "$0")/.." || exit 2
what=$1
shift
here() { command -v "$1" >/dev/null 2>&1; }
die() {
	echo "setup: error: $1" >&2
	exit 2
}

# Which packages are missing, in the words of this machine's package manager.
manager=
for one in apt-get dnf brew; do
	here $one && { manager=${one%-get}; break; }
done
want=
need() { # need APT DNF BREW
	case $manager in
	apt)  want="$want $1" ;;
	dnf)  want="$want $2" ;;
	brew) want="$want $3" ;;
	*)    want="$want $1" ;;
	esac
}
postgres_here() {
	here initdb && return
	for bin in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb; do
		[ -x "$bin" ] && return
	done
	return 1
}
python_fits() { # dbt 1.11 wants 3.10 or newer
	here "$1" && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}
venv_here() { [ -x .venv/bin/dbt ] && cmp -s requirements.txt .venv/requirements.txt; }

here "${CC:-cc}" || need gcc gcc gcc
here pkg-config  || need pkg-config pkgconf-pkg-config pkgconf
[ "$what" = test ] && set -- "$@" cmocka
want="$want $(sh scripts/check_libs.sh --packages "${manager:-apt}" "$@" | tr '\n' ' ')"
if [ "$what" = test ] && ! postgres_here; then need postgresql postgresql-server postgresql; fi
if ! venv_here; then
	python_fits python3 || need python3 python3 python3
	python3 -c 'import ensurepip' 2>/dev/null || need python3-venv python3-pip python3
fi

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif here sudo; then sudo "$@"
	else die "these packages are missing, and there is no sudo to install them:$want"
	fi
}
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
quietly() { # the output is shown only when the command fails
	"$@" >"$log" 2>&1 </dev/null && return
	cat "$log" >&2
	die "failed: $*"
}
# shellcheck disable=SC2086,SC2116
want=$(echo $want) # extra blanks go
if [ -n "$want" ]; then
	echo "setup: installing $want"
	# shellcheck disable=SC2086
	case $manager in
	apt)
		quietly as_root apt-get -q update
		case " $want " in *" postgresql "*)
			# Tests start servers of their own: no service, no cluster on the usual port.
			if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
				quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends postgresql-common
				quietly as_root sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' \
					/etc/postgresql-common/createcluster.conf
			fi ;;
		esac
		quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $want libc6-dev ;;
	dnf)  quietly as_root dnf -qy install $want ;;
	brew) quietly brew install -q $want ;;
	*)    die "no apt-get, dnf or brew here; please install: $want" ;;
	esac
fi

# The sample's dbt, apart from any other Python of this machine. Its copy of requirements.txt comes
# last, so an interrupted set-up is begun anew; a .venv that is not ours is left alone.
if ! venv_here; then
	[ ! -e .venv ] || [ -e .venv/made-by-setup ] || die "there is a .venv already, not made by this script; move it away"
	python=
	for one in python3 python3.13 python3.12 python3.11 python3.10; do
		python_fits $one && { python=$one; break; }
	done
	[ -n "$python" ] || die "dbt needs Python 3.10 or newer"
	echo "setup: installing dbt into .venv"
	rm -rf .venv
	mkdir .venv && : >.venv/made-by-setup
	quietly "$python" -m venv .venv
	quietly .venv/bin/python -m pip install -q --disable-pip-version-check --no-input -r requirements.txt
	cp requirements.txt .venv/requirements.txt
fi

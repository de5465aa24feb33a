#!/usr/bin/env bash
#
# pressure.sh - what the tests of pressure and of security share beyond e2e.sh: e2e_pressure.sh and
# e2e_security.sh source it in its place.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/e2e.sh"

skip() {
	local sentence=${1//_/ }
	[ $# = 1 ] || sentence+=": ${*:2}"
	echo "skipped - $sentence; $why"
}

# run_if CONDITION... -- NAME [ARGUMENT...]: like run; what is not to be had here is passed over, with
# a line that says so.
#
#   root     the right to be another user
#   mounts   the right to mount, in a namespace of the test's own
#   plain    a build without sanitizers
run_if() {
	local why=''
	while [ "$1" != -- ]; do
		case $1 in
		root) [ "$(id -u)" = 0 ] || why="not root" ;;
		mounts) [ "${mounts:-no}" = yes ] || why="no right to mount" ;;
		plain) [ -z "${SANITIZED:-}" ] || why="built with sanitizers" ;;
		esac
		shift
	done
	shift
	if [ -z "$why" ]; then run "$@"; else skip "$@"; fi
}

# The rest of the case runs the program as a user without any rights, who owns the recordings.
nobody=65534
as_nobody() {
	cp "$program" "$case_dir/jibri-finalize"
	program=$case_dir/jibri-finalize
	chmod 711 "$work" "$case_dir"
	chown -R "$nobody:$nobody" "$recordings"
	program_prefix=(setpriv --reuid "$nobody" --regid "$nobody" --clear-groups)
}

#!/usr/bin/env bash
#
# completion.sh - what bash and zsh complete of jibri-finalize: every option that --help names, states,
# the IDs that status shows, settings.
#
#   tests/e2e/completion.sh PROGRAM

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
completions=$here/../../finalize/command/completion
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$program" "$work/bin/jibri-finalize"
export PATH=$work/bin:$PATH CONFOMEET_RECORDINGS_DIR=$work/recordings
"$here/../tools/fill_journal.sh" "$program" "$work/recordings" 12

fail() {
	echo "FAILED: $*"
	exit 1
}

# shellcheck source=finalize/command/completion/jibri-finalize.bash
. "$completions/jibri-finalize.bash"

# complete_ WORD...: what the last word may become, in one line.
complete_() {
	COMP_WORDS=(jibri-finalize "$@")
	COMP_CWORD=$#
	_jibri_finalize 2>/dev/null # compopt works within a completion only
	echo "${COMPREPLY[*]}"
}

# expect WHAT-IT-BECOMES WORD...
expect() {
	local got
	got=$(complete_ "${@:2}")
	[ "$got" = "$1" ] || fail "jibri-finalize ${*:2}: expected '$1', got '$got'"
}

expect 'status' stat
expect 'events' --config /dev/null ev
expect '--config' --co
expect 'safe' status --state s
expect '24h' status --since 2
expect '--notify-only' retry --n
expect '12 11 10 1' retry 1
expect 'CONFOMEET_S3_PART_SIZE' settings CONFOMEET_S3_PART
expect "$work/recordings" retry "$work/rec"
echo "ok - bash completes commands, options, states, IDs and directories"

for command in $(jibri-finalize --for-completion | sed -n 's/^command\t\([^\t]*\).*/\1/p'); do
	options=$(jibri-finalize "$command" --help | grep -oE '^  (--[a-z-]+)' | tr -d ' ')
	[ -n "$options" ] || fail "no options in the help of $command"
	for option in $options; do
		expect "$option" "$command" "$option"
		jibri-finalize --for-completion | grep -qP "^option\t$command\t$option\t[^\t]*\t[^\t]+$" ||
			fail "the table has no help for $command $option"
	done
done
echo "ok - the table and bash know every option that --help names"

if command -v zsh >/dev/null; then
	zsh -n "$completions/_jibri-finalize" || fail "zsh does not understand its completion"
	got=$(zsh -f "$here/completion.zsh" "$completions" 'jibri-finalize retry --not' --notify-only)
	[[ $got == *--notify-only* ]] || fail "zsh completes 'retry --not' to '$got'"
	got=$(zsh -f "$here/completion.zsh" "$completions" 'jibri-finalize status --state int' interrupted)
	[[ $got == *interrupted* ]] || fail "zsh completes 'status --state int' to '$got'"
	got=$(zsh -f "$here/completion.zsh" "$completions" 'jibri-finalize aban' abandon)
	[[ $got == *abandon* ]] || fail "zsh completes 'aban' to '$got'"
	got=$(zsh -f "$here/completion.zsh" "$completions" 'jibri-finalize settings CONFOMEET_S3_PART' PART_SIZE)
	[[ $got == *CONFOMEET_S3_PART_SIZE* ]] || fail "zsh completes 'settings CONFOMEET_S3_PART' to '$got'"
	echo "ok - zsh completes commands and options"
fi

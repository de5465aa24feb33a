#!/usr/bin/env bash
#
# lint_includes_test.sh - lint_includes.sh finds what it is there to find: each case spoils a copy of the tree.

set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/.."
lint=$PWD/tests/lint_includes.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/jibri-finalize-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

# finds WHAT REGULAR-EXPRESSION FUNCTION: the spoilt copy is refused, with a line that matches.
finds() {
	local output
	rm -rf "$work/tree"
	mkdir "$work/tree"
	cp -r config finalize watcher docs "$work/tree"
	(cd "$work/tree" && "$3")
	if output=$("$lint" "$work/tree" 2>&1); then
		echo "not ok - $1 is accepted"
	elif ! grep -qE "$2" <<<"$output"; then
		echo "not ok - $1 is refused, but not with $2: $output"
	else
		echo "ok - $1 is refused"
		return 0
	fi
	failures=$((failures + 1))
}

# include FILE WHAT: at the file's end.
include() { echo "#include $2" >>"$1"; }

upwards() { include finalize/s3/uri.c '"finalize/journal/journal.h"'; }
finds 'a forbidden edge' '^lint: finalize/s3/uri\.c:[0-9]+: s3 may not use journal' upwards

inner() { include finalize/delivery/delivery.c '"finalize/upload/upload_private.h"'; }
finds 'a private header of other files' 'delivery\.c:[0-9]+: .*upload_private\.h is for files of upload only' inner

library() { include watcher/policy.c '<sqlite3.h>'; }
finds "a library's header elsewhere" 'watcher/policy\.c:[0-9]+: <sqlite3\.h> is not for this file' library

unknown_library() { include finalize/base/rng.c '<zlib.h>'; }
finds 'a library that is not in the table' '<zlib\.h> is not in the table' unknown_library

circle() { include finalize/base/rng.c '"finalize/base/buffer.h"' && include finalize/base/buffer.c '"finalize/base/rng.h"'; }
finds 'a cycle between files' 'a cycle between files: .*base/(rng|buffer)' circle

nameless() { echo 'int nameless;' >finalize/base/nameless.c; }
finds 'a .c file without header and comment' 'nameless\.c:1: .*begins with a comment' nameless

crowd() { for i in {1..31}; do echo "/* $i */" >"finalize/base/crowd_$i.h"; done; }
finds 'a crowded folder' 'base: [0-9]+ files' crowd

folder() { mkdir finalize/extra && echo '/* extra */' >finalize/extra/extra.h; }
finds 'a folder that is not in the table' 'the folder extra is not in docs/architecture.md' folder

# shellcheck disable=SC2016  # a pattern
one_sided() { sed -i '/^| `s3` /s/`http`, /`http`, `journal`, /' docs/architecture.md; }
finds 'a table whose columns differ' 'what (s3 may use and what may use journal|journal may use and what may use s3) differ' one_sided

# shellcheck disable=SC2016  # a pattern
both_ways() { sed -i -e '/^| `s3` /s/`http`, /`http`, `journal`, /' -e '/^| `journal` /s/| \([^|]*\)|$/| `s3`, \1|/' docs/architecture.md; }
finds 'a table with a cycle' 'a cycle between the folders' both_ways

[ "$failures" = 0 ]

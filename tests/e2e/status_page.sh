#!/usr/bin/env bash
#
# status_page.sh - the status page in a real browser (headless Chromium): with nothing, little and much
# to show, with hostile names, a token and lost contact.
#
#   E2E_BUILD=build/test tests/e2e/status_page.sh             SCREENSHOTS=DIR keeps pictures

set -euo pipefail
# shellcheck source=tests/e2e/status.sh
. "$(dirname "${BASH_SOURCE[0]}")/status.sh"
need chromium python3 sqlite3 curl

# page CASE [ARGUMENT...]
page() {
	local name=$1
	shift
	python3 -B "$source_dir/tests/tools/status_page.py" "$name" "$url" "$@" || fail "$name"
}

hex() { od -An -v -tx1 | tr -d ' \n'; }

# Whatever a file system takes as a name, and whatever a server may say.
add_hostile_names() {
	local i=2000 name bytes words
	for name in '<img src=x onerror="window.hacked=1">.mp4' '"><script>window.hacked=1</script>.mp4' \
		"'onmouseover='window.hacked=1'.mp4" $'5_\u202egnp.4pm.mp4' $'5_\x01\x1b[31m\n\r\t\x7f.mp4' \
		$'5_\xff\xfe\xc0.mp4' 'javascript:window.hacked=1' "$(printf '5_%0250d.mp4' 0)" \
		"$(printf 'directory%0240d/' {1..15})5_deep.mp4" $'5_\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u65e5.mp4'; do
		i=$((i + 1))
		bytes="x'$(printf '%s' "$name" | hex)'"
		words="CAST(x'$(printf '%.500s' "$name" | tr -d '\377\376\300' | hex)' AS TEXT)"
		sql "INSERT INTO recording (id, directory, session_id, state, tries, created_at, updated_at, next_try_at, last_error,
				meeting_url, share) VALUES ($i, CAST('/r/$i/' || $bytes AS BLOB), substr($bytes, 1, 250), 3, 1, unixepoch(),
				unixepoch(), 0, $words, 'https://x/' || $words, -1);
			INSERT INTO file (id, recording_id, path, media, incomplete, inode, size_bytes, mtime_ns, object_bytes, state,
				mark, key_suffix, phase, phase_at, upload_id, part_size_bytes, etag, uploaded_at, notice, backend_row, safe_at,
				removed_at, last_error) VALUES ($i, $i, $bytes, 1, 1, 1, 5, 0, 5, 1, '', 0, 0, 0, '', 0, '', 0, 0, 0, 0, 0, '');
			INSERT INTO event (recording_id, file_id, at, text) VALUES ($i, $i, unixepoch(), $words)"
	done
}

start_watcher
page empty
ok "with no recording it says so"
stop_watcher

make_journal 1
sql "UPDATE file SET duration_ms = 3754600, cut_off = 1"
start_watcher
page many 1
page russian
ok "with one recording it is readable on a phone and a screen, in dark and light, in English and Russian"
stop_watcher
rm -rf "$recordings"

make_journal 4
sql "UPDATE file SET duration_ms = 64000, cut_off = id = 1, incomplete = id = 3 WHERE id < 4"
start_watcher
page plays
ok "it says how long a recording plays, up to when one that was cut off, and which one does not"
page history
ok "a recording's history opens by the keyboard, and stays open while the page refreshes"
page policy
ok "what gets into the page in spite of all is not run"
add_hostile_names
page hostile
ok "no name becomes markup, and none runs a script"
port_wanted=${url##*:}
(
	until [ -e "$work/again" ]; do sleep 0.1; done
	exec env -i PATH="$PATH" "$watcher" --config "$work/finalize.env" >>"$work/watcher.log" 2>&1
) &
another=$!
page contact "$watcher_pid" "$work/again"
kill "$another"
wait "$another" || true
port_wanted=
ok "lost contact is said, and found again by itself"
rm -rf "$recordings"

make_journal 1000
start_watcher CONFOMEET_STATUS_TOKEN=let-me-see
page token let-me-see
ok "where a token is set it is asked for, once for each tab"
stop_watcher
start_watcher
page many 1000
ok "with 1,000 recordings a page of them is shown at a time"

#!/usr/bin/env bash
#
# e2e_watcher_idle.sh - what jibri-watcher needs while there is nothing to do, however much there is on
# the disk.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/watcher.sh"

LIMIT_KIB=24576
RECORDINGS=1000

if [ -n "${SANITIZED:-}" ]; then
	echo "skipped: the sanitizers' own memory and time would be measured"
	exit 77
fi

# multiply WHICH: makes a thousand of the recording WHICH, with their rows in the journal.
multiply() {
	local i
	for ((i = 1; i <= RECORDINGS; i++)); do
		mkdir "$recordings/$1$i"
		echo x >"$recordings/$1$i/${i}_a.mp4"
	done
	sqlite3 -cmd '.timeout 5000' "$journal" "
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $RECORDINGS)
		INSERT INTO recording (directory, session_id, state, tries, failures, created_at, updated_at,
			next_try_at, last_error, meeting_url, share)
		SELECT CAST('$recordings/$1' || i AS BLOB), CAST('$1' || i AS BLOB), state, tries, failures,
			created_at, updated_at, next_try_at, last_error, meeting_url, share
		FROM recording, n WHERE session_id = CAST('$1' AS BLOB);
		INSERT INTO file (recording_id, path, media, incomplete, inode, size_bytes, mtime_ns,
			object_bytes, state, mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes,
			etag, uploaded_at, notice, backend_row, safe_at, removed_at, last_error)
		SELECT new.id, CAST(new.id || '_a.mp4' AS BLOB), media, incomplete, inode,
			size_bytes, mtime_ns, object_bytes, file.state, lower(hex(randomblob(16))),
			new.id || '_a.mp4', key_suffix, phase, phase_at, upload_id, part_size_bytes, etag,
			uploaded_at, notice, backend_row, safe_at, removed_at, file.last_error
		FROM file JOIN recording AS old ON old.id = file.recording_id, recording AS new
		WHERE old.session_id = CAST('$1' AS BLOB) AND CAST(new.session_id AS TEXT) GLOB '$1?*';"
}

ticks() { # of the watcher itself
	local fields
	read -r -a fields <"/proc/$watcher_pid/stat"
	echo $((fields[13] + fields[14]))
}

a_thousand_that_wait_and_a_thousand_that_are_kept_cost_next_to_nothing() {
	local before used kib
	start_sink
	environment+=("CONFOMEET_S3_URL=$sink_url" CONFOMEET_KEEP_LOCAL=forever)
	make_file "$recordings/kept/1_a.mp4" 2
	finalize "$recordings/kept"
	expect_code 0
	end_process "${pids[-2]}" # the sink: the last one is the finalizer, which has ended
	make_file "$recordings/waiting/2_a.mp4" 2
	finalize CONFOMEET_S3_RETRY_FOR=0 "$recordings/waiting"
	expect_code 75
	sqlite3 "$journal" "UPDATE recording SET next_try_at = strftime('%s', 'now') + 3000 WHERE state = 2"
	multiply kept
	multiply waiting
	expect "recordings" "2|$((RECORDINGS + 1)) 4|$((RECORDINGS + 1))" \
		"$(query 'SELECT state, count(*) FROM recording GROUP BY state ORDER BY state' | paste -s -d ' ')"
	expect "files" $((2 * RECORDINGS + 2)) "$(query 'SELECT count(*) FROM file')"
	rmdir "$session"
	start_watcher CONFOMEET_RETRY_MIN=30s
	sleep 6 # it looks at all of them, and reads the journal
	before=$(ticks)
	sleep 5
	used=$(($(ticks) - before))
	kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$watcher_pid/status")
	echo "$before ticks to begin with, $used in 5 s; $kib KiB at most"
	expect_at_most "hundredths of a second in 5 s" $((25 * $(getconf CLK_TCK) / 100)) "$used"
	expect_at_most "KiB" $((LIMIT_KIB - 1)) "$kib"
	expect "recordings that still wait" $((RECORDINGS + 1)) \
		"$(query 'SELECT count(*) FROM recording WHERE state = 2 AND tries = 1')"
	stop_watcher
}

run a_thousand_that_wait_and_a_thousand_that_are_kept_cost_next_to_nothing
end_of_cases

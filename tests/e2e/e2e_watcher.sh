#!/usr/bin/env bash
#
# e2e_watcher.sh - jibri-watcher after crashes, and as a service: stops, volumes, settings, housekeeping.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_watcher.sh [PATTERN]

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/watcher.sh"

# ---- what a crash left ---------------------------------------------------------------------------

a_recording_that_was_cut_off_is_finalized_and_marked() {
	start_watcher CONFOMEET_ORPHAN_AFTER=3s
	begin_recording
	[ "$1" = without-metadata ] ||
		echo '{"meeting_url":"https://meet.example/12345","participants":[],"share":true}' \
			>"$session/metadata.json"
	grow 12
	wait_for 15 parts_sent 1
	end_recording # without a moov
	wait_for 20 is_safe
	watcher_says 'no finalizer was called for it' || fail "it does not say why"
	expect_object "$media" "$copies/$media"
	expect "jibri-incomplete" moov-missing "$(object_header "$media" x-amz-meta-jibri-incomplete)"
	expect "in the journal" 1 "$(query 'SELECT incomplete FROM file WHERE media')"
	wait_for 10 test ! -e "$session" # the journal knows it first
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

a_session_without_media_is_finalized_too() {
	rmdir "$session"
	make_file "$recordings/segments/4711_0.ts" 1000
	make_file "$recordings/segments/4711_1.ts" 1000
	mkdir "$recordings/joining" "$recordings/metadata"
	echo '{"meeting_url":"https://meet.example/12345","participants":[],"share":true}' >"$recordings/metadata/metadata.json"
	touch -d '1 hour ago' "$recordings"/*/* "$recordings"/*
	start_watcher
	wait_for 30 is_safe 2
	wait_for 10 test ! -e "$recordings/segments"
	wait_for 10 test ! -e "$recordings/metadata"
	[ "$(keys | grep -c 'ts$')" = 2 ] || fail "the segments are not in the bucket: $(keys)"
	expect "accepted notices" 0 "$(accepted_notices)"
	[ -d "$recordings/joining" ] || fail "a directory without files is gone"
	stop_watcher
}

# With the settings as they are by default: what is old is not waited for.
what_the_old_script_left_is_worked_off_and_wait_ends() {
	local n
	rmdir "$session"
	for n in {1..20}; do
		mkdir "$recordings/past$n"
		echo '{"meeting_url":"https://meet.example/12345","participants":[],"share":true}' >"$recordings/past$n/metadata.json"
	done
	touch -d '1 hour ago' "$recordings"/*/* "$recordings"/*
	start_watcher
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" wait --timeout 60s
	expect_code 0 'nothing is pending'
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" status
	expect_code 0
	expect "directories left" '' "$(ls "$recordings")"
	expect keys 20 "$(keys | wc -l)"
	stop_watcher
}

a_recording_whose_writer_pauses_is_no_orphan() {
	start_watcher CONFOMEET_ORPHAN_AFTER=1s
	begin_recording
	grow 1
	sleep 4
	expect "recordings finalized" 0 "$(query 'SELECT count(*) FROM recording WHERE state <> 5')"
	grow 1
	end_recording moov
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

a_finalizer_that_was_killed_is_no_loss() {
	start_watcher
	make_file "$session/$media" $((22 * MIB))
	start_finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=4MiB "$session"
	wait_for 20 is_worked_on
	kill -KILL "$!"
	wait "$!" || true
	wait_for 30 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

what_is_put_into_a_finished_session_is_uploaded_too() {
	make_file "$session/$media" 1000
	finalize CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	start_watcher CONFOMEET_ORPHAN_AFTER=1s CONFOMEET_KEEP_LOCAL=forever
	make_file "$session/12345_again.mp4" 1000
	wait_for 20 has_object 12345_again.mp4
	expect_object 12345_again.mp4 "$copies/12345_again.mp4"
	expect "keys" 2 "$(keys | wc -l)"
	stop_watcher
}

has_object() { [[ $'\n'$(keys)$'\n' == *$'\n'"$1"$'\n'* ]]; }

a_worker_that_was_killed_is_replaced() {
	start_watcher CONFOMEET_LIVE_RATE_LIMIT=1MiB
	begin_recording
	grow 12
	wait_for 15 has_upload
	wait_for 15 has_worker send-parts
	kill -KILL "$(worker_pids send-parts)"
	wait_for 5 watcher_says 'a worker ended by a signal'
	wait_for 30 parts_sent 1
	end_recording moov
	finalize_all
	expect_object "$media" "$copies/$media"
	stop_watcher
}

files_from_the_future_are_orphans_too() {
	make_file "$session/$media" 1000
	touch -d '1 year' "$session/$media" "$session" # a clock was wrong
	start_watcher CONFOMEET_ORPHAN_AFTER=2s
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

a_directory_that_vanished_is_said_and_given_up_after_a_day() {
	start_watcher
	begin_recording
	grow 12
	wait_for 15 parts_sent 1
	end_recording
	rm -r "$session"
	wait_for 10 watcher_says 'is gone with 1 file not yet in the bucket'
	sleep 3
	expect "the file's state" 1 "$(query 'SELECT state FROM file')"
	expect "uploads" 1 "$(open_uploads | wc -l)"
	a_day_passes
	wait_for 20 is_lost
	wait_for 10 no_upload_is_open
	make_file "$session/$media" 1000 # and there it is again
	finalize_all
	expect_object "$media" "$copies/$media"
	stop_watcher
}

a_day_passes() {
	sqlite3 -cmd '.timeout 5000' "$journal" 'UPDATE recording SET vanished_since = vanished_since - 86400, next_try_at = 0'
	kill -HUP "$watcher_pid"
}
is_lost() { [ "$(query 'SELECT state FROM file')" = 4 ]; }
no_upload_is_open() { [ -z "$(open_uploads)" ]; }

a_lost_recording_that_comes_back_is_uploaded() {
	start_watcher
	make_file "$session/$media" 1000
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_URL=http://127.0.0.1:1 "$session"
	expect_code 75
	mv "$session" "$case_dir/away"
	wait_for 20 watcher_says 'is gone with 1 file not yet in the bucket'
	a_day_passes
	wait_for 20 is_lost
	stop_watcher
	mv "$case_dir/away" "$session"
	finalize_all
	expect_object "$media" "$copies/$media"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# ---- as a service --------------------------------------------------------------------------------

a_stop_in_the_midst_of_work_is_in_order() {
	make_file "$session/$media" $((22 * MIB))
	touch -d '1 hour ago' "$session/$media" "$session"
	start_watcher CONFOMEET_S3_RATE_LIMIT=3MiB
	wait_for 20 has_parts 1
	stop_watcher
	expect "integrity" ok "$(query 'PRAGMA integrity_check')"
	[ "$(query 'SELECT state FROM recording')" != 1 ] || fail "the run did not end in order"
	[ -e "$session/$media" ] || fail "the file is gone"
	start_watcher
	wait_for 30 is_safe
	expect_object "$media" "$copies/$media"
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

the_recordings_directory_may_come_late_and_be_made_anew() {
	rm -rf "$recordings"
	start_watcher_late CONFOMEET_ORPHAN_AFTER=1s
	mkdir "$recordings"
	wait_for 15 watcher_says ': watching'
	make_file "$session/$media" 1000
	wait_for 20 is_safe
	mv "$recordings" "$case_dir/moved"
	mkdir "$recordings"
	make_file "$session/9_b.mp4" 1000
	wait_for 80 is_safe
	expect_object 9_b.mp4 "$copies/9_b.mp4"
	stop_watcher
}

# Also for a process that asks whether there is a watcher.
the_watcher_of_a_directory_that_was_made_anew_is_known() {
	start_watcher CONFOMEET_ORPHAN_AFTER=1s
	mv "$recordings" "$case_dir/moved"
	mkdir "$recordings"
	wait_for 90 test -e "$recordings/.jibri-finalize/watcher.lock"
	make_file "$session/9_b.mp4" 1000
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0 'handed over'
	wait_for 10 is_safe
	expect_object 9_b.mp4 "$copies/9_b.mp4"
	stop_watcher
}

another_file_system_may_be_mounted_over_it_and_go_again() {
	if ! mount -t tmpfs none "$copies"; then
		echo "not tried: nothing can be mounted here"
		return 0
	fi
	umount "$copies"
	trap 'umount -l "$recordings" 2>/dev/null || true; end_processes' EXIT
	environment+=("CONFOMEET_JOURNAL=$case_dir/journal/journal.db")
	journal=$case_dir/journal/journal.db
	start_watcher
	begin_recording
	grow 12
	wait_for 15 parts_sent 1
	end_recording
	mount -t tmpfs none "$recordings"
	wait_for 80 watcher_says 'the recordings directory is another one than before'
	a_day_passes # it is on the other file system
	sleep 3
	expect "the file's state" 1 "$(query 'SELECT state FROM file')"
	umount -l "$recordings"
	echo moov >"$session/note.txt"
	wait_for 5 test -e "$session/$media"
	finalize_all
	expect_object "$media" "$copies/$media"
	stop_watcher
}

start_watcher_late() {
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$@" \
		"$watcher" >>"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
	wait_for 10 watcher_says 'waiting for the recordings directory'
}

settings_that_cannot_be_used_are_said_and_waited_for() {
	environment+=("CONFOMEET_S3_BUCKET=" "CONFOMEET_RECORDINGS_DIR=$recordings")
	env -i "${environment[@]}" "$watcher" >"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
	wait_for 10 watcher_says 'CONFOMEET_S3_BUCKET'
	wait_for 10 watcher_says 'nothing is uploaded, recordings stay on disk; what to do'
	stop_watcher
}

a_second_watcher_waits_until_the_first_one_is_gone() {
	local first
	start_watcher
	first=$watcher_pid
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$watcher" \
		>"$case_dir/second.log" 2>&1 </dev/null &
	pids+=("$!")
	wait_for 10 grep -q 'another watcher works for' "$case_dir/second.log"
	kill "$first"
	wait_for 15 grep -q ': watching' "$case_dir/second.log"
	watcher_pid=${pids[-1]}
	stop_watcher
}

kept_copies_go_and_old_history_is_forgotten() {
	make_file "$session/$media" 1000
	finalize CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	[ -e "$session/$media" ] || fail "it was not kept"
	start_watcher
	wait_for 20 test ! -e "$session"
	stop_watcher
	sleep 1.1 # the journal counts seconds
	start_watcher CONFOMEET_JOURNAL_KEEP=nothing
	wait_for 20 is_safe 0
	stop_watcher
}

a_damaged_journal_is_set_aside() {
	make_file "$session/$media" 1000
	mkdir "$recordings/.jibri-finalize"
	head -c 20000 /dev/urandom >"$case_dir/rubbish"
	{ printf 'SQLite format 3\0'; cat "$case_dir/rubbish"; } >"$journal"
	start_watcher CONFOMEET_ORPHAN_AFTER=1s
	wait_for 20 is_safe
	watcher_says 'set aside' || fail "it does not say so"
	expect_object "$media" "$copies/$media"
	stop_watcher
}

run a_recording_that_was_cut_off_is_finalized_and_marked with-metadata
run a_recording_that_was_cut_off_is_finalized_and_marked without-metadata
run a_session_without_media_is_finalized_too
run what_the_old_script_left_is_worked_off_and_wait_ends
run a_recording_whose_writer_pauses_is_no_orphan
run a_finalizer_that_was_killed_is_no_loss
run what_is_put_into_a_finished_session_is_uploaded_too
run a_worker_that_was_killed_is_replaced
run files_from_the_future_are_orphans_too
run a_directory_that_vanished_is_said_and_given_up_after_a_day
run a_lost_recording_that_comes_back_is_uploaded
run a_stop_in_the_midst_of_work_is_in_order
run the_recordings_directory_may_come_late_and_be_made_anew
run the_watcher_of_a_directory_that_was_made_anew_is_known
run another_file_system_may_be_mounted_over_it_and_go_again
run settings_that_cannot_be_used_are_said_and_waited_for
run a_second_watcher_waits_until_the_first_one_is_gone
run kept_copies_go_and_old_history_is_forgotten
run a_damaged_journal_is_set_aside
end_of_cases

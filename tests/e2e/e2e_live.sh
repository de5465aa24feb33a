#!/usr/bin/env bash
#
# e2e_live.sh - jibri-watcher beside a recording, and what it and the finalizer hand over to each other.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_live.sh [PATTERN]

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/watcher.sh"

# ---- while Jibri records -------------------------------------------------------------------------

finished_parts_are_sent_while_it_is_recorded_and_the_rest_when_it_has_ended() {
	local upload
	start_watcher
	begin_recording
	grow 12
	wait_for 15 parts_sent 1
	grow 11
	wait_for 15 parts_sent 3
	expect "parts" '2 3 4' "$(query 'SELECT number FROM part ORDER BY number' | paste -s -d ' ')"
	expect "state" 5 "$(query 'SELECT state FROM recording')"
	expect "fingerprints" 3 "$(query 'SELECT count(fingerprint) FROM part')"
	upload=$(query 'SELECT upload_id FROM file')
	expect_match "the upload" "$upload" "$(open_uploads)"
	end_recording moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_object_for_all "$media" "$copies/$media" video/mp4
	expect "jibri-incomplete" '' "$(object_header "$media" x-amz-meta-jibri-incomplete)"
	wait_for 10 test ! -e "$session" # the journal knows it first
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

after_the_end_only_the_first_part_the_tail_and_what_was_not_sent_yet_is_sent() {
	use_sink --md5
	start_watcher
	begin_recording
	grow 24
	wait_for 15 parts_sent 3
	stop_watcher
	grow 5 # which are not sent
	end_recording moov
	# Two are sent at once, and may arrive in any order.
	expect "parts sent while it was recorded" '2 3 4' "$(sink_parts | tr ' ' '\n' | sort | paste -s -d ' ')"
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=1 "$session"
	expect_code 0
	expect "parts sent afterwards" '1 5 6' "$(sink_parts | cut -d ' ' -f 4-)"
	expect "uploads" 1 "$(sink_lines C | wc -l)"
	expect "objects" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	wait_for 10 test ! -e "$session" # the journal knows it first
}

a_part_whose_bytes_changed_at_the_end_is_sent_again() {
	start_watcher
	begin_recording
	grow 17
	wait_for 15 parts_sent 2
	end_recording shuffle moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_object_for_all "$media" "$copies/$media" video/mp4
	stop_watcher
}

has_part() { [ "$(query "SELECT count(*) FROM part WHERE number = $1")" = 1 ]; }

# record_until_sent PART: by ffmpeg. That takes 12 s or, on a busy machine, which records less than 0.9 MB a
# second, some more.
record_until_sent() {
	local recorder
	mkdir -p "$session"
	run_apart "$tests/../scripts/record-meeting" "$session/$media" 150 &
	recorder=$!
	pids+=("$recorder")
	wait_for 120 has_part "$1"
	kill "$recorder"
	wait "$recorder"
	cp "$session/$media" "$copies/$media"
}

a_recording_by_ffmpeg_plays_and_is_the_same() {
	local plays_s
	start_watcher
	record_until_sent 2 # the first is last
	plays_s=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$session/$media")
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0 'safe: 1 recording, ([0-9.]+) s, '
	awk -v said="${BASH_REMATCH[1]}" -v is="$plays_s" 'BEGIN { exit !(said - is < 1 && is - said < 1) }' ||
		fail "it plays $plays_s s"
	expect_object_for_all "$media" "$copies/$media" video/mp4
	rclone_ cat ":s3:$bucket/$media" >"$case_dir/got"
	expect "what ffprobe says" '' "$(ffprobe -v error "$case_dir/got" 2>&1)"
	stop_watcher
}

of_a_recording_in_fragments_the_first_part_is_sent_early_too_and_again_with_its_index() {
	start_watcher
	PATH="$build/finalize/ffmpeg:$PATH" record_until_sent 1
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect "reasons for sending again" \
		'sent again: 1 part, 5 MiB: its first bytes changed since, when the recording got its index' \
		"$(query "SELECT text FROM event WHERE text LIKE 'sent again%'")"
	rclone_ cat ":s3:$bucket/$media" >"$case_dir/got"
	expect "what ffmpeg says" '' "$(ffmpeg -v error -i "$case_dir/got" -f null - 2>&1)"
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

a_slow_part_is_given_up_for_the_finalizer() {
	use_sink --md5
	start_watcher CONFOMEET_LIVE_RATE_LIMIT=100KiB
	begin_recording
	grow 12
	wait_for 15 has_upload
	end_recording moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=1 "$session"
	expect_code 0
	expect "parts" '1 2 3' "$(sink_parts)" # part 2 would have taken the watcher 50 s
	expect "uploads" 1 "$(sink_lines C | wc -l)"
	stop_watcher
}

nothing_is_sent_while_it_is_recorded_when_that_is_switched_off() {
	start_watcher CONFOMEET_LIVE_UPLOAD=off CONFOMEET_ORPHAN_AFTER=1s
	begin_recording
	grow 12
	sleep 4 # it looks every two seconds
	expect "parts" 0 "$(parts_in_journal)"
	end_recording moov
	wait_for 15 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

what_goes_on_is_not_the_first_to_be_served() {
	use_sink --md5
	start_watcher CONFOMEET_LIVE_RATE_LIMIT=100KiB
	begin_recording
	grow 12
	wait_for 15 has_upload
	wait_for 15 has_worker send-parts
	expect "nice value" 10 "$(cut -d ' ' -f 19 "/proc/$(worker_pids send-parts)/stat")"
	expect_at_most "nice value of the watcher" 9 "$(cut -d ' ' -f 19 "/proc/$watcher_pid/stat")"
	end_recording moov
	wait_for 20 finalize_all
	stop_watcher
}

the_rate_limit_is_kept_while_it_is_recorded() {
	local began took
	use_sink --md5
	start_watcher CONFOMEET_LIVE_RATE_LIMIT=3MiB
	begin_recording
	began=$(now_ms)
	grow 21
	wait_for 60 parts_sent 3
	took=$(($(now_ms) - began))
	[ "$took" -ge 4000 ] || fail "15 MiB were sent within $took ms" # 5 s, but for a burst
	end_recording moov
	finalize_all
	stop_watcher
}

now_ms() { date +%s%3N; }

several_files_grow_at_once() {
	local first first_pid other=$recordings/othersession
	start_watcher
	begin_recording
	first=$writer first_pid=$writer_pid
	start_writer "$session/12345_second.mp4"
	grow 12
	mkdir "$other"
	exec {writer}>&-
	wait "$writer_pid"
	start_writer "$other/67_c.mp4"
	grow 17
	echo $((12 * MIB)) >&"$first"
	wait_for 20 parts_sent 4
	expect "uploads" 3 "$(open_uploads | wc -l)"
	end_writer moov
	writer=$first writer_pid=$first_pid
	end_writer moov
	cp "$session"/*.mp4 "$other"/*.mp4 "$copies"
	finalize_all
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$other"
	expect_code 0
	expect_object "$media" "$copies/$media"
	expect_object 12345_second.mp4 "$copies/12345_second.mp4"
	expect_object 67_c.mp4 "$copies/67_c.mp4"
	stop_watcher
}

# As by a program that writes the whole file at every save: its parts are for the finalizer to compare.
a_file_in_another_one_s_place_does_not_keep_the_watcher_busy() {
	local i began workers=''
	start_watcher
	begin_recording
	grow 12
	wait_for 15 parts_sent 1
	end_recording moov
	make_file "$session/new" $((17 * MIB)) "$media"
	mv "$session/new" "$session/$media"
	began=$SECONDS
	for ((i = 0; i < 100; i++)); do
		workers+=" $(worker_pids)"
		sleep 0.04
	done
	# One every two seconds, and those of the first moment.
	expect_at_most "workers in $((SECONDS - began)) s" $(((SECONDS - began) / 2 + 4)) \
		"$(tr ' ' '\n' <<<"$workers" | sort -u | grep -c .)"
	finalize_all
	expect_object "$media" "$copies/$media"
	stop_watcher
}

# ---- handing over --------------------------------------------------------------------------------

with_no_time_to_wait_the_watcher_gets_it() {
	start_watcher
	make_file "$session/$media" $((12 * MIB))
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0
	expect_match "output" 'handed over: the watcher goes on' "$output"
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	wait_for 10 test ! -e "$session" # the journal knows it first
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

without_a_watcher_nothing_is_handed_over() {
	make_file "$session/$media" 1000
	start_watcher
	stop_watcher
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0 'safe'
	wait_for 10 test ! -e "$session" # the journal knows it first
}

what_came_into_a_finished_session_is_not_called_safe_unseen() {
	make_file "$session/$media" 1000
	start_watcher CONFOMEET_KEEP_LOCAL=forever
	finalize CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	make_file "$session/12345_again.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=forever CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0
	expect_object 12345_again.mp4 "$copies/12345_again.mp4"
	expect "accepted notices" 2 "$(accepted_notices)"
	stop_watcher
}

when_the_time_is_over_the_watcher_goes_on() {
	start_watcher
	make_file "$session/$media" $((22 * MIB))
	finalize CONFOMEET_FINALIZE_WAIT=1s CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=4MiB "$session"
	expect_code 75 'what to do: nothing, the watcher goes on with it'
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

what_is_handed_over_while_it_is_written_is_waited_for() {
	start_watcher
	begin_recording
	grow 12
	wait_for 15 parts_sent 1
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0
	grow 6
	sleep 3 # it looks every two seconds
	[ -e "$session/$media" ] || fail "it is gone, and its writer writes on"
	grow 1
	end_recording moov
	wait_for 90 is_safe
	expect_object "$media" "$copies/$media"
	expect "accepted notices" 1 "$(accepted_notices)"
	wait_for 10 test ! -e "$session" # the journal knows it first
	stop_watcher
}

an_empty_directory_is_not_handed_over() {
	start_watcher
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 66
	expect "what was handed over" 0 "$(query 'SELECT count(*) FROM claim')"
	stop_watcher
}

the_finalizer_goes_before_the_watcher_s_own_run() {
	local began
	use_sink --md5
	make_file "$session/$media" $((42 * MIB))
	touch -d '1 hour ago' "$session/$media" "$session"
	start_watcher CONFOMEET_S3_RATE_LIMIT=1MiB CONFOMEET_S3_PARALLEL=2
	wait_for 20 has_parts 1
	began=$SECONDS
	finalize_all # the watcher would need 35 s
	expect_within 30 $((SECONDS - began))
	watcher_says 'another process goes on with it' || fail "the watcher does not say so"
	expect "objects" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	expect "uploads" 1 "$(sink_lines C | wc -l)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "claims" 0 "$(query 'SELECT count(*) FROM claim')"
	stop_watcher
}

run finished_parts_are_sent_while_it_is_recorded_and_the_rest_when_it_has_ended
run after_the_end_only_the_first_part_the_tail_and_what_was_not_sent_yet_is_sent
run a_part_whose_bytes_changed_at_the_end_is_sent_again
run a_recording_by_ffmpeg_plays_and_is_the_same
run of_a_recording_in_fragments_the_first_part_is_sent_early_too_and_again_with_its_index
run a_slow_part_is_given_up_for_the_finalizer
run nothing_is_sent_while_it_is_recorded_when_that_is_switched_off
run what_goes_on_is_not_the_first_to_be_served
run the_rate_limit_is_kept_while_it_is_recorded
run several_files_grow_at_once
run a_file_in_another_one_s_place_does_not_keep_the_watcher_busy
run with_no_time_to_wait_the_watcher_gets_it
run without_a_watcher_nothing_is_handed_over
run what_came_into_a_finished_session_is_not_called_safe_unseen
run when_the_time_is_over_the_watcher_goes_on
run what_is_handed_over_while_it_is_written_is_waited_for
run an_empty_directory_is_not_handed_over
run the_finalizer_goes_before_the_watcher_s_own_run
end_of_cases

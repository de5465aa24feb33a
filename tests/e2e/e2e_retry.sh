#!/usr/bin/env bash
#
# e2e_retry.sh - jibri-watcher tries again what failed, until all is safe or needs a person.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_retry.sh [PATTERN]

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/watcher.sh"

# ---- trying again --------------------------------------------------------------------------------

a_server_that_was_down_for_the_whole_meeting_gets_it_all_in_the_end() {
	start_sink --md5 # for its port
	end_process "${pids[-1]}"
	environment+=("CONFOMEET_S3_URL=$sink_url")
	start_watcher CONFOMEET_S3_RETRY_FOR=1s
	begin_recording
	grow 17
	wait_for 15 watcher_says 'while it is recorded.*connect'
	end_recording moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75 'what to do: nothing, the watcher goes on with it'
	wait_for 15 watcher_says 'probing: '
	start_sink --md5 --port "${sink_url##*:}" --journal "$case_dir/sink.journal"
	wait_for 70 is_safe
	expect "objects" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	wait_for 10 test ! -e "$session" # the journal knows it first
	stop_watcher
}

a_backend_that_was_down_gets_its_notice_in_the_end() {
	stop_backend
	start_watcher CONFOMEET_S3_RETRY_FOR=0
	make_file "$session/$media" 1000
	finalize CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75
	start_backend
	wait_for 30 is_safe
	expect "accepted notices" 1 "$(accepted_notices)"
	wait_for 10 test ! -e "$session" # the journal knows it first
	stop_watcher
}

what_needs_a_person_is_tried_at_once_when_the_settings_are_mended() {
	local file=$case_dir/finalize.env
	printf 'CONFOMEET_S3_CLIENT_SECRET=%s\n' wrong >"$file"
	chmod 600 "$file"
	environment+=("CONFOMEET_S3_CLIENT_SECRET=") # empty is unset: the file's counts
	start_watcher_with "$file"
	make_file "$session/$media" 1000
	finalize --config "$file" "$session"
	expect_code 1
	printf 'CONFOMEET_S3_CLIENT_SECRET=%s\nCONFOMEET_NOTICE=perhaps\n' "$S3_SECRET_KEY" >"$file"
	kill -HUP "$watcher_pid"
	wait_for 10 watcher_says 'nothing is uploaded, recordings stay on disk'
	printf 'CONFOMEET_S3_CLIENT_SECRET=%s\n' "$S3_SECRET_KEY" >"$file"
	kill -HUP "$watcher_pid"
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

start_watcher_with() {
	local watcher_options=(--config "$1")
	start_watcher
}

many_that_wait_all_arrive() {
	local i
	for i in {1..12}; do
		make_file "$recordings/session$i/${i}_a.mp4" 1000
		touch -d '1 hour ago' "$recordings/session$i/${i}_a.mp4" "$recordings/session$i"
	done
	rmdir "$session"
	start_watcher
	wait_for 60 is_safe 12
	expect "keys" 12 "$(keys | wc -l)"
	expect "accepted notices" 12 "$(accepted_notices)"
	expect "what is left" .jibri-finalize "$(ls -A "$recordings")"
	stop_watcher
}

# A server that asks for 90 s, and is well again after 5.
a_long_pause_that_a_server_asked_for_ends_when_it_answers() {
	local i finalizers=()
	start_bucket --habit retry-after-s=90
	environment+=("CONFOMEET_S3_URL=http://127.0.0.1:$bucket_port")
	rmdir "$session"
	start_watcher CONFOMEET_RETRY_MIN=30s CONFOMEET_S3_RETRY_FOR=5s
	for i in 1 2 3; do
		make_file "$recordings/session$i/${i}_a.mp4" 1000
		env -i "${environment[@]}" CONFOMEET_S3_RETRY_FOR=5s "$program" "$recordings/session$i" >>"$outputs" 2>&1 &
		finalizers+=("$!")
	done
	for i in 0 1 2; do
		code=0
		wait "${finalizers[$i]}" || code=$?
		expect_code 75
	done
	expect "rows that wait for 90 s" 3 \
		"$(query 'SELECT count(*) FROM recording WHERE state = 2 AND next_try_at >= updated_at + 90')"
	end_process "$bucket_pid"
	start_bucket --port "$bucket_port"
	wait_for 60 is_safe 3 # a try is hurried three times at most: the server is back before
	expect "accepted notices" 3 "$(accepted_notices)"
	stop_watcher
}

has_been_tried() { [ "$(query "SELECT tries >= $1 FROM recording")" = 1 ]; }

# The backend may have recorded it: only a person can tell.
a_2xx_that_names_no_row_is_not_repeated_by_the_watcher() {
	restart_backend --fail id0:1
	make_file "$session/$media" 1000
	touch -d '1 hour ago' "$session/$media" "$session"
	start_watcher CONFOMEET_RETRY_MIN=1s CONFOMEET_RETRY_MAX=1s
	wait_for 60 has_been_tried 4
	touch -d '30 minutes ago' "$session/$media"
	wait_for 60 has_been_tried 7
	expect "requests" 1 "$(notices .status | wc -l)"
	expect "the notice" 5 "$(query 'SELECT notice FROM file')"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" retry 1
	expect_code 0
	expect "requests" 2 "$(notices .status | wc -l)"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
	stop_watcher
}

# work_that_always_fails_is_begun_three_times_and_then_by_the_schedule CALL: that answers EIO in each run.
work_that_always_fails_is_begun_three_times_and_then_by_the_schedule() {
	make_file "$session/$media" 1000
	touch -d '1 hour ago' "$session/$media" "$session"
	start_watcher CONFOMEET_RETRY_MIN=1m ASAN_OPTIONS=verify_asan_link_order=0 "LD_PRELOAD=$build/tests/tools/fail-at.so" "FAIL_CALL=$1" FAIL_AT=1 FAIL_ERRNO=5 \
		FAIL_FOREVER=1 FAIL_ROLE=finalize "FAIL_COUNTERS=$case_dir/counters"
	wait_for 10 waits_for_its_next_try
	sleep 5
	expect_at_most "runs" 3 "$(grep -c ': finalizing: ' "$case_dir/watcher.log")"
	[ "$(query 'SELECT next_try_at > unixepoch() FROM recording')" = 1 ] || fail "no next try is written down"
	stop_watcher
	rm "$case_dir/watcher.log"
	start_watcher
	kill -HUP "$watcher_pid"
	wait_for 30 is_safe
	expect_object "$media" "$copies/$media"
	stop_watcher
}

waits_for_its_next_try() { [ "$(query 'SELECT state FROM recording')" = 2 ]; }

the_pauses_between_tries_get_longer() {
	local failures pauses=()
	start_sink --md5 # for its port
	end_process "${pids[-1]}"
	environment+=("CONFOMEET_S3_URL=$sink_url")
	make_file "$session/$media" 1000
	touch -d '1 hour ago' "$session/$media" "$session"
	start_watcher CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_RETRY_MAX=6s
	for failures in 1 2 3 4; do
		wait_for 20 has_failed "$failures"
		pauses+=("$(query 'SELECT next_try_at - updated_at FROM recording')")
	done
	# A half to all of 2, 4, 6 and 6 s; seconds are whole ones.
	expect_match "pauses" '^[12] [2345] [34567] [34567]$' "${pauses[*]}"
	stop_watcher
	wait_for_sink
}

has_failed() { [ "$(query 'SELECT failures FROM recording')" = "$1" ]; }

# So that nothing is left behind.
wait_for_sink() {
	start_sink --md5 --port "${sink_url##*:}"
	finalize_all
}

an_operator_may_go_between() {
	start_sink --md5 # for its port
	end_process "${pids[-1]}"
	environment+=("CONFOMEET_S3_URL=$sink_url")
	make_file "$session/$media" 1000
	start_watcher CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_RETRY_MIN=1h
	finalize CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75
	wait_for 10 watcher_says 'probing: '
	start_sink --md5 --port "${sink_url##*:}" --journal "$case_dir/sink.journal"
	finalize_all
	sleep 3 # the watcher reads the journal every two seconds
	expect "objects" 1 "$(sink_lines O | wc -l)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "state" 4 "$(query 'SELECT state FROM recording')"
	stop_watcher
}

run a_server_that_was_down_for_the_whole_meeting_gets_it_all_in_the_end
run a_backend_that_was_down_gets_its_notice_in_the_end
run what_needs_a_person_is_tried_at_once_when_the_settings_are_mended
run many_that_wait_all_arrive
run a_long_pause_that_a_server_asked_for_ends_when_it_answers
run a_2xx_that_names_no_row_is_not_repeated_by_the_watcher
run work_that_always_fails_is_begun_three_times_and_then_by_the_schedule pread
run work_that_always_fails_is_begun_three_times_and_then_by_the_schedule getdents
run work_that_always_fails_is_begun_three_times_and_then_by_the_schedule flock
run the_pauses_between_tries_get_longer
run an_operator_may_go_between
end_of_cases

#!/usr/bin/env bash
#
# e2e_watcher.sh - jibri-watcher beside a recording, after failures, crashes and restarts.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_watcher.sh [PATTERN]

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
	grow 5 # which nobody sends
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

finalize_all() {
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
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

# Whoever makes it anew at every save, say: its parts are for the finalizer to compare.
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

# Also for whoever asks whether there is a watcher.
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

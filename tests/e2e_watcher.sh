#!/usr/bin/env bash
#
# e2e_watcher.sh - jibri-watcher beside a recording, after failures, crashes and restarts.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e_watcher.sh [PATTERN]

# shellcheck source=tests/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

watcher=$build/watcher/jibri-watcher
media=12345_2026-11-24-10-00-00.mp4

# ---- what cases are made of ----------------------------------------------------------------------

watcher_options=()

# start_watcher [NAME=VALUE...]: its log is $case_dir/watcher.log.
start_watcher() {
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" CONFOMEET_S3_PART_SIZE=5MiB \
		CONFOMEET_LOG_LEVEL=debug CONFOMEET_LIVE_RATE_LIMIT=0 CONFOMEET_RETRY_MIN=2s "$@" \
		"$watcher" "${watcher_options[@]}" >>"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
	wait_for 10 watcher_says ': watching'
}

watcher_says() { grep -qs -e "$1" "$case_dir/watcher.log"; }

stop_watcher() {
	local code=0 began=$SECONDS
	kill "$watcher_pid"
	wait "$watcher_pid" || code=$?
	expect "the watcher's exit code" 0 "$code"
	expect_at_most "seconds to stop" 6 $((SECONDS - began))
	cat "$case_dir/watcher.log" >>"$outputs"
}

# Jibri's writer, as far as a file's boxes go: appends to an mdat whose size it patches when it ends,
# behind which it writes the moov. Reads what to do: a number of bytes, "moov", or "shuffle" (bytes
# in the middle are others at the end, as when a container moves its index to the front).
# shellcheck disable=SC2016  # Perl's variables
writer_program='
	open(my $out, "+>", $ARGV[0]) or die; $out->autoflush(1);
	open(my $random, "<", "/dev/urandom") or die;
	print $out pack("Na4a4Na4a4a4a4", 32, "ftyp", "isom", 512, "isom", "iso2", "avc1", "mp41");
	print $out pack("Na4Na4", 8, "free", 0, "mdat");
	my $size = 8;
	while (<STDIN>) {
		if (/^(\d+)$/) {
			for (my $left = $1; $left > 0; ) {
				my $n = $left > 65536 ? 65536 : $left;
				read($random, my $bytes, $n); print $out $bytes; $left -= $n;
			}
			$size += $1;
		} elsif (/^moov$/) {
			print $out pack("Na4", 1000, "moov") . ("m" x 992);
			seek($out, 40, 0); print $out pack("N", $size);
		} elsif (/^shuffle$/) {
			seek($out, 6000000, 0); print $out "x" x 1000;
		}
	}'

start_writer() {
	rm -f "$case_dir/to-writer"
	mkfifo "$case_dir/to-writer"
	perl -MIO::Handle -e "$writer_program" "$1" <"$case_dir/to-writer" &
	writer_pid=$!
	pids+=("$writer_pid")
	exec {writer}>"$case_dir/to-writer"
}

begin_recording() {
	mkdir -p "$session"
	start_writer "$session/$media"
}
grow() { echo $(($1 * MIB)) >&"$writer"; }

# end_recording [COMMAND...]: of the writer, before it ends.
end_recording() {
	[ $# = 0 ] || printf '%s\n' "$@" >&"$writer"
	exec {writer}>&-
	wait "$writer_pid"
	cp "$session/$media" "$copies/$media"
}

is_safe() {
	[ "$(query "SELECT count(*) FROM recording WHERE state = 4")" = "${1:-1}" ]
}

is_worked_on() { [ "$(query 'SELECT state FROM recording')" = 1 ]; }
parts_sent() { [ "$(parts_in_journal)" = "$1" ]; }

# ---- the sink, which knows what was sent how often -----------------------------------------------

sink_lines() { awk -v kind="$1" '$1 == kind' "$case_dir/sink.journal"; }
sink_parts() { sink_lines P | cut -d ' ' -f 3 | paste -s -d ' '; }

use_sink() {
	start_sink --journal "$case_dir/sink.journal" "$@"
	environment+=("CONFOMEET_S3_URL=$sink_url")
}

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
	expect_all_gone
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
	expect "parts sent while it was recorded" '2 3 4' "$(sink_parts)"
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=1 "$session"
	expect_code 0
	expect "parts sent in all" '2 3 4 1 5 6' "$(sink_parts)"
	expect "uploads" 1 "$(sink_lines C | wc -l)"
	expect "objects" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	expect_all_gone
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

a_recording_by_ffmpeg_plays_and_is_the_same() {
	start_watcher
	mkdir -p "$session"
	"$tests/../scripts/record-meeting" "$session/$media" 14
	cp "$session/$media" "$copies/$media"
	# A busy machine records less than 0.9 MB a second.
	[ "$(stat -c %s "$session/$media")" -lt $((10 * MIB)) ] || wait_for 15 has_parts 1
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_object_for_all "$media" "$copies/$media" video/mp4
	rclone_ cat ":s3:$bucket/$media" >"$case_dir/got"
	expect "what ffprobe says" '' "$(ffprobe -v error "$case_dir/got" 2>&1)"
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

has_upload() { [ "$(query "SELECT count(*) FROM file WHERE upload_id <> ''")" = 1 ]; }

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

# ---- handing over --------------------------------------------------------------------------------

with_no_time_to_wait_the_watcher_gets_it() {
	start_watcher
	make_file "$session/$media" $((12 * MIB))
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0
	expect_match "output" 'handed over: the watcher goes on' "$output"
	wait_for 20 is_safe
	expect_object "$media" "$copies/$media"
	expect_all_gone
	expect "accepted notices" 1 "$(accepted_notices)"
	stop_watcher
}

without_a_watcher_nothing_is_handed_over() {
	make_file "$session/$media" 1000
	start_watcher
	stop_watcher
	finalize CONFOMEET_FINALIZE_WAIT=0 "$session"
	expect_code 0 'safe'
	expect_all_gone
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
	expect_all_gone
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
	expect_all_gone
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
	watcher_says 'nobody finalized it' || fail "it does not say why"
	expect_object "$media" "$copies/$media"
	expect "jibri-incomplete" moov-missing "$(object_header "$media" x-amz-meta-jibri-incomplete)"
	expect "in the journal" 1 "$(query 'SELECT incomplete FROM file WHERE media')"
	expect_all_gone
	expect "accepted notices" 1 "$(accepted_notices)"
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

start_watcher_late() {
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$@" \
		"$watcher" >>"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
	wait_for 10 watcher_says 'waiting for it'
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
run a_slow_part_is_given_up_for_the_finalizer
run nothing_is_sent_while_it_is_recorded_when_that_is_switched_off
run with_no_time_to_wait_the_watcher_gets_it
run without_a_watcher_nothing_is_handed_over
run when_the_time_is_over_the_watcher_goes_on
run a_server_that_was_down_for_the_whole_meeting_gets_it_all_in_the_end
run a_backend_that_was_down_gets_its_notice_in_the_end
run what_needs_a_person_is_tried_at_once_when_the_settings_are_mended
run many_that_wait_all_arrive
run a_recording_that_was_cut_off_is_finalized_and_marked with-metadata
run a_recording_that_was_cut_off_is_finalized_and_marked without-metadata
run a_recording_whose_writer_pauses_is_no_orphan
run a_finalizer_that_was_killed_is_no_loss
run what_is_put_into_a_finished_session_is_uploaded_too
run a_stop_in_the_midst_of_work_is_in_order
run the_recordings_directory_may_come_late_and_be_made_anew
run settings_that_cannot_be_used_are_said_and_waited_for
run a_second_watcher_waits_until_the_first_one_is_gone
run kept_copies_go_and_old_history_is_forgotten
run a_damaged_journal_is_set_aside
end_of_cases

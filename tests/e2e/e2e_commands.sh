#!/usr/bin/env bash
#
# e2e_commands.sh - end to end: what operators type: status, retry, abandon, wait, events.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# command [NAME=VALUE...] ARGUMENT...: as finalize, where the recordings are set.
command_() { finalize "CONFOMEET_RECORDINGS_DIR=$recordings" "$@"; }

# What status says is no failure of its own, and has no advice of its own.
status_() { advice=no command_ "$@"; }

# The state of the only recording.
state_of_it() { jq -r '.recordings[0].state' <<<"$output"; }

# Without settings of bucket and backend.
nothing_set=(CONFOMEET_S3_URL='' CONFOMEET_S3_BUCKET='' CONFOMEET_S3_CLIENT_ID=''
	CONFOMEET_S3_CLIENT_SECRET='' CONFOMEET_BASE_URL='')

status_tells_how_a_recording_is_from_the_disk_to_the_bucket() {
	status_ "${nothing_set[@]}" status
	expect_code 0
	expect "what it says" 'no recordings' "$output"
	[ ! -e "$recordings/.jibri-finalize" ] || fail "it made a journal"
	make_file "$session/12345_a.mp4" 1000
	status_ "${nothing_set[@]}" status
	expect_code 75
	expect_match "what it says" '1 found on the disk' "$output"
	restart_backend --fail 500
	finalize CONFOMEET_S3_RETRY_FOR=100ms "$session"
	expect_code 75
	status_ "${nothing_set[@]}" status
	expect_code 75
	expect_match "what it says" '1 waiting \(since [0-9:]+: .*500' "$output"
	expect_match "what it says" 'jibri-finalize retry --all' "$output"
	restart_backend
	command_ retry --all
	expect_code 0
	expect_all_gone
	status_ "${nothing_set[@]}" status
	expect_code 0
	expect_match "what it says" '^1 safe' "$output"
	status_ status 12345
	expect_match "what it says" 'key 12345_a.mp4 in [^ ]*, row 1 of the backend' "$output"
	command_ events nzqx
	expect_code 0
	expect_match "the history" 'notified: accepted by the backend' "$output"
}

is_uploading() {
	status_ status --json >/dev/null
	[ "$(state_of_it)" = uploading ] && [ "$(jq .recordings[0].held_bytes <<<"$output")" -gt 0 ]
}

the_progress_of_another_process_is_shown() {
	local pid
	make_file "$session/12345_a.mp4" $((24 * MIB))
	# One part after the other, so that there is time between the first and the last.
	output_file=$case_dir/other start_finalize CONFOMEET_S3_RATE_LIMIT=2MiB \
		CONFOMEET_S3_PARALLEL=1 "$session"
	pid=$!
	wait_for 20 is_uploading
	kill -STOP "$pid" # it must not be done before it is looked at
	expect_code 75
	expect worker "$pid jibri-finalize" \
		"$(jq -r '.recordings[0].worker | "\(.pid) \(.program)"' <<<"$output")"
	status_ status
	expect_match "what it says" '[0-9]+ %, [0-9.]+ MiB/s, .* left' "$output"
	expect_match "what it says" "by jibri-finalize, process $pid" "$output"
	command_ wait --timeout 1s
	expect_code 75 'the time is over with 1 recording not safe yet'
	kill -CONT "$pid"
	command_ wait --timeout 60s
	expect_code 0
	finish_finalize "$pid" "$case_dir/other"
	expect_code 0
	expect_all_gone
}

a_meeting_id_that_a_person_gives_is_kept_for_later() {
	make_file "$session/meeting without number.mp4" 1000
	finalize "$session"
	expect_code 1 "what to do: jibri-finalize retry --meeting-id NUMBER $session"
	status_ status --failed
	expect_code 1
	expect_match "what it says" 'jibri-finalize retry --meeting-id NUMBER 1' "$output"
	restart_backend --fail 500
	command_ CONFOMEET_S3_RETRY_FOR=100ms retry --meeting-id 777 1
	expect_code 75
	restart_backend
	command_ retry nzqxnaoiugxqlhbp
	expect_code 0
	expect_all_gone
	expect "the meeting id" 777 "$(notices 'select(.accepted)|.body.meetingId')"
	status_ status 777
	expect_code 0
}

a_refused_notice_is_due_again_and_nothing_is_uploaded_for_it() {
	local before
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 400
	finalize "$session"
	expect_code 1
	before=$(objects)
	make_file "$session/67890_b.mp4" 1000
	restart_backend
	command_ retry --notify-only 1
	expect_code 75 'only notices were asked for'
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "the objects" "$before" "$(objects)"
	[ -e "$session/67890_b.mp4" ] || fail "what was not uploaded is gone"
	command_ retry --all
	expect_code 0
	expect_all_gone
	expect_object 67890_b.mp4 "$copies/67890_b.mp4"
}

a_directory_of_another_machine_is_uploaded() {
	local other=$case_dir/brought/abcdefghijklmnop
	make_file "$other/12345_a.mp4" 1000
	finalize retry "$other"
	expect_code 0
	[ ! -e "$other" ] || fail "it is still there"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

a_retry_without_the_journal_sends_nothing_again() {
	local before
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 500
	finalize CONFOMEET_S3_RETRY_FOR=100ms "$session"
	expect_code 75
	before=$(objects)
	rm -r "$recordings/.jibri-finalize"
	restart_backend
	command_ retry "$session"
	expect_code 0
	expect_all_gone
	expect "the objects" "$before" "$(objects)"
}

what_is_still_written_is_left_alone() {
	make_file "$session/12345_a.mp4" 1000
	exec 9>>"$session/12345_a.mp4"
	status_ status --json
	expect state recording "$(state_of_it)"
	command_ retry "$session"
	expect_code 75 'still writes'
	exec 9>&-
	status_ status --json
	expect state found "$(state_of_it)"
	expect keys '' "$(keys)"
	command_ retry "$session"
	expect_code 0
}

# An upload that was cut off, with parts in the bucket.
cut_off() {
	make_file "$session/12345_a.mp4" $((24 * MIB))
	start_finalize CONFOMEET_S3_RATE_LIMIT=6MiB CONFOMEET_S3_PARALLEL=1 "$session"
	wait_for 20 has_parts 1
	kill -KILL "$!"
	wait "$!" 2>/dev/null || true
	expect "open uploads" 1 "$(open_uploads | wc -l)"
}

what_is_abandoned_stays_so_until_a_person_takes_it_up() {
	local before
	cut_off
	status_ status --json
	expect state interrupted "$(state_of_it)"
	before=$(state_of "$session")
	command_ abandon 1
	expect_code 64 'no terminal to ask on'
	command_ abandon --yes --reason 'nobody wants it' 1
	expect_code 0
	expect "open uploads" 0 "$(open_uploads | wc -l)"
	expect "the files" "$before" "$(state_of "$session")"
	status_ status
	expect_code 0
	expect_match "what it says" 'abandoned +nobody wants it' "$output"
	finalize "$session"
	expect_code 1 'was abandoned: nobody wants it'
	expect "the files" "$before" "$(state_of "$session")"
	command_ retry --all
	expect_code 0
	expect "what it says" 'nothing waits or failed' "$output"
	command_ retry 1
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	command_ abandon --yes 1
	expect_code 64 'is safe'
}

an_upload_that_cannot_be_aborted_is_remembered() {
	cut_off
	command_ CONFOMEET_S3_URL=http://127.0.0.1:1/ CONFOMEET_S3_CONNECT_TIMEOUT=1s abandon --yes 1
	expect_code 75 'cannot abort 1 upload in the bucket'
	expect "state and uploads left over" '6 1' "$(query "SELECT state || ' ' ||
		(SELECT count(*) FROM leftover WHERE upload_id <> '') FROM recording")"
	status_ status
	expect_code 0
	expect_match "what it says" 'Left in the bucket, .* 1 unfinished upload \(since .*: .*12345_a.mp4 .*lifecycle rule' "$output"
	status_ status --json
	expect_match "as JSON" '^1 an unfinished upload of 12345_a.mp4 is left' "$(jq -r '.summary | "\(.leftover_uploads) \(.leftover_error)"' <<<"$output")"
	status_ status --prometheus
	expect_match "as a metric" 'jibri_upload_leftover_uploads 1' "$output"
	command_ "${nothing_set[@]}" abandon --yes 1
	expect_code 75 'the settings of the bucket cannot be used'
	command_ abandon --yes 1
	expect_code 0
	status_ status
	[[ $output != *'Left in the bucket'* ]] || fail "it is still shown"
	expect "open uploads" 0 "$(open_uploads | wc -l)"
}

wait_counts_a_meeting_that_jibri_is_joining() {
	command_ "${nothing_set[@]}" wait --timeout 0s
	expect_code 75
	expect_match "what is pending" 'recording +no file yet' "$output"
	touch -d '2 minutes ago' "$session"
	command_ "${nothing_set[@]}" wait --timeout 0s
	expect_code 0
}

# Each past meeting's metadata.json, of which the mp4 was removed; without a watcher.
what_the_old_script_left_is_retried_with_all() {
	local n
	for n in {1..5}; do
		mkdir "$recordings/past$n"
		echo '{"meeting_url":"https://meet.example/12345","participants":[],"share":true}' >"$recordings/past$n/metadata.json"
	done
	command_ retry --all
	expect_code 0 'nothing waits or failed' # one of them may be at its beginning
	touch -d '1 hour ago' "$recordings"/past*/metadata.json "$session"
	command_ wait --timeout 1s
	expect_code 75
	expect_match "what it says" 'retry --all' "$output"
	command_ retry --all
	expect_code 0
	expect keys 5 "$(keys | grep -c '^past[1-5]/metadata.json$')"
	[ ! -e "$recordings/past1" ] || fail "the session is still there"
	command_ wait
	expect_code 0 'nothing is pending'
	command_ status
	expect_code 0
}

wait_ends_at_once_when_nothing_is_pending() {
	touch -d '2 minutes ago' "$session"
	command_ "${nothing_set[@]}" wait
	expect_code 0
	make_file "$session/meeting.mp4" 1000
	command_ wait --timeout 0s
	expect_code 75
	finalize "$session"
	expect_code 1
	command_ wait
	expect_code 1 'a person is needed'
	command_ wait --timeout never
	expect_code 64
}

# expect_lost WORD...: the command says that it is lost, and needs a person.
expect_lost() {
	local advice=no
	command_ "$@"
	expect_code 1
	expect_match "what $1 says" '[Vv]anished|LOST' "$output"
	[[ $output != *"safe: "* ]] || fail "it is said to be safe"
}

what_vanished_before_it_was_safe_stays_lost_until_it_is_abandoned() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_S3_URL=http://127.0.0.1:1 CONFOMEET_S3_RETRY_FOR=100ms "$session"
	expect_code 75
	rm -r "$session"
	expect_lost status
	command_ wait --timeout 20s
	expect_code 1 'a person is needed'
	expect_lost retry 1
	expect_lost "$session"
	expect_lost retry "$session"
	expect_lost status --failed
	expect_lost status 12345
	status_ status --json >/dev/null
	expect state lost "$(state_of_it)"
	expect metric 1 "$(advice=no command_ status --prometheus | sed -n 's/.*recordings{.*state="lost"} //p')"
	command_ abandon --yes --reason 'a test' 1
	expect_code 0
	status_ status
	expect_code 0
	expect keys '' "$(keys)"
}

a_notice_goes_out_without_the_directory() {
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 500
	finalize CONFOMEET_S3_RETRY_FOR=100ms "$session"
	expect_code 75
	rm -r "$session"
	status_ status --failed
	expect_match "what it says" 'no watcher runs for what waits' "$output"
	restart_backend
	command_ retry --notify-only 12345
	expect_code 0
	expect "accepted notices" 1 "$(accepted_notices)"
	status_ status
	expect_code 0
	expect_match "what it says" '^1 safe' "$output"
	command_ retry 1
	expect_code 0
	expect "accepted notices" 1 "$(accepted_notices)"
}

an_ambiguous_name_is_not_guessed() {
	make_file "$session/12345_a.mp4" 1000
	make_file "$recordings/abcdefghijklmnop/12345_b.mp4" 1000
	command_ retry 12345
	expect_code 64 'ambiguous'
	expect_match "the candidates" "$session" "$output"
	expect_match "the candidates" "$recordings/abcdefghijklmnop" "$output"
	expect keys '' "$(keys)"
	command_ retry nosuchone
	expect_code 66
	command_ retry nzqx abcdefg
	expect_code 0
	expect keys '12345_a.mp4;12345_b.mp4' "$(keys | paste -s -d ';')"
}

json_is_json_whatever_the_names_are() {
	local name=$'5_\xff\x01"\\\n\xd0\x9c.mp4'
	make_file "$session/$name" 1000 copy
	status_ status --json
	expect_code 75
	expect session nzqxnaoiugxqlhbp "$(jq -r '.recordings[0].session' <<<"$output")"
	finalize CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	status_ status --json
	expect_code 0
	iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
	expect path $'5_\ufffd\x01"\\\n\u041c.mp4' "$(jq -r '.recordings[0].files[0].path' <<<"$output")"
	expect schema 1 "$(jq .schema <<<"$output")"
	status_ status nzqx
	expect_match "what it says" '5_\?\?"\\\?М.mp4: 1000 B, safe' "$output"
	command_ events --json nzqx
	expect_code 0
	expect "the recording" 1 "$(jq .recording.id <<<"$output")"
	expect_match "the events" 'a run begins' "$(jq -r '.events[0].text' <<<"$output")"
}

# Docker's exec is root; Jibri isn't.
root_becomes_the_owner_of_the_recordings() {
	local owner=12345:23456
	[ "$(id -u)" = 0 ] || return 0
	printf '%s\n' "${environment[@]:3}" | grep ^CONFOMEET_ >"$case_dir/secret.env"
	chmod 600 "$case_dir/secret.env"
	make_file "$session/12345_a.mp4" 1000
	make_file "$recordings/abcdefghijklmnop/meeting.mp4" 1000
	chown -R "$owner" "$recordings"
	chmod 755 "$work" "$case_dir"
	status_ --config "$case_dir/secret.env" status
	expect_code 75
	finalize --config "$case_dir/secret.env" "$session"
	expect_code 0
	command_ --config "$case_dir/secret.env" retry abcd
	expect_code 1
	command_ --config "$case_dir/secret.env" abandon --yes abcd
	expect_code 0
	finalize CONFOMEET_RECORDINGS_DIR="$recordings" check
	expect "owners" "$owner" "$(find "$recordings" -printf '%U:%G\n' | sort -u)"
	# And another user is told whose they are.
	program_prefix=(setpriv --reuid 54321 --regid 54321 --clear-groups)
	command_ status
	expect_code 1 'call it as that user: docker exec -u 12345'
}

# Of the processor's time: what else the machine does at this moment is not ours.
a_thousand_recordings_are_shown_in_a_tenth_of_a_second() {
	local least=999999 user system kilobytes try
	[ -z "${SANITIZED:-}" ] || return 0
	"$tests/tools/fill_journal.sh" "$program" "$recordings" 1000
	for try in 1 2 3; do
		program_prefix=(/usr/bin/time -q -o "$case_dir/time" -f '%U %S %M')
		status_ status --all >/dev/null
		expect_code 1
		read -r user system kilobytes <"$case_dir/time"
		user=$((10#${user/./} * 10 + 10#${system/./} * 10))
		[ "$user" -ge "$least" ] || least=$user
	done
	echo "least of $try: $least ms, $kilobytes KiB"
	expect_at_most "milliseconds" 100 "$least"
	expect_at_most "KiB" 20000 "$kilobytes"
	status_ status --json >/dev/null
	expect recordings 1000 "$(jq '.recordings | length' <<<"$output")"
}

every_command_has_help_with_examples_on_one_screen() {
	local name
	for name in status retry abandon wait events rescue check settings; do
		finalize "$name" --help
		expect_code 0
		expect_at_most "lines of the help of $name, which fits a screen" 28 "$(wc -l <<<"$output")"
		expect_at_most "columns of the help of $name" 80 "$(wc -L <<<"$output")"
		expect_match "help of $name" "jibri-finalize $name" "${output#*Examples:}"
		finalize "$name" --nonsense
		expect_code 64 "see jibri-finalize $name --help"
	done
}

for name in status_tells_how_a_recording_is_from_the_disk_to_the_bucket \
	the_progress_of_another_process_is_shown a_meeting_id_that_a_person_gives_is_kept_for_later \
	a_refused_notice_is_due_again_and_nothing_is_uploaded_for_it \
	a_directory_of_another_machine_is_uploaded a_retry_without_the_journal_sends_nothing_again \
	what_is_still_written_is_left_alone what_is_abandoned_stays_so_until_a_person_takes_it_up \
	an_upload_that_cannot_be_aborted_is_remembered wait_counts_a_meeting_that_jibri_is_joining wait_ends_at_once_when_nothing_is_pending \
	what_the_old_script_left_is_retried_with_all \
	what_vanished_before_it_was_safe_stays_lost_until_it_is_abandoned \
	a_notice_goes_out_without_the_directory an_ambiguous_name_is_not_guessed json_is_json_whatever_the_names_are \
	root_becomes_the_owner_of_the_recordings \
	a_thousand_recordings_are_shown_in_a_tenth_of_a_second every_command_has_help_with_examples_on_one_screen; do
	run "$name"
done

end_of_cases
